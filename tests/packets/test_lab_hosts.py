# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's hosts: connections between them are real, each keeps to itself, and nothing remains of any."""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import typing as t

import pytest

from lab import reexec
from lab.connections import Probe, Server, probe_all, probe_tcp
from lab.namespaces import Host, Lab, LabError

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]

FIREWALL = """
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    meta l4proto { icmp, icmpv6 } accept
    tcp dport { 80, 81 } accept
    udp dport { 53, 54 } accept
    tcp dport 82 reject with tcp reset
    meta l4proto { tcp, udp } th dport 83 reject with icmpx type admin-prohibited
  }
}
"""


@pytest.fixture(scope="module", autouse=True)
def rights() -> None:
    reason = reexec.why_unavailable()
    if reason is not None:
        pytest.skip("no lab can be built: %s" % reason)
    reexec.ensure_privileges()


@pytest.fixture
def pair() -> t.Iterator[t.Tuple[Host, Host]]:
    with Lab() as lab:
        first, second = lab.hosts_named(["first", "second"])
        segment = lab.segment()
        segment.attach(first, ["192.0.2.1/24", "2001:db8::1/64"])
        segment.attach(second, ["192.0.2.2/24", "2001:db8::2/64"])
        yield first, second


@pytest.mark.parametrize("address", ["192.0.2.2", "2001:db8::2"])
def test_probes(pair: t.Tuple[Host, Host], address: str) -> None:
    first, second = pair
    second.nft(FIREWALL)
    table = [
        ("tcp", 80, "connected"),
        ("tcp", 81, "refused"),
        ("tcp", 82, "refused"),
        ("tcp", 83, "refused"),
        ("tcp", 84, "filtered"),
        ("udp", 53, "answered"),
        ("udp", 54, "refused"),
        ("udp", 83, "refused"),
        ("udp", 84, "filtered"),
        ("icmp", 0, "answered"),
    ]
    with Server(second, tcp=[80], udp=[53, 84]):
        seen = probe_all([Probe(first, protocol, address, port) for protocol, port, _outcome in table])
    assert seen == [outcome for _protocol, _port, outcome in table]


def test_many_probes_at_once(pair: t.Tuple[Host, Host]) -> None:
    first, second = pair
    with Server(second, tcp=[80]):
        assert set(probe_all([Probe(first, "tcp", "192.0.2.2", 80, 5.0)] * 900)) == {"connected"}
    assert probe_tcp(first, "192.0.2.2", 80) == "refused"


def test_host_keeps_its_files_to_itself(pair: t.Tuple[Host, Host]) -> None:
    first, second = pair
    mark = "palisade-lab-%d" % os.getpid()
    for directory in ("/etc", "/run", "/var/lib"):
        first.run(["sh", "-c", "mkdir -p %s/%s/deep && echo x > %s/%s/deep/file" % ((directory, mark) * 2)])
        assert first.path("%s/%s/deep/file" % (directory, mark)).read_text(encoding="utf-8") == "x\n"
        assert not os.path.lexists(os.path.join(directory, mark))
        assert second.run(["test", "-e", os.path.join(directory, mark)], check=False).returncode == 1
    assert first.run(["cat", "/etc/passwd"]).stdout.startswith("root:")
    # Files are changed on the host alone, also those that the machine has.
    first.run(["sh", "-c", "echo changed > /etc/hosts"])
    assert second.run(["cat", "/etc/hosts"]).stdout != "changed\n"


