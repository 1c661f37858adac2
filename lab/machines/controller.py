# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-playbook and ssh from the lab to a machine. Nothing of this machine's own configuration shapes them."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import subprocess
import sys
import time
import typing as t

from ..namespaces import Host, HostProcess, LabError
from ..site import CHECKOUT, role_play
from .disk import Disk
from .machine import ADDRESSES

NAME = "machine"

#: Longest that anything may take on a machine whose processor is emulated.
_SECONDS = 300.0

_SSH_CONFIGURATION = """\
Host *
  User root
  IdentityFile %(user_key)s
  IdentitiesOnly yes
  HostKeyAlias machine
  UserKnownHostsFile %(folder)s/known_hosts
  StrictHostKeyChecking yes
  ConnectTimeout 10
  ServerAliveInterval 10
"""


class Controller:
    """A controller on a host of the lab.

    Attributes:
        host: That host.
    """

    def __init__(self, host: Host, disk: Disk, folder: pathlib.Path) -> None:
        self.host = host
        self._folder = folder
        (folder / "known_hosts").write_text("machine %s\n" % disk.host_key, encoding="ascii")
        self._ssh_config = folder / "ssh_config"
        self._ssh_config.write_text(
            _SSH_CONFIGURATION % {"folder": folder, "user_key": disk.user_key}, encoding="utf-8"
        )
        self._environment = {
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache" / "collections"),
            "ANSIBLE_CONFIG": str(CHECKOUT / "tests" / "ansible.cfg"),
            "ANSIBLE_DEVEL_WARNING": "false",
            "ANSIBLE_FORCE_COLOR": "false",
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_INVENTORY": str(folder / "inventory.json"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=5s",
            "ANSIBLE_SSH_COMMON_ARGS": "-F %s" % shlex.quote(str(self._ssh_config)),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]),
            "TMPDIR": str(folder),
        }

    def start_deploy(self, variables: t.Mapping[str, object], *arguments: str) -> HostProcess:
        """Starts a run of the role."""
        reaching = {
            "ansible_connection": "ssh",
            "ansible_host": ADDRESSES[4],
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        inventory = {"all": {"hosts": {NAME: {}}, "vars": {**variables, **reaching}}}
        (self._folder / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")
        playbook = self._folder / "playbook.yml"
        playbook.write_text(json.dumps([role_play(NAME)]), encoding="utf-8")
        return self.host.popen(
            ["ansible-playbook", "-v", str(playbook), *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def deploy(self, variables: t.Mapping[str, object], *arguments: str, fails: bool = False) -> str:
        """Runs the role, and returns what was printed.

        Args:
            fails: The run has to fail, on the machine.

        Raises:
            LabError: It failed, or did not although it had to.
        """
        with self.start_deploy(variables, *arguments) as process:
            try:
                output, _none = process.communicate(timeout=_SECONDS)
            except BaseException:
                process.kill()
                raise
        if process.returncode != (2 if fails else 0):
            raise LabError("ansible-playbook: exit status %d\n%s" % (process.returncode, output[-4000:]))
        return str(output)

    def ssh(self, script: str, *, check: bool = True) -> str:
        """Runs a script on the machine, and returns what it printed.

        Raises:
            LabError: ``check`` holds and it failed.
        """
        command = ["ssh", "-F", str(self._ssh_config), ADDRESSES[4], script]
        return self.host.run(command, check=check, env=self._environment, timeout=_SECONDS).stdout

    def await_ssh(self) -> None:
        """Waits until a login succeeds.

        Raises:
            LabError: It never did.
        """
        deadline = time.monotonic() + _SECONDS
        while self.ssh("echo in", check=False) != "in\n":
            if time.monotonic() > deadline:
                raise LabError("no login to the machine succeeds")
            time.sleep(0.2)
