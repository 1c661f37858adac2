# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking over from the real ufw and the real firewalld, also under fire; a program stands in for systemd."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import stat
import struct
import subprocess
import threading
import time
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.take_over import TakeOver
from ansible_collections.palisade.nftables.plugins.module_utils._host.ufw_chains import (
    UfwError,
    compose,
    empty_ufw_chains,
)
from lab.connections import Server
from lab.namespaces import Lab, default_private
from lab.reexec import LabUnavailableError, ensure_privileges
from tests.unit.plugins.module_utils._host.host_services import HostServices
from tests.unit.plugins.module_utils._host.manager_scene import START_SECONDS, Scene, need, start_firewalld

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost

#: What Docker adds to the tables of iptables, in short.
DOCKER = """\
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
-A FORWARD -j DOCKER
COMMIT
"""

#: Accepts one port, and refuses what the managers of the test refuse as well.
STRICT = """\
table inet palisade {
  chain input {
    type filter hook input priority 10; policy drop
    ct state established accept
    meta l4proto ipv6-icmp accept
    tcp dport 22 accept
  }
}
"""


@pytest.fixture
def host(tmp_path: pathlib.Path) -> HostServices:
    return HostServices(tmp_path)


@pytest.fixture
def scene(host: HostServices, network: LabHost) -> Scene:
    return Scene(host, network)


@pytest.fixture
def machine() -> t.Iterator[LabHost]:
    """A lab host with files of its own as well, for programs that keep some."""
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with Lab() as lab:
        yield lab.host("machine", default_private())


class TestFirewalld:
    def test_it_ends_and_the_rules_of_others_stay(self, host: HostServices, machine: LabHost) -> None:
        need("firewalld", "firewall-cmd", "dbus-daemon", "iptables")
        daemon = start_firewalld(machine)
        scene = Scene(host, machine)
        machine.run(["iptables-restore", "--noflush"], input=DOCKER)
        others = ["inet palisade", "ip filter", "ip nat"]
        before = [scene.show(table) for table in others]
        host.install("firewalld", active=True, enabled=True)
        host.boot_systemd()
        assert scene.names() == ["firewalld"]
        plan = scene.plan()
        assert plan.changes == (
            (
                "disable and mask firewalld.service, without stopping it (back: systemctl unmask firewalld.service; "
                "systemctl enable firewalld.service)"
            ),
            "end the process of firewalld.service, without its stop action (back: systemctl start firewalld.service)",
            (
                "delete the table 'inet firewalld' of firewalld, and with it what it did to forwarded packets "
                "(back: systemctl start firewalld.service)"
            ),
        )
        assert plan.remains == ()
        # The part of systemd that the program in its place cannot do.
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        assert "inet firewalld" in scene.tables()
        assert scene.take_over(plan) == TakeOver(plan.changes, ())
        assert sorted(scene.tables()) == others
        assert [scene.show(table) for table in others] == before
        assert scene.names() == []

    def test_one_that_has_not_loaded_its_rules_yet(self, scene: Scene) -> None:
        scene.host.install("firewalld", active=True)
        scene.host.boot_systemd()
        plan = scene.plan()
        scene.machine.nft("table inet firewalld {\n}\n")
        assert scene.take_over(plan).problems == ()
        assert scene.tables() == ["inet palisade"]

    def test_its_rules_in_tables_of_iptables_stay_and_are_named(self, scene: Scene) -> None:
        need("iptables")
        scene.iptables("-N", "INPUT_ZONES")
        scene.iptables("-A", "INPUT_ZONES", "-j", "DROP")
        (sentence,) = scene.plan().remains
        assert "rules of firewalld stay in the tables of iptables" in sentence

    def test_openrc_ends_no_daemon(self, scene: Scene) -> None:
        scene.host.write("/etc/init.d/firewalld")
        scene.host.link("/run/openrc/started/firewalld", "/etc/init.d/firewalld")
        scene.machine.nft("table inet firewalld {\n  chain filter_INPUT {\n  }\n}\n")
        plan = scene.plan()
        assert plan.changes == ()
        (sentence,) = plan.remains
        assert "'rc-service firewalld stop' ends it" in sentence


