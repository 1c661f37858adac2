# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the main job for real: namespaces, the example inventory, the real role, real connections.

Without root everything happens in a user namespace. Nothing is left behind.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
import sys
import tempfile
import time
import typing as t

from lab.connections import Probe, Server, probe_all
from lab.namespaces import Lab
from lab.reexec import LabUnavailableError, ensure_privileges

from .fleet import VISITORS, Fleet, expected

#: The ports that the table shows, with a listener behind each on every server.
PORTS = {22: "ssh", 80: "http", 443: "https", 5432: "postgresql", 9100: "metrics"}

_SEEN = {"accept": "connected", "reject": "refused", "drop": "filtered"}
_MARKS = {"connected": "yes", "refused": "no", "filtered": "-"}
_BAR = "=" * 78


class DemoError(RuntimeError):
    """Something did not happen as shown; the message says what."""


def main() -> int:
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        print("demo: %s" % exc, file=sys.stderr)
        return 1
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="palisade-demo-") as folder, Lab() as lab:
            show(lab, pathlib.Path(folder))
    except DemoError as exc:
        print("\nFAILED: %s" % exc, file=sys.stderr)
        return 1
    print("\nEverything is gone again. %d seconds." % (time.monotonic() - started))
    return 0


def show(lab: Lab, folder: pathlib.Path) -> None:
    fleet = Fleet(lab, folder)
    with contextlib.ExitStack() as listeners:
        for server in fleet.servers.values():
            listeners.enter_context(Server(server.host, tcp=PORTS))
        title("A fleet of %d servers and two visitors, all in network namespaces" % len(fleet.servers))
        for name in (*fleet.servers, *VISITORS):
            groups = [group for group, members in fleet.groups.items() if name in members]
            print("  %-9s %-40s %s" % (name, ", ".join(fleet.addresses(name)), " ".join(groups)))
        title("First deploy: ansible-playbook -i examples/hosts.yml palisade.nftables.deploy")
        play(fleet, "deploy", changed=True)
        title("Who reaches what: what the policies mean, and real TCP connections over IPv4 and IPv6")
        table(fleet)
        title("Second deploy: nothing changes")
        play(fleet, "deploy", changed=False)
        drift(fleet)


def drift(fleet: Fleet) -> None:
    """A rule added by hand is seen, shown and repaired."""
    title("Somebody opens the database by hand: nft insert rule inet palisade ingress tcp dport 5432 accept")
    database = fleet.servers["db1"]
    database.host.nft("insert rule inet palisade ingress tcp dport 5432 accept\n")
    probe = [Probe(fleet.visitors["outsider"], "tcp", database.addresses[0], 5432)]
    print("  outsider -> db1 port 5432: %s" % probe_all(probe)[0])
    title("The plan shows the drift: ansible-playbook palisade.nftables.plan --limit db1")
    planned = fleet.playbook("plan", "--limit=db1")
    lines = [line for line in planned.stdout.splitlines() if re.match(r"[-+][^-+]", line)]
    print("\n".join("  " + line for line in lines[:10]))
    if not any("5432" in line for line in lines):
        raise DemoError("the plan does not show the rule:\n%s%s" % (planned.stdout, planned.stderr))
    title("The next deploy repairs it")
    play(fleet, "deploy", changed=True)
    seen = probe_all(probe)[0]
    print("  outsider -> db1 port 5432: %s" % seen)
    if seen != "filtered":
        raise DemoError("the database is still open")


def play(fleet: Fleet, name: str, *, changed: bool) -> None:
    """Runs a playbook and shows its recap."""
    done = fleet.playbook(name)
    recap = re.findall(
        r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", done.stdout, re.MULTILINE
    )
    for host, ok, changes, _unreachable, failed in recap:
        print("  %-9s ok=%s changed=%s failed=%s" % (host, ok, changes, failed))
    if done.returncode != 0 or len(recap) != len(fleet.servers):
        raise DemoError("the run failed:\n%s%s" % (done.stdout, done.stderr))
    any_changed = any(int(changes) for _host, _ok, changes, *_rest in recap)
    if any_changed != changed:
        raise DemoError("changed is %s, and should be %s:\n%s" % (any_changed, changed, done.stdout))


def table(fleet: Fleet) -> None:
    """Probes every pair in both families and compares with the reference evaluator."""
    programs = {name: fleet.program(name) for name in fleet.servers}
    hosts = {**{name: server.host for name, server in fleet.servers.items()}, **fleet.visitors}
    questions: t.List[t.Tuple[str, str, int, t.Tuple[str, str]]] = []
    for source in hosts:
        for target in fleet.servers:
            if source == target:
                continue
            pairs = pairs_of(fleet.addresses(source), fleet.addresses(target))
            questions += [(source, target, port, pair) for port in PORTS for pair in pairs]
    seen = probe_all([Probe(hosts[source], "tcp", pair[1], port) for source, _target, port, pair in questions])
    answers: t.Dict[t.Tuple[str, str, int], t.Dict[str, None]] = {}
    wrong = []
    for (source, target, port, pair), saw in zip(questions, seen):
        wanted = _SEEN[expected(programs, source, target, pair, port)]
        cell = "%s/%s" % (_MARKS[wanted], _MARKS[saw])
        answers.setdefault((source, target, port), {})[cell] = None
        if saw != wanted:
            wrong.append(
                "%s (%s) -> %s (%s) port %d: expected %s, saw %s"
                % (source, pair[0], target, pair[1], port, wanted, saw)
            )
    print("  expected/seen: yes connects, no is refused with an answer, - gets no answer")
    print("  %-20s" % "from -> to" + "".join("%12s" % name for name in PORTS.values()))
    for source in hosts:
        for target in fleet.servers:
            if source != target:
                cells = [" ".join(answers[source, target, port]) for port in PORTS]
                print("  %-20s" % ("%s -> %s" % (source, target)) + "".join("%12s" % cell for cell in cells))
    print("  %d connections tried: %d as expected, %d not" % (len(questions), len(questions) - len(wrong), len(wrong)))
    if wrong:
        raise DemoError("\n".join(wrong))


def pairs_of(sources: t.Sequence[str], targets: t.Sequence[str]) -> t.List[t.Tuple[str, str]]:
    """An address pair for each family that both have."""
    found = []
    for colon in (False, True):
        first = [address for address in sources if (":" in address) is colon]
        second = [address for address in targets if (":" in address) is colon]
        if first and second:
            found.append((first[0], second[0]))
    return found


def title(text: str) -> None:
    print("\n%s\n%s\n%s" % (_BAR, text, _BAR), flush=True)


if __name__ == "__main__":
    sys.exit(main())
