# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's files below a folder of the test, with a program that stands in for systemd.

No test can run systemd on a root of its own: the program called ``systemctl`` keeps the state of a few units in a
file, and does to it what systemd would do. It also keeps what it was asked.
"""

from __future__ import annotations

import json
import pathlib
import sys
import textwrap
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._host.files import Files

_SYSTEMCTL = """\
#!{python} -I
# Stands in for systemd.
import json, sys
path = {state!r}
with open(path) as stream:
    state = json.load(stream)
words = [word for word in sys.argv[1:] if not word.startswith("--no-")]
state["calls"].append(" ".join(words))
command = words[0]
units = [word for word in words[1:] if not word.startswith("--")]
if command == "show":
    missing = {{"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": "", "FragmentPath": ""}}
    blocks = []
    for name in units:
        unit = state["units"].get(name, missing)
        blocks.append("\\n".join("%s=%s" % item for item in {{"Id": name, **unit}}.items()))
    print("\\n\\n".join(blocks))
for name in units:
    unit = state["units"].get(name)
    if unit is None:
        continue
    if command in state["fails"]:
        sys.exit("Failed to %s unit: Access denied" % command)
    if command == "disable":
        unit["UnitFileState"] = "disabled"
    elif command == "mask":
        unit.update(LoadState="masked", UnitFileState="masked")
    elif command == "kill":
        unit["ActiveState"] = "failed"
    elif command == "reset-failed":
        unit["ActiveState"] = "inactive"
    elif command in ("stop", "restart", "start"):
        sys.exit("nothing may be started or stopped")
with open(path, "w") as stream:
    json.dump(state, stream)
"""


class HostServices:
    """``files`` are the host's, ``search_path`` has its programs."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        self.files = Files(str(self.root))
        self._programs = folder / "bin"
        self._programs.mkdir()
        self.search_path = str(self._programs)
        self._state = folder / "units.json"
        self._units: t.Dict[str, t.Dict[str, str]] = {}

    def write(self, path: str, text: str = "") -> None:
        """Writes a file; the common indentation is taken off."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text), encoding="utf-8")

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text(encoding="utf-8")

    def link(self, path: str, target: str) -> None:
        link = self.root / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)

    def program(self, name: str, text: str) -> None:
        """A program of this host."""
        path = self._programs / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def boot_systemd(self, *fails: str) -> None:
        """From here on systemd runs; the commands in ``fails`` it refuses."""
        (self.root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        self._save({"units": self._units, "calls": [], "fails": fails})
        self.program("systemctl", _SYSTEMCTL.format(python=sys.executable, state=str(self._state)))

    def install(self, name: str, *, active: bool = False, enabled: bool = False, text: str = "[Service]\n") -> None:
        """A unit, before systemd is booted."""
        path = "/lib/systemd/system/%s.service" % name
        self.write(path, text)
        self._units["%s.service" % name] = {
            "LoadState": "loaded",
            "ActiveState": "active" if active else "inactive",
            "UnitFileState": "enabled" if enabled else "disabled",
            "FragmentPath": path,
        }

    def mask(self, name: str) -> None:
        """Masks an installed unit, before systemd is booted; what it did stays."""
        self._units["%s.service" % name].update(LoadState="masked", UnitFileState="masked")

    @property
    def calls(self) -> t.List[str]:
        """What systemctl was asked to change."""
        asked: t.List[str] = self._load()["calls"]
        return [call for call in asked if not call.startswith("show ")]

    @property
    def questions(self) -> int:
        """How often systemctl was asked for properties."""
        return sum(call.startswith("show ") for call in self._load()["calls"])

    def _load(self) -> t.Any:
        return json.loads(self._state.read_text(encoding="utf-8"))

    def _save(self, state: t.Mapping[str, t.Any]) -> None:
        self._state.write_text(json.dumps(state), encoding="utf-8")
