# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What this host reaches: its resolvers, its time servers, a default route, and what it must reach.

Asked before a change and after it: what answered before and does not any more, the change broke.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import typing as t

from .._policy.hostfacts import DNS_PORT, HostFacts, Server
from ._discovery.routes import interface_of
from ._discovery.tree import Tree
from .udp_questions import DNS_HEADER_OCTETS, NTP_OCTETS, dns_question, ntp_question

#: Where the addresses of resolvers stand that are in use now (resolv.conf(5), systemd-resolved.service(8)).
_RESOLV_CONF = ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf")
#: As many as the resolver of the C library uses.
_MOST_RESOLVERS = 3
_MOST_TIME_SERVERS = 4
_UDP_ATTEMPTS = 2
_UDP_SECONDS = 1.5
_TCP_SECONDS = 3.0
#: Addresses of no host: a route to them is a default route, or as good as one (RFC 5737, RFC 3849).
_ELSEWHERE = {"IPv4": "192.0.2.1", "IPv6": "2001:db8::1"}

Target = t.Tuple[str, int]
Check = t.Callable[[], bool]


def checks(facts: HostFacts, must_reach: t.Sequence[Target], root: str = "/") -> t.Dict[str, Check]:
    """What is to be asked, each by a description for people.

    Args:
        must_reach: Hosts, by name or address, and TCP ports.
    """
    found: t.Dict[str, Check] = {}
    for address in _resolvers(facts, Tree(root)):
        found["the resolver %s" % address] = _asker(_dns_answers, address, DNS_PORT)
    for server in _addressed(facts.ntp_servers)[:_MOST_TIME_SERVERS]:
        found["the time server %s" % server.address] = _asker(_ntp_answers, str(server.address), server.port)
    for family, address in _ELSEWHERE.items():
        found["a default route (%s)" % family] = _router(address)
    for host, port in must_reach:
        found["%s port %d (firewall_must_reach)" % (host, port)] = _asker(_connects, host, port)
    return found


def ask(asked: t.Mapping[str, Check]) -> t.Dict[str, bool]:
    """Asks all at once; what answered."""
    answers: t.Dict[str, bool] = {}

    def run(name: str, check: Check) -> None:
        try:
            answers[name] = check()
        except OSError:
            answers[name] = False

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in asked.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        # Resolving a name of firewall_must_reach has a time of its own, which the resolver's options bound.
        thread.join(4 * _TCP_SECONDS)
    return {name: answers.get(name, False) for name in asked}


def _asker(question: t.Callable[[str, int], bool], host: str, port: int) -> Check:
    return lambda: question(host, port)


def _router(address: str) -> Check:
    # The network of this thread, which need not be that of the process.
    return lambda: interface_of(Tree(), address, "/proc/thread-self") is not None


def _addressed(servers: t.Iterable[Server]) -> t.List[Server]:
    return [server for server in servers if server.address is not None]


def _resolvers(facts: HostFacts, tree: Tree) -> t.List[str]:
    """Addresses of resolvers elsewhere; one on this host answers from memory, and proves nothing."""
    found = [str(server.address) for server in _addressed(facts.dns_servers) if server.port == DNS_PORT]
    for path in _RESOLV_CONF:
        for line in tree.lines(path):
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                found.append(words[1])
    return list(dict.fromkeys(address for address in found if _is_elsewhere(address)))[:_MOST_RESOLVERS]


def _is_elsewhere(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def _dns_answers(address: str, port: int) -> bool:
    """Whether a resolver answers, whatever it answers."""
    question = dns_question()
    return _udp_answers(
        address, port, question, lambda answer: answer[:2] == question[:2] and len(answer) >= DNS_HEADER_OCTETS
    )


def _ntp_answers(address: str, port: int) -> bool:
    """Whether a time server answers a client's request."""
    return _udp_answers(address, port, ntp_question(), lambda answer: len(answer) >= NTP_OCTETS)


def _udp_answers(address: str, port: int, request: bytes, is_answer: t.Callable[[bytes], bool]) -> bool:
    for family, _kind, _protocol, _name, target in socket.getaddrinfo(
        address, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
    ):
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(_UDP_SECONDS)
            # Connected, so that nobody else answers.
            client.connect(target)
            for _attempt in range(_UDP_ATTEMPTS):
                try:
                    client.send(request)
                    if is_answer(client.recv(4096)):
                        return True
                except OSError:
                    continue
    return False


def _connects(host: str, port: int) -> bool:
    with socket.create_connection((host, port), timeout=_TCP_SECONDS):
        return True
