# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller and hosts with sshd, each in namespaces of its own, and ansible-playbook between them.

Nothing of the machine's shapes the runs: keys, known hosts, configuration and home lie in a temporary
folder, and the account that ansible-playbook logs in to has a shell that reads no start-up file.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import typing as t

from .namespaces import HostProcess, Lab, LabError
from .reexec import in_user_namespace

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent

CONTROLLER = "198.18.0.1"

#: An account of every host that may do everything by sudo(8), without a password.
SUDO_USER = "operator"
_SUDO_NUMBER = 2000

#: Longest that a server may take until it listens, and a playbook until it ends.
_START_SECONDS = 30.0
_PLAY_SECONDS = 600.0

#: What sshd logs, at the level VERBOSE, for each command that a client runs.
_SESSION = re.compile(r"^Starting session: command ", re.MULTILINE)

_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)

_SSHD_CONFIGURATION = """\
ListenAddress %(address)s
HostKey %(folder)s/host_key
AuthorizedKeysFile %(folder)s/user_key.pub
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile none
Subsystem sftp internal-sftp
LogLevel VERBOSE
"""

_SSH_CONFIGURATION = """\
Host *
  User root
  IdentityFile %(folder)s/user_key
  IdentitiesOnly yes
  HostKeyAlias site
  UserKnownHostsFile %(folder)s/known_hosts
  StrictHostKeyChecking yes
"""


class Play(t.NamedTuple):
    """How a run of ansible-playbook went.

    Attributes:
        changed: Host name to the number of tasks that changed something.
        commands: Commands that all hosts ran for it over ssh.
    """

    seconds: float
    changed: t.Dict[str, int]
    commands: int


