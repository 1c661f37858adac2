# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Large policies with nasty overlaps: the rule sets of ClassBench, and packet headers on their edges.

ClassBench (Taylor and Turner, 2007) makes rule sets that resemble those of real access lists (``acl``),
firewalls (``fw``) and chains of address translation (``ipc``). The 24 sets here, of about 1,000 and about
10,000 rules, are looked for in ``../shared/data/classbench`` beside the checkout, or where the environment
variable ``PALISADE_CLASSBENCH`` says. They are no part of the project: who uses them asks
:func:`why_absent` first, and leaves out what needs them.

A rule is one line::

    @SOURCE/LENGTH <TAB> DESTINATION/LENGTH <TAB> LOW : HIGH <TAB> LOW : HIGH <TAB> PROTOCOL/MASK <TAB> FLAGS/MASK

with source ports before destination ports; the mask 0x00 means any protocol. The flags are left out, so a
few rules of a set are equal. The sets carry no verdicts: those come from a seed.

The addresses are values in headers, handed to a network namespace that has no way out.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import pathlib
import random
import re
import typing as t

from .packets import ICMP, PORT_PROTOCOLS, TCP, UDP, LabPacket

_ENVIRONMENT = "PALISADE_CLASSBENCH"
_BESIDE = pathlib.Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "classbench"

_FAMILIES = (
    *("acl%d" % number for number in range(1, 6)),
    *("fw%d" % number for number in range(1, 6)),
    *("ipc%d" % number for number in range(1, 3)),
)
_SIZES = ("1k", "10k")

Interval = t.Tuple[int, int]

_EVERY_ADDRESS: Interval = (0, 0xFFFFFFFF)
_EVERY_PORT: Interval = (0, 0xFFFF)

_PREFIX = r"([0-9.]+)/([0-9]+)\s+"
_PORTS = r"([0-9]+) : ([0-9]+)\s+"
_LINE = re.compile("@" + 2 * _PREFIX + 2 * _PORTS + r"0x([0-9A-Fa-f]{2})/0x(00|FF)\s")

#: What a rule about any protocol is asked about, and one about any protocol with ports.
_SOME_PROTOCOLS = (TCP, UDP, ICMP, 47, 89)
_TCP_AND_UDP = (TCP, UDP)

_WORDS = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}
_ECHO_REQUEST = 8

#: How long headers that will do are looked for.
_MOST_RULES_A_HEADER = 100
_MOST_HEADERS_A_RULE = 20


class Rule(t.NamedTuple):
    """One line of a set, as the product of what each field may be.

    Attributes:
        protocol: None is any; with ports, that is TCP and UDP.
    """

    sources: Interval
    destinations: Interval
    source_ports: Interval
    destination_ports: Interval
    protocol: t.Optional[int]

    @property
    def has_ports(self) -> bool:
        """Whether ports are a condition; protocols without ports have them in some sets, where they mean nothing."""
        if self.protocol is not None and self.protocol not in PORT_PROTOCOLS:
            return False
        return self.source_ports != _EVERY_PORT or self.destination_ports != _EVERY_PORT

    @property
    def protocols(self) -> t.Tuple[int, ...]:
        """What a packet for this rule may be."""
        if self.protocol is not None:
            return (self.protocol,)
        return _TCP_AND_UDP if self.has_ports else _SOME_PROTOCOLS


class Header(t.NamedTuple):
    """What a set can tell apart of an IPv4 packet; ports are None where the protocol has none."""

    source: int
    destination: int
    source_port: t.Optional[int]
    destination_port: t.Optional[int]
    protocol: int

    def lab_packet(self, interface: str = "eth0") -> LabPacket:
        """The first packet of a flow that arrives with this header; ICMP is an echo request."""
        return LabPacket(
            direction="ingress",
            interface=interface,
            family=4,
            protocol=self.protocol,
            source=self.source,
            destination=self.destination,
            source_port=self.source_port or 0,
            destination_port=self.destination_port or 0,
            icmp_type=_ECHO_REQUEST if self.protocol == ICMP else 0,
            tcp_flags=frozenset({"syn"}) if self.protocol == TCP else frozenset(),
        )


def folder() -> pathlib.Path:
    """Where the sets are looked for."""
    return pathlib.Path(os.environ.get(_ENVIRONMENT) or _BESIDE)


def why_absent() -> t.Optional[str]:
    """Why the sets cannot be read, None where all of them are there."""
    missing = [name for name in names() if not (folder() / name).is_file()]
    if not missing:
        return None
    place = "where %s says" % _ENVIRONMENT if _ENVIRONMENT in os.environ else "in ../shared/data/classbench"
    return "%d of %d ClassBench sets are not %s: %s" % (len(missing), len(names()), place, ", ".join(missing[:3]))


def names(size: t.Optional[str] = None) -> t.List[str]:
    """The names of the sets, whether there or not; of one size where ``1k`` or ``10k`` is given."""
    sizes = _SIZES if size is None else (size,)
    return ["%s_%s" % (family, one) for one in sizes for family in _FAMILIES]


