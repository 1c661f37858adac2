# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose files are where they belong, with programs that stand in for systemd's.

systemd itself runs in the containers of Molecule. Here its two programs do what a run needs of them, so that each
can fail and hang: a timer is a process of its own session, and enabling a unit makes its link.
"""

from __future__ import annotations

import os
import pathlib
import typing as t

from lab.namespaces import Host

from .target import Target

#: Sets a timer, and notes down its process.
_SYSTEMD_RUN = r"""
for word; do
    case $word in
        --on-active=*) seconds=${word#*=} ;;
        --*) ;;
        *) break ;;
    esac
    shift
done
setsid sh -c 'echo $$ >/run/stands-in-for-a-timer; sleep "$0"; exec "$@"' "$seconds" "$@" </dev/null >/dev/null 2>&1 &
until [ -s /run/stands-in-for-a-timer ]; do sleep 0.01; done
"""

_SYSTEMCTL = r"""
case "$*" in
    *" enable palisade.service")
        mkdir -p /etc/systemd/system/sysinit.target.wants
        ln -sf ../palisade.service "$(cat "$0.wants")"
        ;;
    *" stop palisade-take-back.timer")
        pid=$(cat /run/stands-in-for-a-timer) && kill -- "-$pid"
        ;;
    *" is-active "*"palisade-take-back.timer")
        pid=$(cat /run/stands-in-for-a-timer 2>/dev/null) && kill -0 "$pid" 2>/dev/null || exit 3
        ;;
    *" is-active "*) exit 3 ;;
    *" show "*) exit 1 ;;
esac
"""


class Machine(Target):
    """A lab host with its own /etc and /run."""

    def __init__(self, host: Host, folder: pathlib.Path, wants: str) -> None:
        host.run(["mkdir", "-p", "/run/systemd/system"])
        super().__init__(host, host.path("/"))
        self.inside = "/"
        self._folder = folder
        folder.mkdir()
        (folder / "systemctl.wants").write_text(wants, encoding="utf-8")
        self.works()

    def works(self) -> None:
        """Both programs do what they should."""
        self.goes_wrong("systemd-run", "")
        self.goes_wrong("systemctl", "")

    def goes_wrong(self, name: str, script: str) -> None:
        """From now on one of the programs begins with this piece of shell."""
        path = self._folder / name
        path.write_text(
            "#!/bin/sh\n%s%s" % (script, {"systemctl": _SYSTEMCTL}.get(name, _SYSTEMD_RUN)), encoding="utf-8"
        )
        path.chmod(0o755)

    @property
    def path(self) -> str:
        """PATH with the programs."""
        return "%s:%s" % (self._folder, os.environ["PATH"])

    def strays(self) -> t.List[str]:
        """Files that no run keeps, and a timer that nothing waits for."""
        script = "find /etc/palisade /etc/systemd/system /run/palisade -name '*.new' -o -path '/run/palisade/*' -type f"
        found = self.network.run(["sh", "-c", script + " 2>/dev/null"], check=False).stdout.splitlines()
        running = self.network.run(["ps", "-eo", "args"]).stdout.splitlines()
        return found + [line for line in running if "take_back.py" in line and "ps -eo" not in line]