def test_host_is_a_machine_of_its_own(pair: t.Tuple[Host, Host], tmp_path: pathlib.Path) -> None:
    first = pair[0]
    assert first.run(["uname", "-n"]).stdout == "first\n"
    assert "eth0" in first.run(["ip", "-brief", "link"]).stdout
    assert first.run(["cat"], input="through\n").stdout == "through\n"
    with pytest.raises(LabError, match="exit status 3"):
        first.run(["sh", "-c", "exit 3"])
    wrapper = first.python_wrapper(tmp_path / "python in host")
    code = "import os, socket; print(socket.gethostname(), os.getcwd())"
    done = subprocess.run([str(wrapper), "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "first %s\n" % tmp_path


def test_wrapper_refuses_when_its_host_is_gone(tmp_path: pathlib.Path) -> None:
    with Lab() as lab:
        wrapper = lab.host("short", {}).python_wrapper(tmp_path / "python")
    done = subprocess.run([str(wrapper), "-c", "print('on the machine')"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (125, "", "the lab host short is gone\n")


def test_terminated_process_ends_inside(pair: t.Tuple[Host, Host]) -> None:
    first = pair[0]
    with first.popen(["sleep", "1000"]) as process:
        await_true(lambda: "sleep" in processes_of(first))
        process.terminate()
        assert process.wait(timeout=10) == -signal.SIGTERM
    await_true(lambda: "sleep" not in processes_of(first))


def processes_of(host: Host) -> t.Set[str]:
    """The names of the processes in a host."""
    names = host.run(["sh", "-c", "cat /proc/[0-9]*/comm"], check=False).stdout
    return set(names.split())


def await_true(condition: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


SCRIPT = """
import os, sys, time
sys.path.insert(0, %(checkout)r)
from lab.namespaces import Lab
from lab.verdicts import VerdictLab
with Lab() as lab, VerdictLab(["eth0"]) as kernel:
    host, other = lab.hosts_named([%(name)r, %(name)r + "-other"])
    lab.connect(host, other)
    host.popen(["sh", "-c", "sleep 86399 & setsid sleep 86398 & exec sleep 86397"])
    print("ready", flush=True)
    %(end)s
"""


def traces(name: str) -> t.List[str]:
    """Command lines that belong to a lab of this name, and those that its hosts started."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            environment = path.with_name("environ").read_bytes().decode(errors="replace")
            if "LAB_TRACE=%s" % name in environment.split("\0"):
                found.append(line)
    return found


@pytest.fixture
def machine() -> t.Iterator[t.List[str]]:
    """What runs a command on a machine whose mounts, interfaces and named namespaces nobody else changes: containers
    that other tests start come and go on this one.
    """
    script = "if [ -d /run/netns ]; then mount -t tmpfs none /run/netns; fi; echo ready; exec cat"
    with subprocess.Popen(
        ["unshare", "--mount", "--net", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        yield ["nsenter", "--target", str(holder.pid), "--mount", "--net"]
        holder.stdin.close()


def state_of(machine: t.Sequence[str]) -> t.List[str]:
    """What of a machine a lab must not change: mounts, interfaces and named namespaces."""
    commands = (["cat", "/proc/self/mounts"], ["ip", "-brief", "link"], ["ip", "netns", "list"])
    return [
        subprocess.run([*machine, *command], capture_output=True, text=True, check=True).stdout for command in commands
    ]


@pytest.mark.parametrize(
    ("end", "number_sent"),
    [
        ("pass", None),
        ("raise ValueError('on purpose')", None),
        ("os._exit(3)", None),
        ("time.sleep(1000)", signal.SIGINT),
        ("time.sleep(1000)", signal.SIGTERM),
        ("time.sleep(1000)", signal.SIGKILL),
    ],
)
def test_nothing_remains(machine: t.List[str], end: str, number_sent: t.Optional[int]) -> None:
    before = state_of(machine)
    name = "trace-%d-%d" % (os.getpid(), random.SystemRandom().randrange(10**9))
    code = SCRIPT % {"checkout": str(CHECKOUT), "name": name, "end": end}
    with subprocess.Popen(
        [*machine, sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LAB_TRACE": name},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        if number_sent is not None:
            assert len(traces(name)) > 6
            process.send_signal(number_sent)
        process.communicate(timeout=60)
    await_true(lambda: not traces(name))
    assert state_of(machine) == before


def test_in_a_user_namespace() -> None:
    """What a user without root gets: the same verdicts, and private files."""
    code = """
import sys
sys.path.insert(0, %r)
from lab import reexec
reexec._unshare_here()
assert reexec.in_user_namespace() and reexec.is_privileged()
from lab.namespaces import Lab
from lab.verdicts import VerdictLab
from tests.packets.samples import REJECT_ALL, random_packets, ruleset
with VerdictLab(["eth0", "eth1", "docker0", "br-lan"]) as kernel:
    sent = random_packets(7, 2000)
    kernel.load(ruleset("accept", REJECT_ALL))
    expected = ["reject" if one.answerable else "drop" for one in sent]
    assert kernel.verdicts(sent) == expected
with Lab() as lab:
    host = lab.host("user")
    host.run(["sh", "-c", "mkdir /etc/palisade /var/lib/palisade /run/palisade && echo x > /etc/palisade/x"])
    print(host.run(["cat", "/etc/palisade/x"]).stdout.strip())
""" % str(CHECKOUT)
    problem = reexec._failure(["unshare", "--user", "--map-root-user", "--net", "--mount", "true"])
    if problem is not None:
        pytest.skip("this machine gives no user namespaces: %s" % problem)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "x\n"), done.stderr


def test_reexec_as_a_command() -> None:
    command = [sys.executable, "-m", "lab.reexec", "sh", "-c", "id -u; exit 4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    assert (done.returncode, done.stdout) == (4, "0\n"), done.stderr
