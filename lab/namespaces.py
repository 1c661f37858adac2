# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts of the lab: namespaces with their own network, processes, host name and private directories.

Nothing here has a name outside: a host lives as long as its first process, which ends with the lab
in whichever way the lab ends, killed included. The machine's own namespaces are never touched.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import typing as t

from .closing import Closing
from .reexec import in_user_namespace

_HOLDER = pathlib.Path(__file__).with_name("holder.py")

_CLONE_NEWNET = 0x40000000  # linux/sched.h

#: Longest that a holder may take to start or to end; both take some tens of milliseconds.
_HOLDER_SECONDS = 30.0

#: No address waits for duplicate detection, and the kernel speaks of itself as little as possible:
#: what passes the hooks of a lab host is what a test sent.
_QUIET: t.Mapping[str, int] = {
    # What one machine sets for all, another leaves to the distribution.
    "net/ipv4/conf/%s/rp_filter": 0,
    "net/ipv6/conf/%s/accept_dad": 0,
    "net/ipv6/conf/%s/dad_transmits": 0,
    "net/ipv6/conf/%s/accept_ra": 0,
    "net/ipv6/conf/%s/autoconf": 0,
    "net/ipv6/conf/%s/router_solicitations": 0,
}

_T = t.TypeVar("_T")


class LabError(RuntimeError):
    """The lab itself failed, whatever the ruleset under test does."""


def default_private() -> t.Dict[str, str]:
    """Directories that a host has for itself, so that a role run there leaves the machine alone.

    In a user namespace the machine's files belong to nobody: /etc is copied, and /var/lib, which
    may hold gigabytes, starts empty.
    """
    return {"/etc": "overlay", "/run": "empty", "/var/lib": "empty" if in_user_namespace() else "overlay"}


class HostProcess(subprocess.Popen[t.Any]):
    """A process inside a host. Signals go to it, not to the nsenter that waits for it outside."""

    def send_signal(self, number: int) -> None:
        if self.poll() is not None:
            return
        # Killing nsenter would orphan the process; nsenter ends with it, and with its exit status.
        with contextlib.suppress(ProcessLookupError):
            os.kill(_only_child(self.pid) or self.pid, number)


def _only_child(pid: int) -> int:
    """The process that ``pid`` started and waits for, 0 where there is none (yet)."""
    for name in os.listdir("/proc"):
        if name.isdigit() and _parent(name) == pid:
            return int(name)
    return 0


