# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What a host needs to stay alive: its resolvers, its time servers, the metadata of its cloud, its lease.

The values are found on the host at apply time, or handed over by the operator (``host=`` of the filter).
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.addresses import AddressError, format_address, parse_address, parse_range
from .._core.errors import Path, Problems, show
from .._core.ports import PortError, parse_ports
from .reading import check_keys, read_mapping

#: How "from anywhere" and "to anywhere" are written where an address may stand.
ANYWHERE = "any"

DNS_PORT = 53
NTP_PORT = 123
METADATA_PORT = 80

#: The protocols that a server can be asked over, in the order in which they are always listed.
PROTOCOLS = ("udp", "tcp")

DNS_PROTOCOLS = ("udp", "tcp")
NTP_PROTOCOLS = ("udp",)
METADATA_PROTOCOLS = ("tcp",)

_FACT_KEYS = ("dns_servers", "ntp_servers", "metadata_servers", "dhcp4", "dhcp6")
_SERVER_KEYS = ("address", "port", "protocols")


@dataclasses.dataclass(frozen=True)
class Server:
    """A service somewhere: ``address`` is the canonical text of one address, None means anywhere."""

    address: t.Optional[str]
    port: int
    protocols: t.Tuple[str, ...]

    def __str__(self) -> str:
        return "%s port %d (%s)" % (self.address or ANYWHERE, self.port, ", ".join(self.protocols))


@dataclasses.dataclass(frozen=True)
class HostFacts:
    """The needs of one host.

    ``metadata_servers`` are those that cloud-init asks at every boot, where it asks over the network.

    ``notes`` are sentences for people, what was found and where; they take no part in comparisons,
    because two hosts with the same needs get the same rules.
    """

    dns_servers: t.Tuple[Server, ...] = ()
    ntp_servers: t.Tuple[Server, ...] = ()
    dhcp4: bool = False
    dhcp6: bool = False
    metadata_servers: t.Tuple[Server, ...] = ()
    notes: t.Tuple[str, ...] = dataclasses.field(default=(), compare=False)


def canonical_servers(servers: t.Iterable[Server]) -> t.Tuple[Server, ...]:
    """Each server once, anywhere first, then by family, address and port.

    Protocols of the same address and port are joined. A server at an address is left out where the
    same port and protocols are needed to anywhere already.
    """
    protocols: t.Dict[t.Tuple[t.Optional[str], int], t.Set[str]] = {}
    for server in servers:
        protocols.setdefault((server.address, server.port), set()).update(server.protocols)
    kept = []
    for (address, port), wanted in protocols.items():
        missing = wanted - protocols.get((None, port), set()) if address is not None else wanted
        if missing:
            kept.append(Server(address, port, tuple(name for name in PROTOCOLS if name in missing)))
    return tuple(sorted(kept, key=_order))


def _order(server: Server) -> t.Tuple[int, int, int]:
    family, value = (0, 0) if server.address is None else parse_address(server.address)
    return family, value, server.port


def hostfacts_from_plain(value: object, path: Path, problems: Problems) -> HostFacts:
    """The facts that an operator hands over.

    Shape: ``{dns_servers: [server], ntp_servers: [server], metadata_servers: [server], dhcp4: boolean,
    dhcp6: boolean}``, each optional. A server is an address, ``any``, or ``{address, port, protocols}``.

    What is wrong is added to ``problems`` and left out of the result.
    """
    if value is None:
        return HostFacts()
    given = read_mapping(value, path, problems, "a mapping of host facts such as {dhcp4: true}")
    if given is None:
        return HostFacts()
    check_keys(given, _FACT_KEYS, path, problems)
    return HostFacts(
        dns_servers=_servers(given.get("dns_servers"), path / "dns_servers", problems, DNS_PORT, DNS_PROTOCOLS),
        ntp_servers=_servers(given.get("ntp_servers"), path / "ntp_servers", problems, NTP_PORT, NTP_PROTOCOLS),
        dhcp4=_boolean(given.get("dhcp4"), path / "dhcp4", problems),
        dhcp6=_boolean(given.get("dhcp6"), path / "dhcp6", problems),
        metadata_servers=_servers(
            given.get("metadata_servers"),
            path / "metadata_servers",
            problems,
            METADATA_PORT,
            METADATA_PROTOCOLS,
        ),
    )