class TestUfw:
    def test_its_chains_are_emptied_and_come_back(self, host: HostServices, machine: LabHost) -> None:
        need("ufw", "iptables")
        for command in (["ufw", "allow", "22/tcp"], ["ufw", "--force", "enable"]):
            machine.run(command)
        scene = Scene(host, machine)
        machine.run(["iptables-restore", "--noflush"], input=DOCKER)
        before = scene.iptables("-S")
        ours = scene.show("inet palisade")
        host.install("ufw", active=True, enabled=True)
        host.write("/etc/ufw/ufw.conf", "# ufw\nENABLED=yes\nLOGLEVEL=low\n")
        os.chmod(host.root / "etc/ufw/ufw.conf", 0o640)
        host.boot_systemd()
        assert scene.names() == ["ufw"]
        plan = scene.plan()
        assert scene.take_over(plan) == TakeOver(plan.changes, ())
        assert len(plan.changes) == 3

        assert host.read("/etc/ufw/ufw.conf") == "# ufw\nENABLED=no\nLOGLEVEL=low\n"
        assert stat.S_IMODE(os.stat(host.root / "etc/ufw/ufw.conf").st_mode) == 0o640
        assert scene.show("inet palisade") == ours
        for program in ("iptables", "ip6tables"):
            rules = machine.run([program, "-S"]).stdout.splitlines()
            assert {"-P INPUT ACCEPT", "-P OUTPUT ACCEPT"} <= set(rules)
            assert not [rule for rule in rules if rule.startswith("-A ufw") and rule.split()[1].endswith("put")]
        kept = [rule for rule in before if "forward" in rule or "FORWARD" in rule or "DOCKER" in rule]
        assert "-P FORWARD DROP" in kept
        assert "-A FORWARD -j DOCKER" in kept
        assert [rule for rule in scene.iptables("-S") if rule in kept] == kept
        assert scene.names() == []

        # What the sentences say takes it back.
        machine.run(["ufw", "--force", "enable"])
        assert sorted(scene.iptables("-S")) == sorted(before)

    def test_ipv6_that_is_closed_without_chains_is_opened(self, host: HostServices, machine: LabHost) -> None:
        need("ufw", "iptables")
        machine.run(["sed", "-i", "s/^IPV6=.*/IPV6=no/", "/etc/default/ufw"])
        machine.run(["ufw", "--force", "enable"])
        scene = Scene(host, machine)
        assert "-P INPUT DROP" in machine.run(["ip6tables", "-S"]).stdout
        assert scene.take_over(scene.plan()).problems == ()
        assert "DROP" not in machine.run(["ip6tables", "-S", "INPUT"]).stdout

    def test_what_is_enabled_and_not_loaded(self, scene: Scene) -> None:
        scene.host.install("ufw", enabled=True)
        scene.host.write("/etc/ufw/ufw.conf", "ENABLED='yes'")
        scene.host.boot_systemd()
        plan = scene.plan()
        assert len(plan.changes) == 2
        assert plan.remains == ()
        scene.take_over(plan)
        assert scene.host.read("/etc/ufw/ufw.conf") == "ENABLED=no\n"

    def test_a_refusal_of_iptables_is_told(self, host: HostServices) -> None:
        for name in ("iptables-save", "ip6tables-save"):
            host.program(name, "#!/bin/sh\necho ':ufw-before-input - [0:0]'\n")
        for name in ("iptables-restore", "ip6tables-restore"):
            host.program(name, "#!/bin/sh\necho 'line 2 failed' >&2\nexit 1\n")
        with pytest.raises(UfwError, match="iptables-restore failed: line 2 failed"):
            empty_ufw_chains(host.search_path)

    def test_rules_of_anybody_else_are_left_alone(self) -> None:
        assert compose("*filter\n:INPUT DROP [0:0]\n:DOCKER - [0:0]\n-A INPUT -j DROP\nCOMMIT\n") == ()