@functools.lru_cache(maxsize=2)
def read(name: str) -> t.Tuple[Rule, ...]:
    """The rules of a set, in order.

    Raises:
        OSError: There is no such set.
        ValueError: A line is no rule.
    """
    text = (folder() / name).read_text(encoding="ascii")
    return tuple(_rule(line, name, number) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _rule(line: str, name: str, number: int) -> Rule:
    found = _LINE.match(line)
    if found is None:
        raise ValueError("%s, line %d is no rule of ClassBench: %r" % (name, number, line))
    source, source_length, destination, destination_length, *ports, protocol, mask = found.groups()
    return Rule(
        _prefix(source, source_length),
        _prefix(destination, destination_length),
        (int(ports[0]), int(ports[1])),
        (int(ports[2]), int(ports[3])),
        int(protocol, 16) if mask != "00" else None,
    )


def _prefix(address: str, length: str) -> Interval:
    """From the first to the last address; some prefixes of the sets have host bits, which mean nothing."""
    network = ipaddress.IPv4Network("%s/%s" % (address, length), strict=False)
    return int(network.network_address), int(network.broadcast_address)


def variables(name: str, drops: float = 0.5, seed: int = 1) -> t.Dict[str, t.Any]:
    """Role variables of a host whose ruleset is the set and little else: one policy, ``bench``, a rule for each line.

    Args:
        drops: The share of rules that drop; the others accept. The default action drops.
        seed: Chooses them. The same set, share and seed give the same verdicts.
    """
    return policy(read(name), drops=drops, seed=seed)


def policy(rules: t.Iterable[Rule], drops: float = 0.5, seed: int = 1) -> t.Dict[str, t.Any]:
    """As :func:`variables`, for some of the rules or for rules of the caller's own."""
    rng = random.Random(seed)
    written = [_written(rule, "drop" if rng.random() < drops else "accept") for rule in rules]
    return {
        "firewall_policies": {"bench": {"rules": written}},
        "firewall_assigned": ["bench"],
        "firewall_default_ingress": "drop",
        "firewall_default_policies": [],
        "firewall_safeguards": {"dns": False, "ntp": False, "dhcp": False, "ssh": False},
    }


def _written(rule: Rule, action: str) -> t.Dict[str, t.Any]:
    """The rule as an operator writes it: what is any is left out."""
    found: t.Dict[str, t.Any] = {"direction": "ingress", "action": action}
    if rule.protocol is not None:
        found["protocol"] = _WORDS.get(rule.protocol, rule.protocol)
    elif rule.has_ports:
        found["protocol"] = [_WORDS[protocol] for protocol in _TCP_AND_UDP]
    for side, addresses in (("sources", rule.sources), ("destinations", rule.destinations)):
        if addresses != _EVERY_ADDRESS:
            found[side] = [_written_prefix(addresses)]
    if rule.has_ports:
        for side, ports in (("source_ports", rule.source_ports), ("destination_ports", rule.destination_ports)):
            if ports != _EVERY_PORT:
                found[side] = [ports[0] if ports[0] == ports[1] else "%d-%d" % ports]
    return found


def _written_prefix(addresses: Interval) -> str:
    low, high = addresses
    length = 32 - (high - low).bit_length()
    return "%s/%d" % (ipaddress.IPv4Address(low), length) if length < 32 else str(ipaddress.IPv4Address(low))


def headers(
    rules: t.Sequence[Rule],
    count: int,
    seed: int,
    *,
    where: t.Optional[t.Callable[[Header], bool]] = None,
) -> t.List[Header]:
    """Headers drawn evenly over the rules: corners and insides of a rule's box, now and then a step outside.

    Args:
        seed: The same rules, count and seed give the same headers.
        where: Which headers will do. Without it, all of them; a host never sees some, such as those
            from multicast addresses.

    Raises:
        ValueError: Hardly a header will do.
    """
    rng = random.Random(seed)
    made: t.List[Header] = []
    for _attempt in range(_MOST_RULES_A_HEADER * count):
        if len(made) == count:
            return made
        rule = rng.choice(rules)
        # Much of a wide rule may do though its corners do not.
        for _attempt_at_rule in range(_MOST_HEADERS_A_RULE):
            header = _header(rng, rule)
            if where is None or where(header):
                made.append(header)
                break
    if len(made) == count:
        return made
    raise ValueError("only %d of %d headers will do" % (len(made), count))


def _header(rng: random.Random, rule: Rule) -> Header:
    protocol = rng.choice(rule.protocols)
    with_ports = protocol in PORT_PROTOCOLS
    return Header(
        _value(rng, rule.sources, _EVERY_ADDRESS[1]),
        _value(rng, rule.destinations, _EVERY_ADDRESS[1]),
        _value(rng, rule.source_ports, _EVERY_PORT[1]) if with_ports else None,
        _value(rng, rule.destination_ports, _EVERY_PORT[1]) if with_ports else None,
        protocol,
    )


def _value(rng: random.Random, interval: Interval, largest: int) -> int:
    """A bound or a value between; one time in 40 the value just outside."""
    low, high = interval
    roll = rng.randrange(40)
    if roll == 0:
        return low - 1 if low > 0 and rng.random() < 0.5 else min(high + 1, largest)
    if roll < 10:
        return low
    if roll < 20:
        return high
    return rng.randint(low, high)
