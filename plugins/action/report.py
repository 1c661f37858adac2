# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the report of a fleet on the controller; the documentation is in the module of the same name."""

from __future__ import annotations

import datetime
import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._groups import Groups
from ..plugin_utils._replacing import find_existing, replace_file
from ..plugin_utils._report.document import build_document
from ..plugin_utils._report.hosts import collect_hosts
from ..plugin_utils._report.page import render_json, render_page

_ARGUMENTS = {
    "dest": {"type": "path", "default": "firewall-report.html"},
    "hosts": {"type": "list", "elements": "str"},
    "live": {"type": "str"},
    "time": {"type": "str"},
}

_SUFFIX = ".html"

#: The report tells an attacker where to begin.
_MODE = 0o600


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[t.Dict[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, arguments = self.validate_argument_spec(argument_spec=_ARGUMENTS)
        names = [str(name) for name in arguments["hosts"] or task_vars.get("ansible_play_hosts_all") or ()]
        unknown = [name for name in names if name not in task_vars["hostvars"]]
        if unknown:
            raise AnsibleActionFail("hosts: %s: no such host in the inventory" % ", ".join(unknown[:5]))
        groups = Groups(task_vars, self._templar, task=self._task._uuid)
        found = collect_hosts(names, task_vars, self._templar, groups, arguments["live"])
        document = build_document(list(found), arguments["time"] or _now())
        page = os.path.abspath(arguments["dest"])
        data = page.removesuffix(_SUFFIX) + ".json"
        files = {data: render_json(document), page: render_page(document)}
        changed = self._write(files)
        return {"changed": changed, "dest": page, "json": data, "summary": document["summary"]}

    def _write(self, files: t.Mapping[str, str]) -> bool:
        """Writes all files or none of them, as far as that can be told before; whether any had another content.

        Raises:
            AnsibleActionFail: One cannot be written.
        """
        path = ""
        try:
            for path in files:
                find_existing(path)
            changed = False
            for path, text in files.items():
                changed |= put(path, text, check=self._task.check_mode)
        except OSError as exc:
            # Ansible would add the cause, which names the file another time.
            raise AnsibleActionFail("the report cannot be written to %s: %s" % (path, exc.strerror)) from None
        return changed


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def put(path: str, text: str, *, check: bool) -> bool:
    """Writes a file in one step, if it has another content; returns whether it had."""
    # A host may say what UTF-8 has no octets for.
    content = text.encode("utf-8", "replace")
    existing = find_existing(path)
    if existing is not None:
        with open(path, "rb") as stream:
            if stream.read() == content:
                return False
    if not check:
        replace_file(path, content, _MODE, existing)
    return True
