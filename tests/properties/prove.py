# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ClassBench sets, compiled: evaluator, model of the table and kernel agree on every packet and every count.

As a command it takes all 24 sets, half of the rules dropping and then one in ten::

    python -m tests.properties.prove
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import queue
import sys
import time
import traceback
import typing as t
from dataclasses import dataclass

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction, Layout
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program
from lab import classbench
from lab.packets import why_impossible
from tests.packets.wording import program_of

from .compiled import Compared, compare_kernel, compare_model
from .table_checks import Size, check_table
from .table_model import TableModel
from .truth import Truth

if t.TYPE_CHECKING:
    from lab.verdicts import VerdictLab

    # Takes work until there is none.
    Queue = multiprocessing.Queue[t.Any]

#: Headers of each set and share of drops.
HEADERS_FOR_THE_MODEL = 20_000
HEADERS_FOR_THE_KERNEL = 4_000

#: Of these, the whole program is evaluated as well, to see that narrowing it down changes nothing.
_WITHOUT_NARROWING = 100

DROPS = (0.5, 0.1)
SEED = 1

#: Rules and elements of what is compiled, for each rule of the set.
BUDGET = 6

_INTERFACE = "eth0"
_ECHO_REQUEST = 8


class Task(t.NamedTuple):
    """One set with its verdicts, and how many headers it is asked about."""

    name: str
    drops: float
    layout: Layout = Layout.AUTO
    counters: bool = True
    for_model: int = HEADERS_FOR_THE_MODEL
    for_kernel: int = HEADERS_FOR_THE_KERNEL

    def __str__(self) -> str:
        return "%s, %d %% drop" % (self.name, round(100 * self.drops))


@dataclass
class Proof:
    """What was found about one set.

    Attributes:
        rules: Of the set.
    """

    rules: int
    size: Size
    model: Compared
    kernel: Compared
    seconds: float = 0.0

    @property
    def differences(self) -> t.List[str]:
        return self.model.differences + self.kernel.differences


def packet_of(header: classbench.Header) -> Packet:
    """The first packet of a flow that arrives with the header."""
    return Packet(
        direction=Direction.INGRESS,
        family=4,
        protocol=header.protocol,
        source=header.source,
        destination=header.destination,
        interface=_INTERFACE,
        source_port=header.source_port,
        destination_port=header.destination_port,
        icmp_type=_ECHO_REQUEST if header.protocol == 1 else None,
    )


def _can_arrive(header: classbench.Header) -> bool:
    return why_impossible(header.lab_packet(_INTERFACE)) is None


def prove(task: Task, lab: t.Optional[VerdictLab]) -> Proof:
    """Compiles one set and compares.

    Args:
        lab: None leaves the kernel out.

    Raises:
        AssertionError: The table breaks a limit that holds by construction.
    """
    started = time.monotonic()
    rules = classbench.read(task.name)
    program = program_of(classbench.variables(task.name, drops=task.drops, seed=SEED))
    table = compile_program(program, layout=task.layout, counters=task.counters)
    truth = Truth(program)
    proof = Proof(len(rules), _checked(table, len(rules)), Compared(), Compared())
    packets = [packet_of(header) for header in classbench.headers(rules, task.for_model, SEED)]
    _check_narrowing(program, truth, packets[:_WITHOUT_NARROWING])
    proof.model = compare_model(truth, TableModel(table), packets, SEED, counters=task.counters)
    if lab is not None and task.for_kernel:
        arriving = classbench.headers(rules, task.for_kernel, SEED + 1, where=_can_arrive)
        packets = [packet_of(header) for header in arriving]
        proof.kernel = compare_kernel(lab, table, truth, packets, counters=task.counters)
    proof.seconds = time.monotonic() - started
    return proof


def _checked(table: Table, rules: int) -> Size:
    size = check_table(table)
    assert size.total <= BUDGET * rules, "%d rules and elements for %d rules" % (size.total, rules)
    return size


def _check_narrowing(program: Program, truth: Truth, packets: t.Sequence[Packet]) -> None:
    for packet in packets:
        assert truth.decide(packet) == evaluate(program, packet), packet


_COLUMNS = "%-19s %6s %7s %9s %6s %6s %5s %8s %9s %8s %7s %7s %7s %7s"


def heading() -> str:
    return _COLUMNS % (
        "set",
        "rules",
        "nft",
        "elements",
        "x",
        "maps",
        "deep",
        "walk",
        "rules/pkt",
        "maps/pkt",
        "worst",
        "model",
        "kernel",
        "differ",
    )


