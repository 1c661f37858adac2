# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman itself, in a lab host, with its storage and its networks in folders of the test."""

from __future__ import annotations

import pathlib
import shutil
import time
import typing as t

from lab.closing import Closing
from lab.namespaces import LabError
from lab.reexec import in_user_namespace

if t.TYPE_CHECKING:
    from lab.namespaces import Host

#: Directories that it writes to, of the host's own.
PRIVATE: t.Mapping[str, str] = {"/etc": "overlay", "/run": "empty", "/var/lib": "overlay"}

_NETAVARK = (pathlib.Path("/usr/lib/podman/netavark"), pathlib.Path("/usr/libexec/podman/netavark"))
_SERVER = pathlib.Path(__file__).resolve().parents[2] / "lab" / "server.py"
_START_SECONDS = 60.0
_NETWORK = "lab"


def why_unavailable() -> t.Optional[str]:
    """Why it cannot run here; None where it can."""
    for program in ("podman", "crun", "iptables"):
        if shutil.which(program) is None:
            return "needs %s: scripts/setup-system containers" % program
    if not any(path.exists() for path in _NETAVARK):
        return "needs netavark: scripts/setup-system containers"
    if in_user_namespace():
        return "needs root: without, Podman publishes by a process, which is no forwarding"
    return None


class Podman(Closing):
    """Podman as root, with netavark, in a lab host that was made with the directories of :data:`PRIVATE`.

    Containers have the machine's programs, and no image is fetched from anywhere. A context manager.

    Args:
        data: A folder for its containers.
    """

    def __init__(self, host: Host, data: pathlib.Path) -> None:
        self._host = host
        self._command = [
            "podman",
            "--root=%s" % (data / "store"),
            "--runroot=/run/podman",
            "--storage-driver=vfs",
            "--cgroup-manager=cgroupfs",
            "--network-backend=netavark",
            "--network-config-dir=%s" % (data / "networks"),
        ]
        self._root = data / "root"
        for name in ("usr", "proc", "sys", "dev", "etc", "run", "tmp"):
            (self._root / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (self._root / name).symlink_to("usr/%s" % name)
        # crun reads there what kind of control groups the machine has, and takes no mixture of both.
        host.run(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"])
        subnets = ("--subnet=192.0.2.0/24", "--subnet=2001:db8:c::/64")
        self.run("network", "create", "--ipv6", "--disable-dns", *subnets, _NETWORK)

    def run(self, *arguments: str) -> str:
        """What ``podman`` prints.

        Raises:
            LabError: It failed.
        """
        return self._host.run([*self._command, *arguments], timeout=120).stdout

    def publish(self, name: str, ports: t.Sequence[int]) -> None:
        """Starts a container that answers on TCP and UDP port 80, published as ``ports``."""
        published = ["--publish=%d:80/%s" % (port, protocol) for port in ports for protocol in ("tcp", "udp")]
        volumes = ["--volume=/usr:/usr:ro", "--volume=%s:/server.py:ro" % _SERVER]
        command = ["/usr/bin/python3", "-I", "-S", "/server.py", "tcp:80", "udp:80"]
        options = ["--detach", "--interactive", "--cgroups=disabled", "--network=%s" % _NETWORK, "--name=%s" % name]
        self.run("run", *options, *published, *volumes, "--rootfs", str(self._root), *command)
        deadline = time.monotonic() + _START_SECONDS
        while "ready" not in self.run("logs", name):
            if time.monotonic() > deadline:
                raise LabError("the container %s does not answer" % name)
            time.sleep(0.05)

    def close(self) -> None:
        """Ends the containers."""
        self._host.run([*self._command, "rm", "--all", "--force", "--time=0"], check=False)
