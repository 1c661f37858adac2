# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions of systemd that are repeated where systemd itself could not begin them.

With control groups of the old kind, which a container has where its host has them, systemd 256 and newer may remove a
unit's group, once a process in it has ended, in the instant in which it begins the next one. Then no command of the
unit has run: the journal says "Failed to spawn executor: No such file or directory", and systemctl speaks of
"unavailable resources". With the control groups that systemd 256 wants this does not happen.

    units.py now                      prints a cursor of the journal
    units.py not-begun CURSOR UNIT    prints how many commands of the unit could not be begun since
"""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t

_ATTEMPTS = 10

#: What comes instead of an action that was not begun: the unit has failed since.
_INSTEAD: t.Mapping[str, t.Sequence[str]] = {"try-restart": ("restart",), "stop": ("start", "stop")}


def was_not_begun(unit: str) -> bool:
    """Whether the unit's last action failed because systemd could not begin a process."""
    query = ["systemctl", "show", "--value", "--property=Result", "--property=ReloadResult", unit]
    shown = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    return "resources" in shown.split()


def now() -> str:
    """A cursor of the journal."""
    command = ["journalctl", "--quiet", "--lines=1", "--show-cursor"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return shown.partition("cursor: ")[2].strip()


def not_begun_since(cursor: str, unit: str) -> int:
    """How many commands of the unit systemd could not begin: the actions succeed without some of them."""
    subprocess.run(["journalctl", "--sync"], check=True)
    command = ["journalctl", "--quiet", "--output=cat", "--after-cursor=" + cursor, "--unit=" + unit]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return len(re.findall(r"Failed to (?:run|spawn) '[a-z-]+' task", shown))


def act(action: str, unit: str) -> None:
    """Has systemd do something with a unit.

    Raises:
        CalledProcessError: It failed for any other reason than that systemd could not begin it.
    """
    waiting = [action]
    repeated = 0
    while waiting:
        subprocess.run(["systemctl", "reset-failed", unit], check=False)
        done = subprocess.run(["systemctl", waiting[0], unit], check=False)
        if done.returncode == 0:
            del waiting[0]
        elif repeated < _ATTEMPTS and was_not_begun(unit):
            repeated += 1
            waiting[:1] = _INSTEAD.get(waiting[0], waiting[:1])
        else:
            done.check_returncode()


if __name__ == "__main__":
    print(now() if sys.argv[1] == "now" else not_begun_since(*sys.argv[2:]))
