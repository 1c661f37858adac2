# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that others keep rules on, what runs do there, and packets that go on meanwhile."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import re
import socket
import threading
import time
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._host.apply import run
from ansible_collections.palisade.nftables.plugins.module_utils._host.confirm import Confirm, Phase
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host, Options, Result
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost
    from lab.namespaces import Lab

HOST_ADDRESS = "203.0.113.1"
#: Somebody whom nobody bans.
VISITOR = "203.0.113.10"
PORT = 5000

_OPEN = {"direction": "ingress", "protocol": "udp", "destination_ports": PORT, "action": "accept"}
_POLICIES = {**OFFICE_AND_WEB["firewall_policies"], "knock": {"rules": [_OPEN]}}

FIRST: t.Mapping[str, t.Any] = {
    **OFFICE_AND_WEB,
    "firewall_policies": _POLICIES,
    "firewall_assigned": ["ssh", "web", "knock"],
}
#: Other sets, other rules, and a direction more.
SECOND: t.Mapping[str, t.Any] = {
    **FIRST,
    "firewall_networks": {"office": ["198.51.100.0/25", "203.0.113.9", "2001:db8:2::/48"]},
    "firewall_assigned": ["knock", "ssh"],
    "firewall_default_egress": "drop",
    "firewall_log_dropped": True,
}
#: Without the way in.
SHUT: t.Mapping[str, t.Any] = {**FIRST, "firewall_assigned": ["web"]}

#: Seconds until a change that nobody confirms is taken back.
_PATIENCE = 1

_LISTINGS: t.Mapping[str, t.Sequence[str]] = {
    # With handles: an object that was made again, however alike, has another.
    "nft": ("nft", "--stateless", "--handle", "list", "ruleset"),
    # What nft shows of their extensions is not all that there is.
    "iptables": ("iptables-nft-save",),
    "ip6tables": ("ip6tables-nft-save",),
    "iptables-legacy": ("iptables-legacy-save",),
    "ip6tables-legacy": ("ip6tables-legacy-save",),
}
_OURS = re.compile(r"^table inet palisade \{.*?^\}\n", re.MULTILINE | re.DOTALL)
#: The time of the listing, and how many packets have come.
_PASSING = re.compile(r"^#.*\n|\[[0-9]+:[0-9]+\]", re.MULTILINE)


@dataclasses.dataclass
class Scene:
    """``machine`` has the neighbours, ``outside`` is where packets come from; our files lie below ``root``."""

    machine: LabHost
    outside: LabHost
    root: pathlib.Path

    def rules_of_others(self) -> t.Dict[str, str]:
        """Every rule on the host but ours, as text."""
        found = {}
        for name, command in _LISTINGS.items():
            text = self.machine.run(command).stdout
            found[name] = _OURS.sub("", text) if name == "nft" else _PASSING.sub("", text)
        return found

    def ours(self) -> str:
        """Our table; empty where there is none."""
        return self.machine.run(["nft", "-s", "list", "table", "inet", "palisade"], check=False).stdout

    def run(self, **options: t.Any) -> Result:
        """A run of the module, without ssh."""
        host = Host(str(self.root), environ={})
        return t.cast("Result", self.machine.call(run, Options(connection="podman", **options), host))

    def begin(self, variables: t.Mapping[str, t.Any], timeout: int = 600) -> str:
        """Makes a change that waits for its confirmation, and returns its token."""
        result = self.run(variables=variables, confirm=Confirm(Phase.BEGIN, timeout))
        return str(result["confirmation"]["token"])

    def confirm(self, variables: t.Mapping[str, t.Any], token: str) -> None:
        """Keeps a change that waits."""
        self.run(variables=variables, confirm=Confirm(Phase.CONFIRM, token=token))

    def change(self, variables: t.Mapping[str, t.Any]) -> None:
        """Makes a change and confirms it."""
        self.confirm(variables, self.begin(variables))

    def shut_and_wait(self) -> None:
        """Makes a change that nobody confirms, and waits until the host has taken it back."""
        before = self.ours()
        self.begin(SHUT, _PATIENCE)
        deadline = time.monotonic() + 30
        while self.ours() != before or (self.root / "run/palisade/pending.json").exists():
            assert time.monotonic() < deadline, "nothing took the change back"
            time.sleep(0.05)


def open_scene(lab: Lab, root: pathlib.Path, private: t.Mapping[str, str]) -> Scene:
    """A host without neighbours yet."""
    for folder in ("etc/systemd/system", "run"):
        (root / folder).mkdir(parents=True)
    machine, outside = lab.host("machine", private), lab.host("outside", {})
    addresses = [HOST_ADDRESS + "/24", "2001:db8::1/64"], [VISITOR + "/24", "2001:db8::10/64"]
    lab.connect(machine, outside, addresses=addresses)
    return Scene(machine, outside, root)


class Knocking:
    """Datagrams without a pause, to a service of the machine that notes who got through. A context manager."""

    def __init__(self, scene: Scene, sources: t.Iterable[str]) -> None:
        self.sent = dict.fromkeys(sources, 0)
        self.arrived = dict.fromkeys(self.sent, 0)
        self._round = 0
        self._latest = dict(self.sent)
        self._stack = contextlib.ExitStack()
        self._end = threading.Event()
        self._listener = self._socket(scene.machine, HOST_ADDRESS, PORT)
        self._senders = {source: self._socket(scene.outside, source, 0) for source in self.sent}
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._listen)]

    def _socket(self, host: LabHost, address: str, port: int) -> socket.socket:
        one = self._stack.enter_context(host.socket(socket.AF_INET, socket.SOCK_DGRAM))
        one.bind((address, port))
        one.settimeout(0.2)
        return one

    def __enter__(self) -> Knocking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()
        self._stack.close()

    def _send(self) -> None:
        while not self._end.wait(0.001):
            self._round += 1
            for source, sender in self._senders.items():
                # fail2ban says no: the error is reported by the next call.
                with contextlib.suppress(OSError):
                    sender.sendto(b"%d" % self._round, (HOST_ADDRESS, PORT))
                self.sent[source] += 1

    def _listen(self) -> None:
        while not self._end.is_set():
            with contextlib.suppress(socket.timeout):
                data, (source, _port) = self._listener.recvfrom(64)
                self.arrived[source] += 1
                self._latest[source] = int(data)

    def await_rounds(self, least: int) -> None:
        """Waits until everybody has sent so many, from the beginning."""
        deadline = time.monotonic() + 60
        while min(self.sent.values()) < least:
            assert time.monotonic() < deadline, "nobody knocks"
            time.sleep(0.005)

    def await_one_more(self, source: str) -> None:
        """Waits for a datagram of this source that was sent after this call; all from before is counted then."""
        now, deadline = self._round, time.monotonic() + 10
        while self._latest[source] <= now:
            assert time.monotonic() < deadline, "nothing of %s gets through" % source
            time.sleep(0.005)