def row(task: Task, proof: Proof) -> str:
    """One line of the closing table."""
    size, model = proof.size, proof.model
    return _COLUMNS % (
        task,
        proof.rules,
        size.rules,
        size.elements,
        "%.2f" % (size.total / proof.rules),
        size.maps,
        size.depth,
        size.walk,
        "%.1f" % (model.rules / model.packets),
        "%.2f" % (model.lookups / model.packets),
        model.worst,
        model.packets,
        proof.kernel.packets,
        len(proof.differences),
    )


def _work(number: int, tasks: Queue, results: Queue, *, kernel: bool) -> None:
    """A process that takes tasks until there are none."""
    from lab.verdicts import VerdictLab

    # Each on a processor of its own: the lab sends from the first that it is allowed.
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[number % len(processors)]})
    lab = VerdictLab(interfaces=[_INTERFACE]) if kernel else None
    try:
        while True:
            task = tasks.get()
            if task is None:
                return
            try:
                results.put((task, prove(task, lab), ""))
            # Whatever it is, it belongs in the table, and the other sets go on.
            except Exception:  # noqa: BLE001
                results.put((task, None, traceback.format_exc(limit=-3)))
    finally:
        if lab is not None:
            lab.close()


def _run(tasks: t.Sequence[Task], *, processes: int, kernel: bool) -> t.Iterator[t.Tuple[Task, Proof, str]]:
    waiting: Queue = multiprocessing.Queue()
    results: Queue = multiprocessing.Queue()
    for task in tasks:
        waiting.put(task)
    workers = []
    for number in range(processes):
        waiting.put(None)
        worker = multiprocessing.Process(target=_work, args=(number, waiting, results), kwargs={"kernel": kernel})
        worker.start()
        workers.append(worker)
    try:
        for _task in tasks:
            yield _next(results, workers)
    finally:
        for worker in workers:
            worker.join(30)
            if worker.is_alive():
                worker.terminate()


def _next(results: Queue, workers: t.Sequence[multiprocessing.Process]) -> t.Tuple[Task, Proof, str]:
    while True:
        # Asked before: what a process has put there before its end is found after it.
        alive = any(worker.is_alive() for worker in workers)
        try:
            return t.cast("t.Tuple[Task, Proof, str]", results.get(timeout=1))
        except queue.Empty:
            if not alive:
                raise RuntimeError("the processes have ended before their work; what they printed says why") from None


def main(arguments: t.Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Prove the compiled ClassBench sets against evaluator and kernel.")
    parser.add_argument("--sets", nargs="*", default=classbench.names(), help="which (default: all)")
    parser.add_argument("--layout", choices=[one.value for one in Layout], default=Layout.AUTO.value)
    parser.add_argument("--no-counters", action="store_true", help="as with firewall_counters: false")
    parser.add_argument("--no-kernel", action="store_true", help="only evaluator and model")
    parser.add_argument("--model", type=int, default=HEADERS_FOR_THE_MODEL, help="headers for the model")
    parser.add_argument("--kernel", type=int, default=HEADERS_FOR_THE_KERNEL, help="headers for the kernel")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args(arguments)
    reason = classbench.why_absent()
    if reason is not None:
        print("left out: %s" % reason)
        return 0
    if not options.no_kernel:
        from lab.reexec import ensure_privileges

        ensure_privileges()
    tasks = [
        Task(name, drops, Layout(options.layout), not options.no_counters, options.model, options.kernel)
        # The large ones first, so that the processes end at about the same time.
        for name in sorted(options.sets, key=lambda name: not name.endswith("10k"))
        for drops in DROPS
    ]
    failures: t.List[str] = []
    proofs: t.Dict[Task, Proof] = {}
    started = time.monotonic()
    for task, proof, failure in _run(tasks, processes=options.processes, kernel=not options.no_kernel):
        if failure:
            failures.append("%s: %s" % (task, failure))
            shown = failure.strip().splitlines()[-1]
        else:
            proofs[task] = proof
            failures += ["%s: %s" % (task, line) for line in proof.differences[:5]]
            shown = "%d + %d headers, %d differ, %.0f s" % (
                proof.model.packets,
                proof.kernel.packets,
                len(proof.differences),
                proof.seconds,
            )
        print("%4d s  %s: %s" % (time.monotonic() - started, task, shown), flush=True)
    print("\n%s" % heading())
    for task in sorted(proofs, key=tasks.index):
        print(row(task, proofs[task]))
    for line in failures:
        print(line)
    compared = sum(proof.model.packets + proof.kernel.packets for proof in proofs.values())
    differ = sum(len(proof.differences) for proof in proofs.values())
    print(
        "%d of %d (each set, each share of drops) proven on %d headers, %d differences"
        % (len([one for one in proofs.values() if not one.differences]), len(tasks), compared, differ)
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
