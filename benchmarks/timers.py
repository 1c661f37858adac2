# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Five hundred hosts at five forks, over ssh: how long each change waits for its confirmation."""

from __future__ import annotations

import re
import statistics
import time

from lab.site import open_site, role_play

from .figures import BenchmarkError, Figure, Outcome, Say
from .twenty import role_variables

HOSTS = 500
FORKS = 5

#: What firewall_confirm_timeout is where nobody sets it.
_TIMEOUT = 60

_WAITED = re.compile(r'"waited": ([0-9.]+)')

#: Short enough that only the hosts of the moment hold a connection open.
_SSH_ARGUMENTS = "-C -o ControlMaster=auto -o ControlPersist=10s"


def measure(say: Say) -> Outcome:
    """Runs it.

    Raises:
        BenchmarkError: A host was not confirmed.
    """
    return measure_hosts(HOSTS, say)


def measure_hosts(count: int, say: Say) -> Outcome:
    """The first deploy on so many hosts.

    Raises:
        BenchmarkError: A host was not confirmed.
    """
    names = ["host%03d" % number for number in range(count)]
    with open_site(names, forks=FORKS) as site:
        variables = {"firewall_confirm_timeout": _TIMEOUT, "ansible_ssh_args": _SSH_ARGUMENTS}
        site.write_inventory({**role_variables(), **variables})
        say("  %d hosts are there" % count)
        started = time.monotonic()
        done = site.run([role_play("all")], "-v", timeout=2 * 3600)
        seconds = time.monotonic() - started
    waited = sorted(float(one) for one in _WAITED.findall(done.stdout))
    if done.returncode != 0 or len(waited) != count:
        raise BenchmarkError("%d of %d hosts were confirmed:\n%s" % (len(waited), count, done.stdout[-4000:]))
    say("  %.0f s; a change waited %.1f s at most" % (seconds, waited[-1]))
    title = "%d hosts, %d forks, a timer of %d s" % (count, FORKS, _TIMEOUT)
    lines = [
        "| hosts | forks | the whole run | timers: each | a change waited: median | 99 of 100 | at most |",
        "|---|---|---|---|---|---|---|",
        "| %d | %d | %.0f s | %d s | %.1f s | %.1f s | %.1f s |"
        % (
            count,
            FORKS,
            seconds,
            _TIMEOUT,
            statistics.median(waited),
            waited[int(len(waited) * 0.99)],
            waited[-1],
        ),
    ]
    figures = [
        Figure(title + ": confirmed", len(waited), "", count, "%d", least=True),
        Figure(title + ": the longest wait for a confirmation", waited[-1], "s", _TIMEOUT, "%.1f"),
        Figure(title + ": the whole run", seconds, "s", form="%.0f"),
    ]
    return Outcome(lines, figures)
