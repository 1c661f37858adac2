# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Others on the host who filter packets, or lead them around the policies: found, and reported."""

from __future__ import annotations

import re
import typing as t

from .foreign_tables import Tables, find_published_ports, find_refusing_chains, read_tables
from .includes import read_with_includes
from .systemd import Services
from .tree import Tree

_NFTABLES_FILES = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf", "/etc/nftables.nft")
_NFT_INCLUDE = re.compile(r"include\s+[\"']([^\"']{1,4096})[\"']")
_NFT_FLUSH = re.compile(r"(?:^|;)\s*flush\s+ruleset\b")

#: Published ports named in one message.
_LISTED_PORTS = 20


class Finding(t.NamedTuple):
    """``code`` is stable and for programs; ``message`` says what, where, what follows and what to do.

    Codes: ``nftables-service``, ``foreign-chain``, ``published-ports``.
    """

    code: str
    message: str


def find_neighbours(root: str, foreign_tables_json: object, self_table: str = "palisade") -> t.Tuple[Finding, ...]:
    """Foreign chains that refuse packets, what flushes every table, and published container ports.

    Published ports are news only where the policies leave them alone.

    Other firewall managers are found by :mod:`..conflicts`.

    Args:
        root: Where the host's files lie: "/" on a host.
        foreign_tables_json: The list under ``nftables`` in the decoded output of
            ``nft -j list ruleset``. Its shape differs between versions; what is odd is passed over.
        self_table: The name of the ``inet`` table that is not foreign.
    """
    tree = Tree(root)
    services = Services(tree)
    tables = read_tables(foreign_tables_json, self_table)
    found = list(_nftables_service(tree, services))
    for table, chains in find_refusing_chains(tables):
        found.append(
            Finding(
                "foreign-chain",
                "The table '%s' refuses packets as well, in its %s. A packet has to be accepted there and by the "
                "policies, so what the policies accept may still be refused. Remove those rules, or accept the same "
                "packets in them." % (table, " and ".join(chains)),
            )
        )
    found += _published_ports(tables)
    return tuple(found)


def _nftables_service(tree: Tree, services: Services) -> t.Iterator[Finding]:
    if not services.is_enabled("nftables"):
        return

    def included(line: str) -> t.List[str]:
        match = _NFT_INCLUDE.match(line)
        if not match:
            return []
        name = match.group(1)
        return tree.glob(name if name.startswith("/") else "/etc/%s" % name)

    paths = [path for path in _NFTABLES_FILES if tree.exists(path)]
    for line, path in read_with_includes(tree, paths, included):
        if _NFT_FLUSH.search(line.partition("#")[0]):
            yield Finding(
                "nftables-service",
                "nftables.service is enabled and %s contains 'flush ruleset': whenever the unit starts or reloads, "
                "this deletes every table, the one of the policies included, until their own unit runs again. Replace "
                "that line by 'table inet NAME; delete table inet NAME' for each table of that file, or disable "
                "the unit." % path,
            )
            return


def _published_ports(tables: Tables) -> t.Iterator[Finding]:
    ports, unreadable = find_published_ports(tables)
    if not ports and not unreadable:
        return
    texts = ["%s %s" % (port, where) for port, where in ports[:_LISTED_PORTS]]
    if len(ports) > _LISTED_PORTS:
        texts.append("%d more" % (len(ports) - _LISTED_PORTS))
    texts += ["rules in %s whose ports nft does not show" % where for where in unreadable]
    yield Finding(
        "published-ports",
        "Packets to published container ports are rewritten and forwarded, not delivered to this host, and with "
        "firewall_published: leave the ingress policy does not filter them: %s. Whoever reaches this host reaches "
        "them. Where that is not wanted, write firewall_published: filter, or publish them on 127.0.0.1 or an internal "
        "address." % ", ".join(texts),
    )
