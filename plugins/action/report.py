# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the report of a fleet on the controller; the documentation is in the module of the same name."""

from __future__ import annotations

import datetime
import os
import stat
import tempfile
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._groups import Groups
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
        changed = [
            put(path, text, check=self._task.check_mode)
            for path, text in ((data, render_json(document)), (page, render_page(document)))
        ]
        return {"changed": any(changed), "dest": page, "json": data, "summary": document["summary"]}


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def put(path: str, text: str, *, check: bool) -> bool:
    """Writes a file in one step, if it has another content; returns whether it had.

    A file of this user's that is there keeps its permissions. Anything else of that name is replaced, and a link is
    not followed.
    """
    # A host may say what UTF-8 has no octets for.
    content = text.encode("utf-8", "replace")
    try:
        mode = _MODE
        try:
            there = os.lstat(path)
        except FileNotFoundError:
            pass
        else:
            if stat.S_ISREG(there.st_mode) and there.st_uid == os.geteuid():
                mode = stat.S_IMODE(there.st_mode)
                with open(path, "rb") as stream:
                    if stream.read() == content:
                        return False
        if not check:
            _replace(path, content, mode)
    except OSError as exc:
        raise AnsibleActionFail("the report cannot be written to %s: %s" % (path, exc.strerror)) from exc
    return True


def _replace(path: str, content: bytes, mode: int) -> None:
    handle, partial = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".%s." % os.path.basename(path))
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), mode)
        os.replace(partial, path)
    except OSError:
        os.unlink(partial)
        raise