def _parent(pid: str) -> int:
    try:
        with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as handle:
            return int(handle.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


class Host:
    """One host. Made by :meth:`Lab.host`.

    Attributes:
        name: Its name in the lab, and its host name.
        pid: Its first process, as numbered outside.
    """

    def __init__(self, name: str, private: t.Mapping[str, str]) -> None:
        self.name = name
        self._closed = False
        # Files of the machine's root belong to nobody in a user namespace, and an overlay keeps that.
        wanted = {"hostname": name, "private": dict(private), "can_overlay": not in_user_namespace()}
        specification = json.dumps(wanted)
        command = ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child"]
        self._holder = subprocess.Popen(
            [*command, sys.executable, "-I", "-S", str(_HOLDER), specification],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Ctrl-C is for the lab, which still has to look at its hosts while it cleans up.
            start_new_session=True,
        )
        self._network = -1
        self.pid = 0

    def _await_start(self) -> None:
        """Waits until the holder is ready; hosts that were made together start together.

        Raises:
            LabError: It did not start.
        """
        assert self._holder.stdout is not None
        line = self._holder.stdout.readline()
        if not line.strip().isdigit():
            _, problem = self._holder.communicate(timeout=_HOLDER_SECONDS)
            raise LabError("the host %r did not start: %s" % (self.name, problem.strip()))
        self.pid = int(line)
        self._network = os.open("/proc/%d/ns/net" % self.pid, os.O_RDONLY | os.O_CLOEXEC)
        for name, value in _QUIET.items():
            for scope in ("all", "default"):
                self.sysctl(name % scope, value)

    # Processes

    @property
    def enter_command(self) -> t.List[str]:
        """The beginning of a command line that runs the rest inside this host."""
        self._check_open()
        return ["nsenter", "--target", str(self.pid), "--net", "--mount", "--uts", "--pid", "--"]

    def command(self, command: t.Sequence[str]) -> t.List[str]:
        """The command line that runs ``command`` inside this host, in the caller's working directory."""
        return [*self.enter_command, "env", "--chdir=" + os.getcwd(), *command]

    def popen(self, command: t.Sequence[str], **options: t.Any) -> HostProcess:
        """Starts a process inside this host; ``options`` are those of :class:`subprocess.Popen`."""
        return HostProcess(self.command(command), **options)

    def run(
        self,
        command: t.Sequence[str],
        *,
        check: bool = True,
        input: str = "",  # noqa: A002 - the name that subprocess.run gives it
        timeout: t.Optional[float] = None,
        env: t.Optional[t.Mapping[str, str]] = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command inside this host and captures what it prints, as text.

        Raises:
            LabError: ``check`` holds and the command failed; the message has what it printed.
            subprocess.TimeoutExpired: It took more than ``timeout`` seconds, and was killed.
        """
        pipe = subprocess.PIPE
        with self.popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env) as process:
            try:
                output, problem = process.communicate(input, timeout=timeout)
            except BaseException:
                process.kill()
                raise
        done = subprocess.CompletedProcess(list(command), process.returncode, output, problem)
        if check and done.returncode != 0:
            shown = shlex.join(command)
            raise LabError("%s: %s: exit status %d\n%s" % (self.name, shown, done.returncode, problem.strip()))
        return done

    def nft(self, text: str) -> None:
        """Loads nft text.

        Raises:
            LabError: nft refused it.
        """
        self.run(["nft", "-f", "-"], input=text)

    def python_wrapper(self, path: t.Union[str, os.PathLike[str]], python: str = sys.executable) -> pathlib.Path:
        """Writes an executable that runs Python inside this host: an ansible_python_interpreter for a local connection.

        It refuses once the host is gone, so that nothing meant for the lab runs on the machine itself.
        """
        link = "/proc/%d/ns/net" % self.pid
        namespace = os.readlink(link)
        script = pathlib.Path(path)
        enter = shlex.join(self.enter_command)
        script.write_text(
            "#!/bin/sh\n"
            'if [ "$(readlink %(link)s)" != "%(namespace)s" ]; then\n'
            '  echo "the lab host %(name)s is gone" >&2\n'
            "  exit 125\n"
            "fi\n"
            'exec %(enter)s env --chdir="$PWD" %(python)s "$@"\n'
            % {
                "link": link,
                "namespace": namespace,
                "name": self.name,
                "enter": enter,
                "python": shlex.quote(python),
            },
            encoding="utf-8",
        )
        script.chmod(0o755)
        return script

    def path(self, inside: str) -> pathlib.Path:
        """Where a file of this host is found from outside; links that are absolute lead outside again."""
        self._check_open()
        return pathlib.Path("/proc/%d/root" % self.pid) / inside.lstrip("/")

    # Network, from this process

    def call(self, function: t.Callable[..., _T], *arguments: t.Any) -> _T:
        """Calls a function on a thread inside this host's network. What it opens there stays there.

        Only the network is the host's: files are the caller's, except for /proc/sys/net.
        """
        self._check_open()
        # The thread ends with the call: it could not find its way back.
        with concurrent.futures.ThreadPoolExecutor(1, "lab-" + self.name, _enter_network, (self._network,)) as thread:
            return thread.submit(function, *arguments).result()

    def socket(self, *arguments: t.Any) -> socket.socket:
        """A socket of this host, in this process; arguments as for :class:`socket.socket`."""
        return self.call(socket.socket, *arguments)

    def sysctl(self, name: str, value: t.Union[int, str]) -> None:
        """Sets a network setting, such as ``net/ipv4/ip_forward``."""
        self.call((pathlib.Path("/proc/sys") / name).write_text, str(value))

    def ip(self, *lines: str, family: str = "") -> None:
        """Runs ip(8) commands, one a line, without the leading word; ``family`` is ``-4`` or ``-6`` for all.

        Only the network is entered: other hosts are named by their process numbers outside.

        Raises:
            LabError: ip refused one.
        """
        self._check_open()
        command = ["nsenter", "--target", str(self.pid), "--net", "--", "ip", *family.split(), "-batch", "-"]
        text = "\n".join(lines) + "\n"
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError("%s: ip: %s\n%s" % (self.name, done.stderr.strip(), text))

    def add_addresses(self, interface: str, addresses: t.Iterable[str]) -> None:
        """Gives an interface addresses with their prefix lengths and takes it up. IPv6 ones are usable at once."""
        lines = [
            "address add %s dev %s%s" % (address, interface, " nodad" if ":" in address else "")
            for address in addresses
        ]
        self.ip(*lines, "link set %s up" % interface)

    # End

    def _check_open(self) -> None:
        if self._closed or self._holder.poll() is not None:
            raise LabError("the lab host %r is gone" % self.name)

    def _begin_close(self) -> None:
        self._closed = True
        # Reading the end of its input, the holder exits, the kernel kills the rest of the host, and unshare,
        # which waits for the holder, exits last. A kill only shortens that.
        with contextlib.suppress(OSError):
            t.cast("t.IO[str]", self._holder.stdin).close()
        if self.pid and self._holder.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _finish_close(self) -> None:
        try:
            self._holder.wait(timeout=_HOLDER_SECONDS)
        except subprocess.TimeoutExpired as exc:
            raise LabError("the host %r did not end" % self.name) from exc
        for stream in (self._holder.stdout, self._holder.stderr):
            t.cast("t.IO[str]", stream).close()
        if self._network >= 0:
            os.close(self._network)
            self._network = -1


def _enter_network(descriptor: int) -> None:
    """Moves the calling thread into a network namespace, for good.

    Raises:
        OSError: The kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "setns: %s" % os.strerror(number))


class Segment:
    """An Ethernet segment: a bridge in a namespace of its own. Made by :meth:`Lab.segment`."""

    def __init__(self, name: str, switch: Host) -> None:
        self.name = name
        self._switch = switch
        self._ports = 0
        switch.ip("link add name br0 type bridge", "link set br0 up")

    def attach(self, host: Host, addresses: t.Iterable[str] = (), interface: str = "eth0") -> None:
        """Gives a host an interface on this segment, with addresses such as ``192.0.2.10/24``; usable at once."""
        port = "port%d" % self._ports
        self._ports += 1
        self._switch.ip(
            "link add name %s type veth peer name %s netns %d" % (port, interface, host.pid),
            "link set %s master br0" % port,
            "link set %s up" % port,
        )
        host.add_addresses(interface, addresses)


class Lab(Closing):
    """Hosts and what connects them. A context manager: leaving it removes everything.

    What started inside a host is killed with it. A lab whose own process is killed goes as well.
    """

    def __init__(self) -> None:
        self.hosts: t.Dict[str, Host] = {}
        self._switches: t.List[Host] = []
        self._closed = False

    def host(self, name: str, private: t.Optional[t.Mapping[str, str]] = None) -> Host:
        """Makes a host.

        Args:
            name: Unique in this lab; also the host name.
            private: Directories of the host's own, each ``overlay`` (shows the machine's, keeps
                changes to itself) or ``empty``; :func:`default_private` where none are given,
                ``{}`` for a host that needs only its network.
        """
        return self.hosts_named([name], private)[0]

    def hosts_named(self, names: t.Iterable[str], private: t.Optional[t.Mapping[str, str]] = None) -> t.List[Host]:
        """Makes several hosts at once, which is quicker than one after another."""
        wanted = default_private() if private is None else private
        for directory, kind in wanted.items():
            if kind not in ("overlay", "empty"):
                raise ValueError("%s: %r is neither 'overlay' nor 'empty'" % (directory, kind))
        made: t.List[Host] = []
        for name in names:
            if name in self.hosts:
                raise ValueError("the lab has a host %r already" % name)
            self.hosts[name] = Host(name, wanted)
            made.append(self.hosts[name])
        for host in made:
            host._await_start()
        return made

    def segment(self, name: str = "lan") -> Segment:
        """Makes an Ethernet segment that hosts can be attached to."""
        switch = Host(name, {})
        self._switches.append(switch)
        switch._await_start()
        return Segment(name, switch)

    def connect(
        self,
        first: Host,
        second: Host,
        interfaces: t.Tuple[str, str] = ("eth0", "eth0"),
        addresses: t.Tuple[t.Iterable[str], t.Iterable[str]] = ((), ()),
    ) -> None:
        """Connects two hosts directly, by a pair of interfaces, one in each."""
        first.ip("link add name %s type veth peer name %s netns %d" % (interfaces[0], interfaces[1], second.pid))
        first.add_addresses(interfaces[0], addresses[0])
        second.add_addresses(interfaces[1], addresses[1])

    def close(self) -> None:
        """Removes every host and segment; further calls do nothing."""
        everything = [*self.hosts.values(), *self._switches]
        self.hosts = {}
        self._switches = []
        for host in everything:
            host._begin_close()
        for host in everything:
            host._finish_close()