class Caller:
    """Opens connections without a pause: to a port that is open throughout, and to one that is closed throughout."""

    #: Where linux/tcp.h has tcpi_total_retrans in struct tcp_info: what TCP sent again was dropped before.
    _SENT_AGAIN = 100

    def __init__(self, host: LabHost) -> None:
        self.connected = 0
        self.dropped = 0
        self.let_through = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=host.call, args=(self._call,))

    def __enter__(self) -> Caller:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def await_more(self, number: int) -> None:
        """Waits until so many more were answered, or one was not."""
        wanted = self.connected + number
        deadline = time.monotonic() + START_SECONDS
        while self.connected < wanted and not self.dropped and time.monotonic() < deadline:
            time.sleep(0.005)

    def _call(self) -> None:
        waiting = []
        addresses = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
        while not self._stop.is_set():
            for family, address in addresses:
                with socket.socket(family) as opened:
                    opened.settimeout(START_SECONDS)
                    opened.connect((address, 22))
                    state = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, self._SENT_AGAIN + 4)
                self.dropped += struct.unpack_from("=I", state, self._SENT_AGAIN)[0]
                self.connected += 1
                closed = socket.socket(family)
                closed.setblocking(False)
                closed.connect_ex((address, 23))
                waiting.append(closed)
            while len(waiting) > 200:
                self._look(waiting.pop(0))
        for closed in waiting:
            self._look(closed)

    def _look(self, closed: socket.socket) -> None:
        with closed:
            try:
                closed.getpeername()
            except OSError:
                return
            self.let_through += 1


def _listen_drops(host: LabHost) -> int:
    """Calls that no firewall dropped, but a listener that had too many waiting (ListenDrops of proc/net/netstat)."""
    lines = host.call(pathlib.Path("/proc/thread-self/net/netstat").read_text).splitlines()
    names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    return int(values[names.index("ListenDrops")])


@pytest.mark.alone
class TestUnderFire:
    """No connection that is allowed is refused, and none that is refused is let through, while others go."""

    @pytest.mark.parametrize("manager", ["ufw", "firewalld", "nftables"])
    def test_not_one_packet_is_decided_otherwise(self, host: HostServices, machine: LabHost, manager: str) -> None:
        with Lab() as lab:
            outsider = lab.host("outsider", {})
            addresses = ("192.0.2.1/24", "2001:db8::1/64"), ("192.0.2.2/24", "2001:db8::2/64")
            lab.connect(machine, outsider, addresses=addresses)
            daemon = self._start(manager, host, machine)
            scene = Scene(host, machine, STRICT)
            with Server(machine, tcp=(22, 23)), Caller(outsider) as caller:
                caller.await_more(50)
                if daemon is not None:
                    daemon.send_signal(signal.SIGKILL)
                    daemon.wait()
                plan = scene.plan()
                assert len(plan.changes) >= 2
                assert scene.take_over(plan).problems == ()
                caller.await_more(50)
            assert caller.connected >= 100
            # A busy server may not take calls as fast as they come. The kernel counts what it drops for that.
            assert (caller.dropped - _listen_drops(machine), caller.let_through) == (0, 0)
            # It was the other manager's table, too, that refused; ours does now, alone.
            assert scene.names() == []

    @staticmethod
    def _start(manager: str, host: HostServices, machine: LabHost) -> t.Optional[subprocess.Popen[t.Any]]:
        daemon = None
        host.install(manager, active=True, enabled=True)
        if manager == "ufw":
            need("ufw", "iptables")
            for command in (["ufw", "allow", "22/tcp"], ["ufw", "--force", "enable"]):
                machine.run(command)
            host.write("/etc/ufw/ufw.conf", "ENABLED=yes\n")
        elif manager == "firewalld":
            need("firewalld", "firewall-cmd", "dbus-daemon")
            daemon = start_firewalld(machine)
        else:
            text = STRICT.replace("palisade", "filter")
            machine.nft(text)
            host.write("/etc/nftables.conf", text)
        host.boot_systemd()
        return daemon