class Site:
    """The controller and its hosts. Made by :func:`open_site`.

    Attributes:
        controller: The namespace of the controller.
        hosts: The namespaces of the hosts, by name.
        python: The Python of the hosts.
        addresses: Of the hosts, by name.
        user_key: Path of the private key that lets in to every host.
        ssh_arguments: What ssh on the controller needs, as ``ansible_ssh_common_args`` takes it.
    """

    def __init__(self, lab: Lab, folder: pathlib.Path, names: t.Sequence[str], forks: int) -> None:
        self._lab = lab
        self._folder = folder
        self._servers: t.Dict[str, HostProcess] = {}
        self.python = target_python()
        self.user_key = folder / "user_key"
        self.ssh_arguments = "-F %s" % shlex.quote(str(folder / "ssh_config"))
        self._make_keys()
        self.controller, *hosts = lab.hosts_named(["controller", *names])
        self.hosts = dict(zip(names, hosts))
        # Every host is also a name in the inventory's variables; see inventory().
        self.addresses = {
            name: "198.18.%d.%d" % (1 + number // 250, 1 + number % 250) for number, name in enumerate(names)
        }
        segment = lab.segment()
        segment.attach(self.controller, [CONTROLLER + "/16"])
        for name, host in self.hosts.items():
            segment.attach(host, [self.addresses[name] + "/16"])
        self._environment = self._make_environment(forks)
        self.write_inventory({})

    def _make_keys(self) -> None:
        for name in ("host_key", "user_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "site", "-f", str(self._folder / name)]
            subprocess.run(command, check=True)
        public = (self._folder / "host_key.pub").read_text(encoding="ascii")
        self._write("known_hosts", "site " + public)
        self._write("ssh_config", _SSH_CONFIGURATION % {"folder": self._folder})
        # The machine's accounts, except for what a login would read.
        lines = pathlib.Path("/etc/passwd").read_text(encoding="utf-8").splitlines()
        accounts = []
        for name, number in (("root", 0), (SUDO_USER, _SUDO_NUMBER)):
            (self._folder / name).mkdir()
            os.chown(self._folder / name, number, number)
            accounts.append("%s:x:%d:%d:%s:%s/%s:/bin/sh" % (name, number, number, name, self._folder, name))
        others = [line for line in lines if line.partition(":")[0] not in ("root", SUDO_USER)]
        self._write("passwd", "\n".join([*accounts, *others]) + "\n").chmod(0o644)
        self._write("shadow", "".join("%s:*:20000:0:99999:7:::\n" % name for name in ("root", SUDO_USER)))
        self._write("sudoers", "root ALL=(ALL) ALL\n%s ALL=(ALL) NOPASSWD: ALL\n" % SUDO_USER).chmod(0o440)
        # The account reaches its home and the key that lets it in.
        self._folder.chmod(0o711)

    def _make_environment(self, forks: int) -> t.Dict[str, str]:
        bin_folder = os.path.dirname(sys.executable)
        return {
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache" / "collections"),
            "ANSIBLE_CONFIG": str(CHECKOUT / "tests" / "ansible.cfg"),
            "ANSIBLE_DEVEL_WARNING": "false",
            "ANSIBLE_FORCE_COLOR": "false",
            "ANSIBLE_FORKS": str(forks),
            "ANSIBLE_HOME": str(self._folder / "ansible"),
            "ANSIBLE_INVENTORY": str(self._folder / "inventory.json"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_REMOTE_TEMP": str(self._folder / "remote"),
            "ANSIBLE_RETRY_FILES_ENABLED": "false",
            # Ansible's own arguments, except that a connection outlives the slowest round.
            "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=30m",
            "ANSIBLE_SSH_COMMON_ARGS": self.ssh_arguments,
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._folder / "cp"),
            "HOME": str(self._folder / "root"),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join([bin_folder, os.environ.get("PATH", os.defpath)]),
            "TMPDIR": str(self._folder),
        }

    def _write(self, name: str, text: str) -> pathlib.Path:
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    def write_inventory(
        self, variables: t.Mapping[str, object], of_hosts: t.Optional[t.Mapping[str, t.Mapping[str, object]]] = None
    ) -> None:
        """Writes the inventory: every host over ssh, ``variables`` for all, and ``of_hosts`` for some, by name."""
        reaching = {"ansible_connection": "ssh", "ansible_python_interpreter": self.python}
        own = of_hosts or {}
        hosts = {name: {"ansible_host": address, **own.get(name, {})} for name, address in self.addresses.items()}
        self._write("inventory.json", json.dumps({"all": {"hosts": hosts, "vars": {**reaching, **variables}}}))

    # Servers

    def start_servers(self) -> None:
        """Starts an sshd on every host, and waits until all of them listen.

        Raises:
            LabError: One did not.
        """
        sshd = _program("sshd")
        prepare = "mkdir -p /run/sshd; for name in passwd shadow sudoers; do mount --bind $1/$name /etc/$name; done"
        # Where sudo(8) asks for its own host.
        prepare += '; echo "127.0.1.1 $2" >>/etc/hosts'
        for name, host in self.hosts.items():
            host.run(["sh", "-ec", prepare, "sh", str(self._folder), name])
            values = {"address": self.addresses[name], "folder": self._folder}
            configuration = self._write("sshd-" + name, _SSHD_CONFIGURATION % values)
            self._servers[name] = host.popen(
                [sshd, "-D", "-f", str(configuration), "-E", str(self._log_file(name))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + _START_SECONDS
        for name in self.hosts:
            while not self._listens(name):
                if self._servers[name].poll() is not None or time.monotonic() > deadline:
                    raise LabError("sshd on %s does not listen:\n%s" % (name, self.log(name)))
                time.sleep(0.02)

    def refuse_logins(self, name: str) -> None:
        """From now on the sshd of a host lets nobody in who is not in already."""
        self._configure(name, "PubkeyAuthentication no")

    def listen_on(self, name: str, port: int) -> None:
        """From now on the sshd of a host listens on this port alone."""
        self._configure(name, "Port %d" % port)

    def _configure(self, name: str, line: str) -> None:
        """Puts a line before the configuration of an sshd, which takes the first value of a setting."""
        path = self._folder / ("sshd-" + name)
        self._write(path.name, "%s\n%s" % (line, path.read_text(encoding="utf-8")))
        listened = self.log(name).count("Server listening")
        self._servers[name].send_signal(signal.SIGHUP)
        deadline = time.monotonic() + _START_SECONDS
        while self.log(name).count("Server listening") == listened:
            if time.monotonic() > deadline:
                raise LabError("sshd on %s does not listen again:\n%s" % (name, self.log(name)))
            time.sleep(0.02)

    def _listens(self, name: str) -> bool:
        listening = self.hosts[name].run(["ss", "-Hltn", "sport = 22"]).stdout
        return self.addresses[name] in listening

    def _log_file(self, name: str) -> pathlib.Path:
        return self._folder / ("sshd-%s.log" % name)

    def log(self, name: str) -> str:
        """What the sshd of a host has logged."""
        try:
            return self._log_file(name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def _commands(self) -> int:
        return sum(len(_SESSION.findall(self.log(name))) for name in self.hosts)

    def wait_for_servers(self) -> None:
        """Collects the servers that the end of the lab has killed."""
        for server in self._servers.values():
            server.wait(timeout=_START_SECONDS)

    # Playbooks

    def run(
        self, plays: t.Sequence[t.Mapping[str, object]], *arguments: str, timeout: float = _PLAY_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Runs ansible-playbook on the controller for ``timeout`` seconds at most, whatever comes of it."""
        playbook = self._write("playbook.yml", json.dumps(list(plays)))
        return self.controller.run(
            ["ansible-playbook", str(playbook), *arguments],
            check=False,
            env=self._environment,
            timeout=timeout,
        )

    def run_playbook(
        self, name: str, *arguments: str, prefix: t.Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Runs a playbook by its full name, whatever comes of it; ``prefix`` begins the command line."""
        return self.controller.run(
            [*prefix, "ansible-playbook", name, *arguments], check=False, env=self._environment, timeout=_PLAY_SECONDS
        )

    def start(self, plays: t.Sequence[t.Mapping[str, object]], *arguments: str) -> HostProcess:
        """Starts ansible-playbook on the controller."""
        playbook = self._write("playbook.yml", json.dumps(list(plays)))
        return self.controller.popen(
            ["ansible-playbook", str(playbook), *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def play(self, plays: t.Sequence[t.Mapping[str, object]], *arguments: str) -> Play:
        """Runs ansible-playbook on the controller.

        Raises:
            LabError: It failed.
        """
        before = self._commands()
        started = time.monotonic()
        done = self.run(plays, *arguments)
        seconds = time.monotonic() - started
        recap = _RECAP.findall(done.stdout)
        if done.returncode != 0 or any(int(row[3]) or int(row[4]) for row in recap):
            raise LabError("ansible-playbook failed:\n%s\n%s" % (done.stdout[-4000:], done.stderr[-4000:]))
        return Play(seconds, {row[0]: int(row[2]) for row in recap}, self._commands() - before)


@contextlib.contextmanager
def open_site(names: t.Sequence[str], *, forks: int = 5) -> t.Iterator[Site]:
    """A site with hosts of these names, ready to be played to. Nothing is left of it afterwards.

    Raises:
        LabError: This machine cannot have one.
    """
    if os.geteuid() != 0 or in_user_namespace():
        raise LabError("sshd has to change to another user for a login, which takes root: run as root")
    with tempfile.TemporaryDirectory(prefix="palisade-site-") as name, Lab() as lab:
        site = Site(lab, pathlib.Path(name), names, forks)
        try:
            site.start_servers()
            yield site
        finally:
            lab.close()
            site.wait_for_servers()


def target_python() -> str:
    """The Python of the hosts: the system's, as on a real host, or else the one below this environment."""
    system = "/usr/bin/python3"
    question = "import sys; sys.exit(sys.version_info < (3, 9))"
    if os.path.exists(system) and subprocess.run([system, "-c", question], check=False).returncode == 0:
        return system
    return os.path.realpath(sys.executable)


def _program(name: str) -> str:
    """Its absolute path, which sshd asks for.

    Raises:
        LabError: It is not installed.
    """
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isabs(path) and os.access(path, os.X_OK):
            return path
    raise LabError("%s is not installed" % name)


def play_of(hosts: str, **content: object) -> t.Dict[str, object]:
    """A play without facts; ``content`` are its other keywords."""
    return {"hosts": hosts, "gather_facts": False, **content}


def empty_play(hosts: str) -> t.Dict[str, object]:
    """A play that does nothing on any host."""
    return play_of(hosts, tasks=[{"ansible.builtin.meta": "noop"}])


def ping_play(hosts: str) -> t.Dict[str, object]:
    """A play that runs the smallest module."""
    return play_of(hosts, tasks=[{"ansible.builtin.ping": {}}])


def role_play(hosts: str) -> t.Dict[str, object]:
    """A play that deploys the firewall."""
    return play_of(hosts, roles=["palisade.nftables.firewall"])


def must_change(play: Play, wanted: int) -> Play:
    """The play, if exactly that many hosts changed.

    Raises:
        LabError: Others did.
    """
    changed = sum(1 for count in play.changed.values() if count)
    if changed != wanted:
        raise LabError("%d hosts changed, and %d should have" % (changed, wanted))
    return play
