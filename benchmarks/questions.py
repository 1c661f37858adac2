# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer costs at 10,000 rules: which rule decides a packet, and whether what has to be so is so."""

from __future__ import annotations

import functools
import statistics
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.answer import answer
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.assertion_space import Subject
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.policy_tests import (
    Cause,
    Status,
    run_policy_tests,
)
from ansible_collections.palisade.nftables.plugins.module_utils._core.addresses import format_address
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program
from lab import classbench

from .figures import Figure, Outcome, Say, processor_time
from .sets import SEED, variables_of, why_not_measured

#: Packets that are explained of each set, drawn evenly over its rules.
_PACKETS = 20

_NETWORK = {"office": ["198.51.100.0/24", "2001:db8:1::/48"]}

#: Tests such as people write; those of other people's rules end one way or the other.
_TESTS: t.Sequence[t.Mapping[str, object]] = (
    {"from": {"outside": "office"}, "protocol": "tcp", "port": 22, "expect": "refused"},
    {"from": "office", "service": "ssh", "expect": "accept"},
    {"from": "office", "protocol": "tcp", "port": "1-65535", "quantifier": "any", "expect": "accept"},
    {"from": "anywhere", "protocol": "tcp", "port": [80, 443], "quantifier": "any", "expect": "accept"},
    {"from": "anywhere", "protocol": "udp", "port": "1024-65535", "expect": "refused"},
    {"from": "anywhere", "protocol": ["tcp", "udp"], "expect": "refused"},
    {"from": "self", "to": "anywhere", "protocol": "tcp", "port": 25, "expect": "accept"},
)

_COLUMNS = (
    "set",
    "a packet explained: median",
    "longest",
    "%d tests" % len(_TESTS),
    "of them ok",
    "undecided",
)


class Asked(t.NamedTuple):
    """One set: seconds of processor time of each explanation and of all tests, and how the tests ended."""

    name: str
    explained: t.List[float]
    tested: float
    passed: int
    undecided: int

    def row(self) -> str:
        """A row of the table."""
        return "| %s | %.0f ms | %.0f ms | %.2f s | %d | %d |" % (
            self.name,
            statistics.median(self.explained) * 1000,
            max(self.explained) * 1000,
            self.tested,
            self.passed,
            self.undecided,
        )


def measure(say: Say, names: t.Sequence[str] = ()) -> Outcome:
    """The sets of 10,000 rules, or those named."""
    absent = why_not_measured()
    if absent:
        return Outcome(absent, [])
    lines = ["| %s |" % " | ".join(_COLUMNS), "|%s" % ("---|" * len(_COLUMNS))]
    done = []
    for name in names or classbench.names("10k"):
        asked = _measure_set(name)
        say("  %s: explained in %.0f ms, tested in %.1f s" % (name, max(asked.explained) * 1000, asked.tested))
        done.append(asked)
        lines.append(asked.row())
    explained = [seconds for one in done for seconds in one.explained]
    figures = [
        Figure("explain a packet, 10,000 rules: median", statistics.median(explained) * 1000, "ms", form="%.0f"),
        Figure("explain a packet, 10,000 rules: longest", max(explained) * 1000, "ms", form="%.0f"),
        Figure("%d policy tests, 10,000 rules: slowest set" % len(_TESTS), max(one.tested for one in done), "s"),
        Figure("policy tests, 10,000 rules: undecided", sum(one.undecided for one in done), "", 0, "%.0f"),
    ]
    return Outcome(lines, figures)


def _measure_set(name: str) -> Asked:
    variables = {**variables_of(name), "firewall_networks": _NETWORK, "firewall_tests": list(_TESTS)}
    firewall = parse_firewall(variables)
    program = build_program(firewall)
    packets = [_packet(header) for header in classbench.headers(classbench.read(name), _PACKETS, SEED)]
    explained = [processor_time(functools.partial(answer, packet, program, variables))[0] for packet in packets]
    tested, outcomes = processor_time(lambda: run_policy_tests(firewall, Subject("host")))
    return Asked(
        name,
        explained,
        tested,
        sum(one.status is Status.OK for one in outcomes),
        sum(one.cause is Cause.UNDECIDED for one in outcomes),
    )


def _packet(header: classbench.Header) -> t.Dict[str, object]:
    """The packet as somebody asks about it."""
    found: t.Dict[str, object] = {
        "protocol": header.protocol,
        "from": format_address(4, header.source),
        "to": format_address(4, header.destination),
        "source_port": header.source_port,
        "port": header.destination_port,
    }
    return {key: value for key, value in found.items() if value is not None}
