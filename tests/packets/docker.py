# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker itself, in a lab host: its daemon, its rules, its proxy, and containers that answer."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import time
import typing as t

from lab.closing import Closing
from lab.namespaces import LabError
from lab.reexec import in_user_namespace

if t.TYPE_CHECKING:
    from lab.namespaces import Host

#: Directories that the daemon writes to, of the host's own.
PRIVATE: t.Mapping[str, str] = {"/etc": "overlay", "/run": "empty", "/opt": "empty", "/var/lib": "overlay"}

_SERVER = pathlib.Path(__file__).resolve().parents[2] / "lab" / "server.py"
_SOCKET = "unix:///run/docker.sock"
_CGROUPS = pathlib.Path("/sys/fs/cgroup")
#: Of mounts of any kind; the others of a mount of kind ``cgroup`` say which controllers it has.
_COMMON_OPTIONS = frozenset({"rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "xattr"})
_START_SECONDS = 60.0
_IMAGE = "lab"


def why_unavailable() -> t.Optional[str]:
    """Why no daemon can run here; None where one can."""
    for program in ("dockerd", "docker", "containerd", "iptables"):
        if shutil.which(program) is None:
            return "needs %s (Debian's docker.io): scripts/setup-system containers" % program
    if in_user_namespace():
        return "needs root: a daemon in a user namespace cannot make containers of its own"
    return None


def _mount_cgroups(host: Host) -> None:
    """Mounts in the host, whose /sys is its own, what control groups the machine has."""
    for line in pathlib.Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _source, where, kind, options = line.split()[:4]
        if pathlib.Path(where) != _CGROUPS and _CGROUPS not in pathlib.Path(where).parents:
            continue
        own = [option for option in options.split(",") if option not in _COMMON_OPTIONS]
        host.run(["mkdir", "-p", where])
        host.run(["mount", "-t", kind, *(["-o", ",".join(own)] if own and kind == "cgroup" else []), kind, where])


class Docker(Closing):
    """A daemon in a lab host that was made with the directories of :data:`PRIVATE`. A context manager.

    Containers have the machine's programs, and no image is fetched from anywhere.

    Args:
        data: A folder for its images and containers.
        options: Of dockerd(8), beside those that keep it to itself.
    """

    def __init__(self, host: Host, data: pathlib.Path, options: t.Sequence[str]) -> None:
        self._host = host
        self._log = (data / "log").open("w", encoding="utf-8")
        self._data = data
        _mount_cgroups(host)
        self._cgroup = "palisade-lab-%d-%d" % (os.getpid(), host.pid)
        self._process = host.popen(
            [
                "dockerd",
                "--host=%s" % _SOCKET,
                "--data-root=%s" % (data / "data"),
                "--exec-root=/run/docker",
                "--pidfile=/run/docker.pid",
                "--cgroup-parent=/%s" % self._cgroup,
                "--storage-driver=vfs",
                *options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._await_start()
            self._make_image()
        except BaseException:
            self.close()
            raise

    def _await_start(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while self._host.run(["docker", "--host", _SOCKET, "version"], check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LabError("dockerd did not start:\n%s" % (self._data / "log").read_text(encoding="utf-8")[-3000:])
            time.sleep(0.1)

    def _make_image(self) -> None:
        """An image of folders and links, behind which the machine's own /usr is mounted."""
        with tarfile.open(self._data / "image.tar", "w") as archive:
            for name in ("bin", "lib", "lib64", "sbin"):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, "usr/%s" % name
                archive.addfile(link)
            folder = tarfile.TarInfo("usr")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder, io.BytesIO())
        self.run("import", str(self._data / "image.tar"), _IMAGE)

    def run(self, *arguments: str) -> str:
        """What ``docker`` prints.

        Raises:
            LabError: It failed.
        """
        return self._host.run(["docker", "--host", _SOCKET, *arguments], timeout=120).stdout

    def publish(self, name: str, ports: t.Sequence[int]) -> None:
        """Starts a container that answers on TCP and UDP port 80, published as ``ports``."""
        published = ["--publish=%d:80/%s" % (port, protocol) for port in ports for protocol in ("tcp", "udp")]
        volumes = ["--volume=/usr:/usr:ro", "--volume=%s:/server.py:ro" % _SERVER]
        command = ["/usr/bin/python3", "-I", "-S", "/server.py", "tcp:80", "udp:80"]
        self.run("run", "--detach", "--interactive", "--name", name, *published, *volumes, _IMAGE, *command)
        deadline = time.monotonic() + _START_SECONDS
        while "ready" not in self.run("logs", name):
            if time.monotonic() > deadline:
                raise LabError("the container %s does not answer" % name)
            time.sleep(0.05)

    def close(self) -> None:
        """Ends containers and daemon, and removes what they leave outside of the host."""
        if self._process.poll() is None:
            names = self._host.run(["docker", "--host", _SOCKET, "ps", "-aq"], check=False).stdout.split()
            self._host.run(["docker", "--host", _SOCKET, "rm", "-f", *names], check=False)
            self._process.terminate()
            try:
                self._process.wait(timeout=_START_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()
        for root in (_CGROUPS, *_CGROUPS.glob("*")):
            for folder, _folders, _files in os.walk(root / self._cgroup, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
