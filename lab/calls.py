# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New TCP connections to a host, as fast as one process can open them, and what became of them."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time
import typing as t

from .closing import Closing
from .namespaces import Host, LabError

_CALLER = pathlib.Path(__file__).with_name("caller.py")
_SECONDS = 30.0

#: Calls that are under way at the same time.
_PARALLEL = 32

#: TCP asks again after one second, and after three.
_PATIENCE_SECONDS = 5.0


class Called(t.NamedTuple):
    """What became of the calls.

    Attributes:
        connected: Calls that the host accepted.
        refused: Those that were answered with a reset or an error.
        unanswered: Those that nobody answered for seconds.
        asked_again: Segments that the caller's network sent a second time, since the calls began: where a packet
            of a connection is refused for an instant, TCP hides it by that.
        longest_call: Seconds that a call took at most until it was accepted.
        longest_pause: Seconds at most between one accepted call and the next.
        seconds: How long the calls went on.
    """

    connected: int
    refused: int
    unanswered: int
    asked_again: int
    longest_call: float
    longest_pause: float
    seconds: float


#: What TCP counts when a segment was lost (the kernel's snmp_counter.rst).
_LOSSES = ("TCPTimeouts", "TCPFastRetrans")


def sent_again(host: Host) -> int:
    """The TCP segments of a host that were lost, and sent a second time."""
    lines = host.call(pathlib.Path("/proc/thread-self/net/netstat").read_text).splitlines()
    names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    return sum(int(values[names.index(name)]) for name in _LOSSES)


class Calls(Closing):
    """Calls from ``source``, an address of the caller, to a port of a host. A context manager."""

    def __init__(self, caller: Host, source: str, destination: str, port: int) -> None:
        self._caller = caller
        # No probes: some of those to an end that is only busy count as losses. What is lost is sent again all the same.
        caller.sysctl("net/ipv4/tcp_early_retrans", 0)
        self._before = sent_again(caller)
        pipe = subprocess.PIPE
        self._process = caller.popen(
            [sys.executable, "-I", "-S", str(_CALLER)], stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
        specification = {
            "source": source,
            "destination": destination,
            "port": port,
            "parallel": _PARALLEL,
            "seconds": _PATIENCE_SECONDS,
        }
        stdin = t.cast("t.IO[str]", self._process.stdin)
        stdin.write(json.dumps(specification) + "\n")
        stdin.flush()
        if t.cast("t.IO[str]", self._process.stdout).readline().strip() != "ready":
            _output, problem = self._process.communicate()
            raise LabError("nothing calls from %s: %s" % (source, problem.strip()))
        self._started = time.monotonic()
        self._called: t.Optional[Called] = None

    def stop(self) -> Called:
        """Ends the calls and says what became of them. Further calls say the same.

        Raises:
            LabError: The caller failed.
        """
        if self._called is None:
            seconds = time.monotonic() - self._started
            output, problem = self._process.communicate(timeout=_SECONDS)
            if self._process.returncode != 0:
                raise LabError("the caller failed: %s" % problem.strip())
            again = sent_again(self._caller) - self._before
            self._called = Called(**json.loads(output), asked_again=again, seconds=seconds)
        return self._called

    def close(self) -> None:
        """Ends the caller."""
        if self._called is None:
            self._process.kill()
            self._process.communicate()
