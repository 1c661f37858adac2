# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every tool of the comparison has in common."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t

from lab.namespaces import Host

from .policy import Rule

#: Longest that a tool may take to load a policy, in seconds.
_LOAD_SECONDS = 90.0

#: Load of a policy into a host: returns the seconds that the tool took from its own input on.
Load = t.Callable[[Host, t.Sequence[Rule]], float]


class UnableError(RuntimeError):
    """A tool cannot be run here, or cannot take the policy; the message says why."""


class Contender(t.NamedTuple):
    """One tool, or one way to use it.

    Attributes:
        key: Its name in the file of results.
        name: Its name for readers.
        load: Makes it filter in a host, which has a network, an /etc and a /run of its own.
        how: What it gets, in one sentence.
    """

    key: str
    name: str
    load: Load
    how: str


def run(host: Host, command: t.Sequence[str], text: str = "") -> float:
    """Runs a command in the host, and returns the seconds that it took.

    Raises:
        UnableError: It is missing, failed, or took too long.
    """
    started = time.monotonic()
    try:
        done = host.run(command, input=text, timeout=_LOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired as exc:
        raise UnableError("`%s` took more than %.0f s" % (os.path.basename(command[0]), _LOAD_SECONDS)) from exc
    seconds = time.monotonic() - started
    if done.returncode != 0:
        shown = " ".join([os.path.basename(command[0]), *command[1:]])
        raise UnableError("`%s` ends with status %d: %s" % (shown, done.returncode, summary(done.stderr)))
    return seconds


def write(host: Host, path: str, text: str) -> None:
    """Writes a file of the host's own, whose folder exists."""
    run(host, ["tee", path], text)


def summary(problem: str) -> str:
    """The last line of what a tool printed, which says why it gave up."""
    lines = [line.strip() for line in problem.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it says nothing"
