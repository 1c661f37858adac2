# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What this host reaches: its resolvers, its time servers, a default route, and what it must reach.

Asked before a change and after it: what answered before and does not any more, the change broke. So each is asked as
the host itself asks it: at the port and over the protocol that it uses.
"""

from __future__ import annotations

import contextlib
import ipaddress
import selectors
import socket
import threading
import time
import typing as t

from .._policy.hostfacts import DNS_PORT, DNS_PROTOCOLS, NTP_PORT, HostFacts, Server
from ._discovery.leases import read_network
from ._discovery.routes import interface_of
from ._discovery.systemd import Services
from ._discovery.time_servers import time_server_hosts
from ._discovery.tree import Tree
from .time_in_use import server_in_use
from .udp_questions import (
    NTP_OCTETS,
    dns_question,
    is_dns_answer,
    is_found_out,
    new_dns_question,
    ntp_question,
)

#: Where the addresses of resolvers stand that are in use now (resolv.conf(5), systemd-resolved.service(8)).
_UPLINKS, _RESOLV_CONF = "/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"
#: As many as the resolver of the C library uses.
_MOST_RESOLVERS = 3
_MOST_TIME_SERVERS = 4
#: Of one name: one that answers is enough, as it is for the daemon.
_MOST_ADDRESSES = 4
_UDP_ATTEMPTS = 2
_UDP_SECONDS = 1.5
_TCP_SECONDS = 3.0
#: For everything. Looking up a name has a time of its own, which the options of the C library's resolver bound.
_SECONDS = 12.0
_DATAGRAMS = socket.SOCK_DGRAM
#: Addresses of no host: a route to them is a default route, or as good as one (RFC 5737, RFC 3849).
_ELSEWHERE = {"IPv4": "192.0.2.1", "IPv6": "2001:db8::1"}

#: Ends the description of what an operator has named.
NAMED = "(firewall_must_reach)"

Target = t.Tuple[str, int]
Check = t.Callable[[], bool]
_IsAnswer = t.Callable[[bytes, bytes], bool]


def checks(
    facts: HostFacts, must_reach: t.Sequence[Target], root: str = "/", search_path: t.Optional[str] = None
) -> t.Dict[str, Check]:
    """What is to be asked, each by a description for people.

    Args:
        must_reach: Hosts, by name or address, and TCP ports.
        search_path: Where programs are looked for; None: in PATH.
    """
    tree = Tree(root)
    found: t.Dict[str, Check] = {}
    resolvers = _resolvers(facts, tree)
    for server in resolvers:
        found["the resolver %s" % _named(server, DNS_PORT)] = _asker(server, dns_question, is_dns_answer)
    if not resolvers:
        for address in _resolvers_here(tree):
            server = Server(address, DNS_PORT, DNS_PROTOCOLS)
            # It answers much from memory, which proves nothing.
            found["the resolver %s on this host" % address] = _asker(server, new_dns_question, is_found_out)
    for server in _time_servers(facts, tree, search_path):
        found["the time server %s" % _named(server, NTP_PORT)] = _asker(server, ntp_question, _is_time)
    for family, address in _ELSEWHERE.items():
        found["a default route (%s)" % family] = _router(address)
    for host, port in must_reach:
        found["%s port %d %s" % (host, port, NAMED)] = _connector(host, port)
    return found


def ask(asked: t.Mapping[str, Check]) -> t.Dict[str, bool]:
    """Asks all at once; what answered."""
    answers: t.Dict[str, bool] = {}

    def run(name: str, check: Check) -> None:
        try:
            answers[name] = check()
        except (OSError, UnicodeError):
            # Some names cannot be written as the resolver wants them.
            answers[name] = False

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in asked.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + _SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return {name: answers.get(name, False) for name in asked}


def _named(server: Server, usual_port: int) -> str:
    return str(server.address) if server.port == usual_port else "%s port %d" % (server.address, server.port)


def _asker(server: Server, question: t.Callable[[], bytes], is_answer: _IsAnswer) -> Check:
    host, port = str(server.address), server.port
    if "udp" not in server.protocols:
        # DNS over TLS, and the exchange of keys of NTS.
        return _connector(host, port)
    return lambda: _udp_answers(host, port, question(), is_answer)


def _connector(host: str, port: int) -> Check:
    return lambda: _connects(host, port)


def _router(address: str) -> Check:
    # The network of this thread, which need not be that of the process.
    return lambda: interface_of(Tree(), address, "/proc/thread-self") is not None


def _resolvers(facts: HostFacts, tree: Tree) -> t.List[Server]:
    """Resolvers elsewhere, by address: those that were found, and those in use where a lease brings them."""
    leased = [server for server in facts.dns_servers if server.address is None]
    if not facts.dns_servers:
        leased = [Server(None, DNS_PORT, DNS_PROTOCOLS)]
    found = [server for server in facts.dns_servers if server.address is not None]
    for path in (_UPLINKS, _RESOLV_CONF):
        for address in filter(_is_elsewhere, _nameservers(tree, path)):
            found.extend(Server(address, server.port, server.protocols) for server in leased)
    return list(dict.fromkeys(server for server in found if _is_elsewhere(str(server.address))))[:_MOST_RESOLVERS]


def _resolvers_here(tree: Tree) -> t.List[str]:
    """Those on this host that programs are told to ask."""
    found = [address for address in _nameservers(tree, _RESOLV_CONF) if not _is_elsewhere(address)]
    return list(dict.fromkeys(found))[:_MOST_RESOLVERS]


def _nameservers(tree: Tree, path: str) -> t.Iterator[str]:
    for line in tree.lines(path):
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and _address(words[1]) is not None:
            yield words[1]


def _address(text: str) -> t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address, None]:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _is_elsewhere(text: str) -> bool:
    address = _address(text)
    return address is not None and not (address.is_loopback or address.is_unspecified)


def _time_servers(facts: HostFacts, tree: Tree, search_path: t.Optional[str]) -> t.List[Server]:
    """Time servers by address, and those that are named or leased, which the facts have as anywhere.

    Where no file names one, it is the one that is asked at present.
    """
    found = [server for server in facts.ntp_servers if server.address is not None]
    anywhere = [server for server in facts.ntp_servers if server.address is None]
    if anywhere:
        services = Services(tree)
        hosts = time_server_hosts(tree, services, read_network(tree, services))
        in_use = None if hosts else server_in_use(tree, search_path)
        for host in hosts if in_use is None else (in_use,):
            # The exchange of keys may be with another one.
            found.extend(Server(host, one.port, one.protocols) for one in anywhere if "udp" in one.protocols)
    return found[:_MOST_TIME_SERVERS]


def _is_time(_question: bytes, answer: bytes) -> bool:
    return len(answer) >= NTP_OCTETS


def _udp_answers(host: str, port: int, question: bytes, is_answer: _IsAnswer) -> bool:
    """Whether one of the addresses of a host answers."""
    addresses = dict.fromkeys(
        (family, target) for family, _kind, _protocol, _name, target in socket.getaddrinfo(host, port, type=_DATAGRAMS)
    )
    with selectors.DefaultSelector() as selector:
        try:
            for family, target in list(addresses)[:_MOST_ADDRESSES]:
                client = socket.socket(family, _DATAGRAMS)
                selector.register(client, selectors.EVENT_READ)
                client.setblocking(False)
                try:
                    # Connected, so that nobody else answers.
                    client.connect(target)
                except OSError:
                    # There is no route for this family.
                    selector.unregister(client)
                    client.close()
            return any(_one_answers(selector, question, is_answer) for _attempt in range(_UDP_ATTEMPTS))
        finally:
            for key in list(selector.get_map().values()):
                t.cast("socket.socket", key.fileobj).close()


def _one_answers(selector: selectors.BaseSelector, question: bytes, is_answer: _IsAnswer) -> bool:
    """Asks through all sockets, and waits for the first answer."""
    for key in selector.get_map().values():
        with contextlib.suppress(OSError):
            t.cast("socket.socket", key.fileobj).send(question)
    end = time.monotonic() + _UDP_SECONDS
    while selector.get_map():
        ready = selector.select(max(0.0, end - time.monotonic()))
        if not ready:
            return False
        for key, _events in ready:
            try:
                answer = t.cast("socket.socket", key.fileobj).recv(4096)
            except OSError:
                # Refused, for now.
                continue
            if is_answer(question, answer):
                return True
    return False


def _connects(host: str, port: int) -> bool:
    with socket.create_connection((host, port), timeout=_TCP_SECONDS):
        return True
