# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One changed address in 10,000 rules: what a run sends to nft, and how long its calls take, beside a full load.

These are runs of the module's own code on a host that has nothing but its network and an empty root
folder. Every call of nft counts, those in the scratch namespace included, and so does what the run reads
from the kernel by itself.
"""

from __future__ import annotations

import copy
import pathlib
import statistics
import tempfile
import time
import typing as t
from unittest import mock

from ansible_collections.palisade.nftables.plugins.module_utils._host import apply, kernel, nft, options
from ansible_collections.palisade.nftables.plugins.module_utils._host.command import Finished, run_program
from ansible_collections.palisade.nftables.plugins.module_utils._host.holding import Holding, read_holding
from ansible_collections.palisade.nftables.plugins.module_utils._host.persistence import Mode
from lab.namespaces import Host, Lab

from .figures import BenchmarkError, Figure, Outcome, Say
from .load import run_nft
from .policies import policy_of
from .sets import variables_of, why_not_measured

_RULES = 10000
_SETS = ("acl1_10k", "fw1_10k", "ipc1_10k")

#: Where in a policy the changed rule stands.
_PLACES = (0.1, 0.9)
_NEW_ADDRESS = "192.0.2.77"
_IN_A_NETWORK = "an address of a network that many rules name"

_FULL_LOADS = 3

#: Shares of a full load.
_MOST_OCTETS = 0.01
_MOST_TIME = 0.2

_COLUMNS = (
    "changed",
    "sent to nft",
    "of a full load",
    "calls of nft",
    "they take",
    "of a full load",
    "reading the kernel",
    "full load: text",
    "it takes",
)

_Variables = t.Dict[str, t.Any]


class Recorded(t.NamedTuple):
    """What a run did: the texts that it sent to nft, and the seconds of all calls and of what else it read."""

    texts: t.List[str]
    nft_seconds: t.List[float]
    read_seconds: t.List[float]

    @property
    def octets(self) -> int:
        return sum(len(text.encode()) for text in self.texts)


class Case(t.NamedTuple):
    """Rules of one origin, and changes that are made one after another.

    Attributes:
        changes: What is changed, and the variables after it.
    """

    title: str
    before: _Variables
    changes: t.Sequence[t.Tuple[str, _Variables]]


class Changed(t.NamedTuple):
    """One change beside the full load."""

    title: str
    run: Recorded
    load_seconds: float
    load_octets: int

    @property
    def octets(self) -> float:
        """As a share of the full load."""
        return self.run.octets / self.load_octets

    @property
    def nft(self) -> float:
        """Seconds of the calls of nft, as a share of the full load."""
        return sum(self.run.nft_seconds) / self.load_seconds

    def row(self) -> str:
        """A row of the table."""
        return "| %s | %.1f kB | %.2f %% | %d | %.0f ms | %.1f %% | %.0f ms | %.0f kB | %.0f ms |" % (
            self.title,
            self.run.octets / 1000,
            self.octets * 100,
            len(self.run.nft_seconds),
            sum(self.run.nft_seconds) * 1000,
            self.nft * 100,
            sum(self.run.read_seconds) * 1000,
            self.load_octets / 1000,
            self.load_seconds * 1000,
        )


def measure(say: Say) -> Outcome:
    """Every case.

    Raises:
        BenchmarkError: A run did not change what it should.
    """
    lines = [
        "| %s |" % " | ".join(_COLUMNS),
        "|%s" % ("---|" * len(_COLUMNS)),
    ]
    done = []
    for case in _cases():
        for changed in _measure_case(case):
            say(
                "  %s: %.2f %% of the octets, %.1f %% of the time"
                % (changed.title, changed.octets * 100, changed.nft * 100)
            )
            done.append(changed)
            lines.append(changed.row())
    absent = why_not_measured()
    if absent:
        lines += ["", *absent]
    title = "one changed address in 10,000 rules, against a full load"
    times = [one.nft for one in done]
    read = statistics.median((sum(one.run.nft_seconds) + sum(one.run.read_seconds)) / one.load_seconds for one in done)
    figures = [
        *(
            Figure("%s: %s, sent, the most" % (title, named), max(shares) * 100, "%", _MOST_OCTETS * 100)
            for named, shares in (
                ("of a rule", [one.octets for one in done if _IN_A_NETWORK not in one.title]),
                ("of a network that 35 rules name", [one.octets for one in done if _IN_A_NETWORK in one.title]),
            )
        ),
        Figure(title + ": time of the calls of nft, median", statistics.median(times) * 100, "%", _MOST_TIME * 100),
        Figure(title + ": the longest", max(times) * 100, "%"),
        Figure(title + ": with what the run reads of the kernel itself, median", read * 100, "%"),
    ]
    return Outcome(lines, figures)


def _cases() -> t.Iterator[Case]:
    variables = policy_of(_RULES)
    rule = _with_address(variables)
    network = copy.deepcopy(rule)
    t.cast("_Variables", network["firewall_networks"])["office3"][2] = _NEW_ADDRESS
    changes = [("an address of a rule", rule), (_IN_A_NETWORK, network)]
    yield Case("%d rules" % _RULES, variables, changes)
    for name in () if why_not_measured() else _SETS:
        before = variables_of(name)
        changes = []
        for place in _PLACES:
            last = changes[-1][1] if changes else before
            changes.append(("an address of a rule, at %.0f %%" % (place * 100), _with_address(last, place)))
        yield Case(name, before, changes)


def _with_address(variables: _Variables, place: float = 0.5) -> _Variables:
    """The variables, but for the source of the first rule behind some place that has one."""
    found = copy.deepcopy(variables)
    rules = [rule for policy in found["firewall_policies"].values() for rule in policy["rules"]]
    for rule in rules[int(len(rules) * place) :]:
        if rule["direction"] == "ingress" and "." in str(rule.get("sources", [""])[0]):
            rule["sources"] = [_NEW_ADDRESS, *rule["sources"][1:]]
            return found
    raise BenchmarkError("no rule has a source")


def _measure_case(case: Case) -> t.Iterator[Changed]:
    with Lab() as lab, tempfile.TemporaryDirectory(prefix="palisade-change-") as root:
        for folder in ("etc", "run"):
            (pathlib.Path(root) / folder).mkdir()
        host, *fresh = lab.hosts_named(["host", *("fresh%d" % number for number in range(_FULL_LOADS))], {})
        first = _run(host, root, case.before)
        text = max(first.texts, key=len)
        load_seconds = statistics.median(one.call(run_nft, text) for one in fresh)
        for title, variables in case.changes:
            run = _run(host, root, variables)
            yield Changed("%s: %s" % (case.title, title), run, load_seconds, len(text.encode()))


def _run(host: Host, root: str, variables: _Variables) -> Recorded:
    """One run of the module's code on a host.

    Raises:
        BenchmarkError: It changed nothing.
    """
    found = Recorded([], [], [])

    def recorded(arguments: t.Sequence[str], *, text: str = "", seconds: float) -> Finished:
        started = time.perf_counter()
        done = run_program(arguments, text=text, seconds=seconds)
        found.nft_seconds.append(time.perf_counter() - started)
        found.texts.append(text)
        return done

    def timed_reading() -> Holding:
        started = time.perf_counter()
        holding = read_holding()
        found.read_seconds.append(time.perf_counter() - started)
        return holding

    asked = options.Options(variables=variables, persist=Mode.FALSE, diff=False)
    with mock.patch.object(nft, "run_program", recorded), mock.patch.object(kernel, "read_holding", timed_reading):
        result = host.call(apply.run, asked, options.Host(root))
    if not result["changed"] or not found.texts:
        raise BenchmarkError("a run that should change something did not")
    return found