def hostfacts_to_plain(facts: HostFacts) -> t.Dict[str, t.Any]:
    """The shape that :func:`hostfacts_from_plain` reads; notes are left out."""
    return {
        "dns_servers": [_server_to_plain(server, DNS_PORT, DNS_PROTOCOLS) for server in facts.dns_servers],
        "ntp_servers": [_server_to_plain(server, NTP_PORT, NTP_PROTOCOLS) for server in facts.ntp_servers],
        "metadata_servers": [
            _server_to_plain(server, METADATA_PORT, METADATA_PROTOCOLS) for server in facts.metadata_servers
        ],
        "dhcp4": facts.dhcp4,
        "dhcp6": facts.dhcp6,
    }


def _server_to_plain(server: Server, port: int, protocols: t.Tuple[str, ...]) -> t.Union[str, t.Dict[str, t.Any]]:
    address = ANYWHERE if server.address is None else server.address
    if (server.port, server.protocols) == (port, protocols):
        return address
    return {"address": address, "port": server.port, "protocols": list(server.protocols)}


def _boolean(value: object, path: Path, problems: Problems) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    problems.error(path, "type", "%s is not a boolean; write true or false" % show(value))
    return False


def _servers(
    value: object, path: Path, problems: Problems, port: int, protocols: t.Tuple[str, ...]
) -> t.Tuple[Server, ...]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        problems.error(path, "type", "%s is not a list of servers" % show(value))
        return ()
    found = [_server(item, path / position, problems, port, protocols) for position, item in enumerate(value)]
    return canonical_servers(server for server in found if server is not None)


def _server(
    value: object, path: Path, problems: Problems, port: int, protocols: t.Tuple[str, ...]
) -> t.Optional[Server]:
    if isinstance(value, str):
        address = _address(value, path, problems)
        return Server(address or None, port, protocols) if address is not None else None
    if not isinstance(value, dict):
        problems.error(path, "type", "%s is neither an address nor {address, port, protocols}" % show(value))
        return None
    check_keys(value, _SERVER_KEYS, path, problems)
    if value.get("address") is None:
        problems.error(path, "address", "the server has no address; write one, or 'any' for anywhere")
        address = None
    else:
        address = _address(value["address"], path / "address", problems)
    wanted_port = _port(value.get("port"), path / "port", problems, port)
    wanted_protocols = _protocols(value.get("protocols"), path / "protocols", problems, protocols)
    if address is None or wanted_port is None or not wanted_protocols:
        return None
    return Server(address or None, wanted_port, wanted_protocols)


def _address(value: object, path: Path, problems: Problems) -> t.Optional[str]:
    """The canonical text, an empty one for anywhere, None where the value is wrong."""
    if not isinstance(value, str):
        problems.error(path, "type", "%s is not the text of an address" % show(value))
        return None
    if value.lower() == ANYWHERE:
        return ""
    try:
        found = parse_range(value)
    except AddressError as exc:
        problems.error(path, "address", "%s: %s" % (show(value), exc))
        return None
    if found is None or found.low != found.high:
        problems.error(path, "address", "%s is not one IPv4 or IPv6 address, nor 'any'" % show(value))
        return None
    return format_address(found.family, found.low)


def _port(value: object, path: Path, problems: Problems, default: int) -> t.Optional[int]:
    if value is None:
        return default
    try:
        low, high = parse_ports(value)
    except PortError:
        low = high = 0
    if low != high or low == 0:
        problems.error(path, "port", "%s is not the port of a server (1-65535)" % show(value))
        return None
    return low


def _protocols(value: object, path: Path, problems: Problems, default: t.Tuple[str, ...]) -> t.Tuple[str, ...]:
    if value is None:
        return default
    names = value if isinstance(value, (list, tuple)) else [value]
    if not names:
        problems.error(path, "protocol", "the list is empty; write udp, tcp or both, or leave the key out")
        return ()
    wanted = set()
    for position, name in enumerate(names):
        place = path / position if names is value else path
        if isinstance(name, str) and name.lower() in PROTOCOLS:
            wanted.add(name.lower())
        else:
            problems.error(place, "protocol", "%s is not a protocol of a server; write udp or tcp" % show(name))
            return ()
    return tuple(name for name in PROTOCOLS if name in wanted)
