# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random policies and packets through evaluator and kernel: they must agree on every verdict.

As a command it goes on with fresh seeds for as long as it is told::

    python -m tests.properties.agreement --seconds 600
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from tests.packets.kernel import expected_on_the_wire, verdicts_of
from tests.packets.wording import program_of, text_of

from .generate import PacketGenerator, PolicyGenerator

if t.TYPE_CHECKING:
    from lab.verdicts import VerdictLab

INTERFACES = ("eth0", "eth1", "docker0", "br-lan")

#: Enough that the tail of a policy of some hundred rules is reached, few enough for one batch.
PACKETS = 2500


@dataclass
class Agreement:
    """What was compared.

    Attributes:
        verdicts: How many packets got a verdict from both.
        stages: How many of them were decided in each stage.
        differences: A line for each packet on which they differ.
    """

    verdicts: int = 0
    stages: t.Counter[str] = field(default_factory=collections.Counter)
    differences: t.List[str] = field(default_factory=list)

    def __str__(self) -> str:
        stages = ", ".join("%s %d" % one for one in sorted(self.stages.items()))
        return "%d verdicts of evaluator and kernel compared, %d differ (%s)" % (
            self.verdicts,
            len(self.differences),
            stages,
        )


def compare(lab: VerdictLab, seed: int, agreement: Agreement, *, rules: int = 300, packets: int = PACKETS) -> None:
    """One random policy of ``rules`` rules, ``packets`` packets on its edges."""
    program = program_of(PolicyGenerator(seed).variables(rules))
    lab.load(text_of(program))
    made = PacketGenerator(program, seed).packets(packets)
    for packet, kernel in zip(made, verdicts_of(lab, made)):
        decision = evaluate(program, packet)
        agreement.verdicts += 1
        agreement.stages["%s %s" % (decision.stage.value, decision.action.value)] += 1
        if expected_on_the_wire(decision.action.value, packet) != kernel:
            agreement.differences.append(
                "seed %d: %s: evaluator %s (%s, %s), kernel %s"
                % (seed, packet, decision.action.value, decision.stage.value, decision.origin, kernel)
            )


def main(arguments: t.Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Compare evaluator and kernel on random policies.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on (default 60)")
    parser.add_argument("--seed", type=int, default=None, help="first seed (default: a fresh one)")
    parser.add_argument("--rules", type=int, default=300, help="rules of each policy (default 300)")
    options = parser.parse_args(arguments)
    from lab.reexec import ensure_privileges
    from lab.verdicts import VerdictLab

    ensure_privileges()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    print("first seed %d" % seed, flush=True)
    agreement = Agreement()
    started = shown = time.monotonic()
    with VerdictLab(interfaces=list(INTERFACES)) as lab:
        while time.monotonic() - started < options.seconds and not agreement.differences:
            compare(lab, seed, agreement, rules=options.rules)
            seed += 1
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print("%d s: %s" % (shown - started, agreement), flush=True)
    print(agreement)
    for line in agreement.differences[:20]:
        print(line)
    return 1 if agreement.differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
