# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller with an inventory of its own: ansible-core's real loader, variable manager and templar."""

from __future__ import annotations

import pathlib
import typing as t

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager


class Controller:
    """What an action plugin sees of an inventory.

    Args:
        folder: Where the files go.
        files: Text by name: ``hosts.yml``, ``group_vars/all.yml`` and so on.
    """

    def __init__(self, folder: pathlib.Path, files: t.Mapping[str, str]) -> None:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self._loader = DataLoader()
        self._loader.set_basedir(str(folder))
        self.inventory = InventoryManager(loader=self._loader, sources=[str(folder / "hosts.yml")])
        self.variables = VariableManager(loader=self._loader, inventory=self.inventory)
        # It makes itself known to the variable manager.
        HostVars(self.inventory, self.variables, self._loader)

    def task_vars(self, host: str, batch: t.Sequence[str] = ()) -> t.Dict[str, t.Any]:
        """The variables of a task on a host, not templated."""
        found: t.Dict[str, t.Any] = self.variables.get_vars(host=self.inventory.get_host(host))
        return {**found, "ansible_play_batch": list(batch)}

    def templar(self, task_vars: t.Dict[str, t.Any]) -> Templar:
        return Templar(loader=self._loader, variables=task_vars)
