# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collecting from the variables of a small inventory."""

from __future__ import annotations

import pathlib
import textwrap
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._core.errors import PolicyError
from ansible_collections.palisade.nftables.plugins.plugin_utils._collect import Collected, collect
from ansible_collections.palisade.nftables.plugins.plugin_utils._groups import Groups
from tests.unit.plugins.plugin_utils.controller import Controller

HOSTS = """
all:
  children:
    webservers: {hosts: {web1: {ansible_host: 192.0.2.1}, both: {ansible_host: 192.0.2.3}}}
    databases: {hosts: {db1: {ansible_host: 192.0.2.2}, both: {}}}
"""


class Collect:
    """Collects from variables of all hosts, and of other files of the inventory."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def __call__(
        self, variables: str, *, host: str = "web1", files: t.Optional[t.Dict[str, str]] = None, **options: t.Any
    ) -> Collected:
        texts = {"hosts.yml": HOSTS, "group_vars/all.yml": variables, **(files or {})}
        controller = Controller(self._folder, {name: textwrap.dedent(text) for name, text in texts.items()})
        task_vars = controller.task_vars(host)
        templar = controller.templar(task_vars)
        groups = Groups(task_vars, templar, task="1", folder=str(self._folder))
        return collect(task_vars, templar, groups, **options)


def problems_of(collected: Collect, variables: str, **options: t.Any) -> t.List[str]:
    with pytest.raises(PolicyError) as caught:
        collected(variables, **options)
    return [str(problem) for problem in caught.value.problems]
