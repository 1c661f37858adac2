# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The time servers that the host asks, of whichever daemon keeps its clock."""

from __future__ import annotations

import re
import typing as t

from ..._policy.hostfacts import NTP_PORT, NTP_PROTOCOLS, Server, canonical_servers
from .chrony import read_chrony
from .network_state import NetworkState
from .ntpd import read_ntpd
from .openntpd import read_openntpd
from .server_text import canonical_address, is_local
from .systemd import Services
from .time_source import TimeSource
from .timesyncd import read_timesyncd
from .tree import Tree

#: Folders of service managers whose files tell which daemons start.
_SAY_WHAT_STARTS = ("/run/systemd/system", "/etc/runlevels")

#: Names and addresses that can be looked up; anything else is a mistake in a file.
_LABEL = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_HOST_NAME = re.compile(r"(?=.{1,253}$)%s(?:\.%s)*\.?|[0-9A-Fa-f:.]{2,45}" % (_LABEL, _LABEL), re.ASCII)


class _Daemon(t.NamedTuple):
    """A program that keeps the clock.

    Attributes:
        services: Names of its unit, over the distributions.
        pid_files: Where a running one leaves its number.
        runtime: A folder that is there only while it runs; empty where it has none.
        installed: Files that tell it is there at all.
    """

    name: str
    services: t.Tuple[str, ...]
    pid_files: t.Tuple[str, ...]
    runtime: str
    installed: t.Tuple[str, ...]
    read: t.Callable[[Tree, NetworkState], t.List[TimeSource]]


def find_time_servers(
    tree: Tree, services: Services, network: NetworkState
) -> t.Tuple[t.Tuple[Server, ...], t.Tuple[str, ...]]:
    """The time servers that the host needs to reach, and sentences that say where each was found.

    The daemons that start at boot or run count, all of them. Where neither systemd nor OpenRC is there to
    say, those that are installed or configured count. A server is returned by its address only where an
    operator wrote that address: a name leads to changing addresses, and a lease to changing servers.
    """
    daemons = _daemons(tree, services)
    servers: t.List[Server] = []
    notes: t.List[str] = []
    for daemon in daemons:
        found = [server for source in daemon.read(tree, network) for server in _servers(source, daemon.name, notes)]
        if not found:
            notes.append("ntp: %s has no server configured" % daemon.name)
        servers += found
    if not daemons:
        notes.append("ntp: no time daemon is enabled or running")
    return canonical_servers(servers), tuple(dict.fromkeys(notes))


def time_server_hosts(tree: Tree, services: Services, network: NetworkState) -> t.Tuple[str, ...]:
    """The names of time servers, and the addresses of those that a lease brought: whom the host asks at present."""
    sources = [source for daemon in _daemons(tree, services) for source in daemon.read(tree, network)]
    wanted = [one.host for one in sources if not one.is_constraint and _HOST_NAME.fullmatch(one.host)]
    addresses = {host: canonical_address(host) for host in wanted}
    leased = {one.host for one in sources if one.is_leased}
    return tuple(
        host for host, address in addresses.items() if address is None or (host in leased and not is_local(address))
    )


def _daemons(tree: Tree, services: Services) -> t.List[_Daemon]:
    found = [
        daemon
        for daemon in _DAEMONS
        if services.is_enabled(*daemon.services)
        or services.is_running(*daemon.pid_files)
        or (daemon.runtime and tree.exists(daemon.runtime))
    ]
    if found or any(tree.exists(path) for path in _SAY_WHAT_STARTS):
        return found
    return [daemon for daemon in _DAEMONS if any(tree.exists(path) for path in daemon.installed)]


def _servers(source: TimeSource, daemon: str, notes: t.List[str]) -> t.List[Server]:
    address = canonical_address(source.host)
    if address is not None and is_local(address):
        # A reference clock of ntpd (127.127.x.x), or a daemon on the same host.
        return []
    by = "%s, from %s" % (daemon, source.origin)
    if source.is_constraint:
        notes.append("ntp: %s over HTTPS is for a policy to allow (%s)" % (_shown(source.host), by))
        return []
    with_keys = "" if source.nts_port is None else ", with NTS"
    if source.is_leased:
        address = None
        notes.append("ntp: anywhere, because a lease brings servers (%s)%s" % (by, with_keys))
    elif not source.host:
        notes.append("ntp: anywhere, because no server is configured and %s asks those compiled into it" % daemon)
    elif address is None:
        notes.append("ntp: anywhere, because of the name %s (%s)%s" % (_shown(source.host), by, with_keys))
    else:
        notes.append("ntp: %s (%s)%s" % (address, by, with_keys))
    servers = [Server(address, source.port or NTP_PORT, NTP_PROTOCOLS)]
    if source.nts_port is not None:
        exchange = canonical_address(source.nts_host) if source.nts_host else address
        servers.append(Server(exchange, source.nts_port, ("tcp",)))
    return servers


def _shown(host: str) -> str:
    """A name from a file, bounded and on one line, for people."""
    return "".join(char if char.isprintable() else "?" for char in host[:100])


_DAEMONS = (
    _Daemon(
        "chrony",
        ("chrony", "chronyd", "chronyd-restricted"),
        ("/run/chrony/chronyd.pid", "/run/chronyd.pid"),
        "",
        ("/usr/sbin/chronyd", "/etc/chrony/chrony.conf", "/etc/chrony.conf"),
        lambda tree, _network: read_chrony(tree),
    ),
    _Daemon(
        "systemd-timesyncd",
        ("systemd-timesyncd",),
        (),
        "/run/systemd/timesync",
        ("/usr/lib/systemd/systemd-timesyncd", "/lib/systemd/systemd-timesyncd", "/etc/systemd/timesyncd.conf"),
        read_timesyncd,
    ),
    _Daemon(
        "ntpd",
        ("ntpsec", "ntp", "ntpd"),
        ("/run/ntpd.pid",),
        "",
        ("/usr/sbin/ntpd", "/etc/ntpsec/ntp.conf", "/etc/ntp.conf"),
        lambda tree, _network: read_ntpd(tree),
    ),
    _Daemon(
        "openntpd",
        ("openntpd",),
        ("/run/openntpd.pid",),
        "",
        ("/usr/sbin/openntpd", "/etc/openntpd/ntpd.conf", "/etc/ntpd.conf"),
        lambda tree, _network: read_openntpd(tree),
    ),
)
