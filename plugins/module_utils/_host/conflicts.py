# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Other firewall managers that are active on the host, and what is said of them.

Active is what systemd or OpenRC runs or starts at boot with rules to load, and what is in the kernel. A
package that is only installed is no conflict. Nor are those who add rules for services of their own
(Docker, Podman, libvirt, fail2ban, kube-proxy), nor tables written by hand.
"""

from __future__ import annotations

import re
import typing as t

from .._compile.table import TABLE_NAME
from ._discovery.boot_rules import NftablesRules, read_nftables_rules, saved_rules_refuse
from ._discovery.foreign_tables import Tables, find_refusing_chains, read_tables
from ._discovery.tree import Tree
from .files import Files
from .nftables_service import DROP_IN
from .services import Service, read_services
from .units import read_unit

_FILTER_TABLES = ("ip filter", "ip6 filter")

#: Services that are processes and go on writing rules; the others load theirs, and are done.
DAEMONS = ("firewalld", "lfd")

UFW_CONF = "/etc/ufw/ufw.conf"

_ONE_WORD = r"\s*%s\s*=\s*[\"']?%s[\"']?\s*"
UFW_ENABLED = re.compile(_ONE_WORD % ("ENABLED", "yes"), re.IGNORECASE)
_FERM_DISABLED = re.compile(_ONE_WORD % ("ENABLED", "no"), re.IGNORECASE)
_SHOREWALL_ENABLED = re.compile(_ONE_WORD % ("STARTUP_ENABLED", "yes"), re.IGNORECASE)

#: Removes what an iptables manager of no chains of its own put on input and output. The policies go first, or the
#: host would be cut off in between.
CLEAR_IPTABLES = "; ".join(
    "%s -P INPUT ACCEPT; %s -P OUTPUT ACCEPT; %s -F INPUT; %s -F OUTPUT" % ((program,) * 4)
    for program in ("iptables", "ip6tables")
)


class Conflict(t.NamedTuple):
    """One manager that is active.

    Attributes:
        name: ``firewalld``, ``ufw``, ``nftables.service``, ``netfilter-persistent``, ``iptables``, ``awall``,
            ``shorewall``, ``ferm`` or ``csf``.
        evidence: What was found, half a sentence each.
        advice: How an operator removes it by hand.
        services: Its services that are installed, also those that are off.
        tables: Its tables in the kernel, such as "inet firewalld"; shared ones included.
    """

    name: str
    evidence: t.Tuple[str, ...]
    advice: str
    services: t.Tuple[Service, ...] = ()
    tables: t.Tuple[str, ...] = ()


class _Manager(t.NamedTuple):
    """How a manager is recognised.

    Attributes:
        is_set_up: Whether a service, when it starts, loads rules that get in the way.
        find_tables: Its tables among those in the kernel.
    """

    name: str
    services: t.Tuple[str, ...]
    advice: str
    is_set_up: t.Callable[[Tree, str], bool]
    find_tables: t.Callable[[Tables], t.List[str]]


def find_managers(
    files: Files, listed: object, *, search_path: t.Optional[str] = None, own_table: str = TABLE_NAME
) -> t.Tuple[Conflict, ...]:
    """The other firewall managers that are active on this host. Only reads.

    Args:
        listed: The list under ``nftables`` in the decoded output of ``nft -j list ruleset``, as for
            :func:`._discovery.neighbours.find_neighbours`. iptables-legacy(8) does not appear there.
        search_path: Where systemctl is looked for, PATH if None.
    """
    tree = Tree(files.locate("/"))
    tables = read_tables(listed, own_table)
    names = ["nftables", *(name for manager in _MANAGERS for name in manager.services)]
    services = read_services(files, names, search_path)
    found = [_look_for(manager, tree, services, tables) for manager in _MANAGERS]
    found.append(_look_for_nftables(read_nftables_rules(tree, own_table), tree, services, tables))
    return tuple(conflict for conflict in found if conflict is not None)


def describe_refusal(conflicts: t.Sequence[Conflict]) -> str:
    """The error for ``firewall_on_conflict: fail``."""
    lines = ["Another firewall manager is active on this host, and firewall_on_conflict is fail. Nothing was changed."]
    lines.extend(
        "- %s: %s. To remove it by hand: %s." % (it.name, "; ".join(it.evidence), it.advice) for it in conflicts
    )
    lines.append(
        "With both, a packet would have to be accepted by it and by the policies. Write firewall_on_conflict: disable, "
        "and Palisade takes over without an unprotected instant; or firewall_on_conflict: ignore, where both are to "
        "filter."
    )
    return "\n".join(lines)


def describe_coexistence(conflicts: t.Sequence[Conflict]) -> t.Tuple[str, ...]:
    """The warnings for ``firewall_on_conflict: ignore``, one for each manager."""
    return tuple(
        "%s is active beside Palisade (%s). Both must accept a packet: what the policies accept, %s may still refuse. "
        "Keep its rules in step with the policies, or write firewall_on_conflict: disable."
        % (it.name, "; ".join(it.evidence), it.name)
        for it in conflicts
    )


def _look_for(manager: _Manager, tree: Tree, services: t.Mapping[str, Service], tables: Tables) -> t.Optional[Conflict]:
    installed = tuple(services[name] for name in manager.services if name in services)
    evidence = []
    for service in installed:
        set_up = manager.is_set_up(tree, service.name)
        # What a masked service loaded before stays until the next boot, and is seen in the kernel.
        if service.active and set_up and (service.name in DAEMONS or not service.masked):
            evidence.append("%s is active" % service.title)
        if service.enabled and set_up and not service.masked:
            evidence.append("%s starts at boot" % service.title)
    found = tuple(manager.find_tables(tables))
    evidence.extend("its rules are in the table '%s'" % table for table in found)
    if not evidence:
        return None
    name = "awall" if manager.name == "iptables" and tree.exists("/usr/sbin/awall") else manager.name
    return Conflict(name, tuple(evidence), manager.advice, installed, found)


def _look_for_nftables(
    rules: NftablesRules, tree: Tree, services: t.Mapping[str, Service], tables: Tables
) -> t.Optional[Conflict]:
    service = services.get("nftables")
    if service is None or service.masked or not rules.refuses:
        return None
    there = tuple(name for name in sorted(rules.tables) if name in tables)
    evidence = []
    # Without its rules in the kernel, a unit that counts as active does nothing any more.
    if service.active and there:
        evidence.append("%s is active" % service.title)
    if service.enabled:
        evidence.append("%s starts at boot" % service.title)
    if not evidence:
        return None
    path = " and ".join(rules.paths)
    evidence.append("%s refuses packets" % path)
    evidence.extend("its table '%s' is in the kernel" % table for table in there)
    flushes = stop_flushes(tree, service)
    if flushes:
        evidence.append("its stop action is 'flush ruleset', which deletes the tables of everybody")
    if service.under_systemd:
        command = "'systemctl disable nftables.service'%s" % (" (without --now)" if flushes else "")
    else:
        command = "'rc-update --all del nftables', without stopping it"
    advice = "move the rules of %s into policies, then %s%s" % (
        path,
        command,
        "".join(" and 'nft delete table %s'" % table for table in there),
    )
    return Conflict("nftables.service", tuple(evidence), advice, (service,), there)


def stop_flushes(tree: Tree, service: Service) -> bool:
    """Whether stopping the service deletes every table, but for what our drop-in does about it."""
    if not service.under_systemd:
        return False
    commands: t.List[str] = []
    for item in read_unit(tree, "%s.service" % service.name, without=(DROP_IN,)):
        if item.section == "Service" and item.key == "ExecStop":
            # An empty assignment clears what came before (systemd.service(5)).
            commands = [*commands, " ".join(item.value.split())] if item.value else []
    return any(command.endswith("flush ruleset") for command in commands)


def _always(_tree: Tree, _service: str) -> bool:
    return True


def _ufw_is_set_up(tree: Tree, _service: str) -> bool:
    return any(map(UFW_ENABLED.fullmatch, tree.lines(UFW_CONF)))


def _ferm_is_set_up(tree: Tree, _service: str) -> bool:
    return tree.exists("/etc/ferm/ferm.conf") and not any(
        map(_FERM_DISABLED.fullmatch, tree.lines("/etc/default/ferm"))
    )


def _shorewall_is_set_up(tree: Tree, service: str) -> bool:
    if service.endswith("-lite"):
        # The compiled rules, made on another host.
        return tree.exists("/var/lib/%s/firewall" % service)
    return any(map(_SHOREWALL_ENABLED.fullmatch, tree.lines("/etc/%s/%s.conf" % (service, service))))


def _csf_is_set_up(tree: Tree, _service: str) -> bool:
    return tree.exists("/etc/csf/csf.conf") and not tree.exists("/etc/csf/csf.disable")


def _saved_rules_are_set_up(tree: Tree, service: str) -> bool:
    return any(saved_rules_refuse(tree, path) for path in _SAVED_RULES[service])


#: What a service loads: Debian's one, and those of Red Hat and Alpine, which have the same names.
_SAVED_RULES: t.Mapping[str, t.Tuple[str, ...]] = {
    "netfilter-persistent": ("/etc/iptables/rules.v4", "/etc/iptables/rules.v6"),
    "iptables": ("/etc/sysconfig/iptables", "/etc/iptables/rules-save"),
    "ip6tables": ("/etc/sysconfig/ip6tables", "/etc/iptables/rules6-save"),
}


def _tables_of_firewalld(tables: Tables) -> t.List[str]:
    own = [name for name in ("inet firewalld", "ip firewalld", "ip6 firewalld") if tables.get(name)]
    # FirewallBackend=iptables
    return own + _with_chain("INPUT_ZONES")(tables)


def _with_chain(*names: str) -> t.Callable[[Tables], t.List[str]]:
    """Finds the tables of iptables where one of the chains has a rule: emptied chains often stay."""

    def find(tables: Tables) -> t.List[str]:
        return [
            table
            for table in _FILTER_TABLES
            if any(name in tables.get(table, {}) and tables[table][name].rules for name in names)
        ]

    return find


def _no_table(_tables: Tables) -> t.List[str]:
    """Its rules look like those of anybody."""
    return []


def refusing_filter_tables(listed: object, own_table: str = TABLE_NAME) -> t.List[str]:
    """The tables of iptables that refuse packets to or from this host."""
    return [table for table, _chains in find_refusing_chains(read_tables(listed, own_table)) if table in _FILTER_TABLES]


_MANAGERS = (
    _Manager(
        "firewalld",
        ("firewalld",),
        "'systemctl disable --now firewalld', which may also delete the iptables rules of others, such as Docker's",
        _always,
        _tables_of_firewalld,
    ),
    _Manager("ufw", ("ufw",), "'ufw disable'", _ufw_is_set_up, _with_chain("ufw-before-input", "ufw6-before-input")),
    _Manager(
        "netfilter-persistent",
        ("netfilter-persistent",),
        "move the rules below /etc/iptables into policies, then 'systemctl disable netfilter-persistent', and %s"
        % CLEAR_IPTABLES,
        _saved_rules_are_set_up,
        _no_table,
    ),
    _Manager(
        "iptables",
        ("iptables", "ip6tables"),
        "move its rules into policies, disable the service, and %s" % CLEAR_IPTABLES,
        _saved_rules_are_set_up,
        _no_table,
    ),
    _Manager(
        "shorewall",
        ("shorewall", "shorewall6", "shorewall-lite", "shorewall6-lite"),
        "disable the service, and 'shorewall clear' (not stop, which refuses nearly everything)",
        _shorewall_is_set_up,
        _with_chain("shorewall"),
    ),
    _Manager(
        "ferm",
        ("ferm",),
        "move the rules of /etc/ferm/ferm.conf into policies, disable the service, and %s" % CLEAR_IPTABLES,
        _ferm_is_set_up,
        _no_table,
    ),
    _Manager(
        "csf",
        ("csf", "lfd"),
        "'csf --disable', which also deletes the iptables rules of others, such as Docker's",
        _csf_is_set_up,
        _with_chain("LOCALINPUT"),
    ),
)
