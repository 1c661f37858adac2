# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What keeps a host reachable, and closed, when its saved ruleset does not load at boot."""

from __future__ import annotations

import typing as t

from .._compile.compile import compile_program
from .._nft.text import render_load
from .._policy.model import Firewall, Published
from .._policy.parse import parse_firewall
from .._policy.program import build_program
from ._discovery.includes import read_with_includes
from ._discovery.server_text import parse_port
from ._discovery.systemd import Services, words
from ._discovery.tree import Tree
from .units import read_unit

_SSH_PORT = 22
_SSHD_CONFIG = "/etc/ssh/sshd_config"
_SSH_SOCKETS = ("ssh.socket", "sshd.socket")


def safeguard_text(
    ssh_ports: t.Sequence[int] = (_SSH_PORT,),
    *,
    interfaces: t.Sequence[str] = (),
    interfaces_ignored: t.Optional[t.Sequence[str]] = None,
    published: Published = Published.FILTER,
) -> str:
    """The safeguard set: replaces the whole table, as the text of any first load does.

    What comes in is accepted where it belongs to a connection that is open, is neighbour discovery or DHCP
    for a client, or a new connection to one of the ports; everything else is dropped. What goes out is not
    filtered. It is laid out rule by rule, without counters, so that a person who finds it can read it.

    Args:
        interfaces, interfaces_ignored, published: As the role variables, see there; loopback is never filtered.
    """
    variables: t.Dict[str, object] = {
        "firewall_default_policies": [],
        "firewall_default_ingress": "drop",
        "firewall_safeguards": {"ssh": {"ports": sorted(set(ssh_ports))}, "dhcp": True, "dns": False, "ntp": False},
        "firewall_counters": False,
        "firewall_layout": "ordered",
        "firewall_interfaces": list(interfaces),
        "firewall_published": published.value,
    }
    if interfaces_ignored is not None:
        variables["firewall_interfaces_ignored"] = list(interfaces_ignored)
    firewall = parse_firewall(variables)
    return render_load(compile_program(build_program(firewall), layout=firewall.layout, counters=firewall.counters))


def safeguard_of(firewall: Firewall, root: str = "/", used_port: t.Optional[int] = None) -> str:
    """The safeguard set of a host: it filters where the policies do, and lets in by every port that may lead to sshd.

    Args:
        root: Where the host's files lie.
        used_port: The port that this run came in by; None where it came another way.
    """
    ports = set(find_ssh_ports(root))
    if used_port is not None:
        ports.add(used_port)
    wanted = firewall.safeguards.ssh.ports
    if wanted is not None:
        ports.update(port for low, high in wanted.intervals for port in range(low, high + 1))
    return safeguard_text(
        sorted(ports),
        interfaces=firewall.interfaces,
        interfaces_ignored=firewall.interfaces_ignored,
        published=firewall.published,
    )


def find_ssh_ports(root: str = "/") -> t.Tuple[int, ...]:
    """The ports that sshd_config(5) or a socket of systemd tells sshd to listen to; 22 where neither does."""
    tree = Tree(root)
    ports = {*_configured_ports(tree), *_socket_ports(tree)}
    return tuple(sorted(ports or {_SSH_PORT}))


def _configured_ports(tree: Tree) -> t.Iterator[int]:
    def included(line: str) -> t.List[str]:
        keyword, arguments = _keyword(line)
        if keyword != "include":
            return []
        paths = [path if path.startswith("/") else "/etc/ssh/%s" % path for path in arguments]
        return [found for path in paths for found in tree.glob(path)]

    for line, _path in read_with_includes(tree, [_SSHD_CONFIG], included):
        keyword, arguments = _keyword(line)
        if not arguments:
            continue
        text = arguments[0]
        if keyword == "listenaddress":
            # host:port or [address]:port; an address of IPv6 alone has no brackets and more colons.
            host, colon, text = text.rpartition(":")
            if not colon or (":" in host and not host.endswith("]")):
                continue
        elif keyword != "port":
            continue
        port = parse_port(text)
        if port:
            yield port


def _keyword(line: str) -> t.Tuple[str, t.List[str]]:
    """A line of sshd_config(5): its keyword in small letters, and its arguments."""
    words = line.partition("#")[0].replace("=", " ", 1).replace('"', " ").split()
    return (words[0].lower(), words[1:]) if words else ("", [])


def _socket_ports(tree: Tree) -> t.Iterator[int]:
    services = Services(tree)
    for name in _SSH_SOCKETS:
        if services.is_enabled(name):
            for word, _path in words(read_unit(tree, name), "Socket", "ListenStream"):
                port = parse_port(word.rpartition(":")[2])
                if port:
                    yield port
