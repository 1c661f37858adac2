# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that are open, begin or end at any step of the first deploy.

The kernel begins to track connections in the middle of it. A run is stopped at each of its steps, and there
connections begin, are used and end, by real sockets. What the kernel remembers of them must be right: nothing that was
open is cut, a caller can call again at once from the port that it had, and what the rules refuse is refused.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import socket
import struct
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import open_connections
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import Nft
from lab.calls import sent_again
from lab.namespaces import Host, Lab
from lab.reexec import LabUnavailableError, ensure_privileges

from .test_flood import Changes, Network, network

__all__ = ["network"]

pytestmark = pytest.mark.alone

_ALLOWED, _OTHER = 22, 8080

#: Less than the second after which a call that nobody answered is made again (RFC 6298, 2.1).
_SECONDS = 0.9
_LINK_SECONDS = 15.0

_RESETS = struct.pack("ii", 1, 0)
_CALLER = {4: "192.0.2.20", 6: "2001:db8::20"}

Step = t.Callable[[], object]


class Policy:
    """Ingress to one port, and nothing else either way; or no rule at all."""

    def __init__(self, *, restricts: bool = True, layout: str = "auto", port: int = _ALLOWED) -> None:
        self.restricts = restricts
        self._layout = layout
        self._port = port

    def variables(self) -> t.Dict[str, t.Any]:
        rule = {"direction": "ingress", "protocol": "tcp", "destination_ports": [self._port], "action": "accept"}
        default = "drop" if self.restricts else "accept"
        return {
            "firewall_policies": {"allowed": {"rules": [rule]}},
            "firewall_assigned": ["allowed"] if self.restricts else [],
            "firewall_default_policies": [],
            "firewall_default_ingress": default,
            "firewall_default_egress": default,
            "firewall_layout": self._layout,
        }


class Scene:
    """The host under test, and one that calls it."""

    def __init__(self, host: Host, caller: Host, network: Network) -> None:
        self.host = host
        self._caller = caller
        self._network = network
        self._family = socket.AF_INET if network.family == 4 else socket.AF_INET6
        self._own, self._other = network.own, _CALLER[network.family]
        self._closing = contextlib.ExitStack()
        self._listeners = {port: self._listen(port) for port in (_ALLOWED, _OTHER)}

    def _listen(self, port: int) -> socket.socket:
        opened = self._opened(self.host, socket.SOCK_STREAM, self._own, port)
        opened.listen()
        return opened

    def _opened(self, host: Host, kind: int, address: str, port: int) -> socket.socket:
        opened = self._closing.enter_context(host.socket(self._family, kind))
        opened.settimeout(_SECONDS)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        return opened

    def call(self, port: int, own_port: int = 0, seconds: float = _SECONDS) -> Call:
        """A new connection.

        Raises:
            TimeoutError: Nobody answered in time: as a rule, the first time.
        """
        calling = self._opened(self._caller, socket.SOCK_STREAM, self._other, own_port)
        calling.settimeout(seconds)
        try:
            calling.connect((self._own, port))
        except OSError:
            calling.close()
            raise
        calling.settimeout(_SECONDS)
        answering = self._closing.enter_context(self._listeners[port].accept()[0])
        answering.settimeout(_SECONDS)
        return Call(calling, answering)

    def datagrams(self, port: int) -> Call:
        """Two sockets of UDP that are connected with each other."""
        calling = self._opened(self._caller, socket.SOCK_DGRAM, self._other, port)
        answering = self._opened(self.host, socket.SOCK_DGRAM, self._own, port)
        calling.connect((self._own, port))
        answering.connect((self._other, port))
        return Call(calling, answering)

    def sent_again(self) -> int:
        """How many segments either side has sent a second time."""
        return sum(map(sent_again, (self.host, self._caller)))

    def close(self) -> None:
        self._closing.close()


class Call(t.NamedTuple):
    """Both ends of a connection."""

    calling: socket.socket
    answering: socket.socket

    @property
    def port(self) -> int:
        """The caller's."""
        return int(self.calling.getsockname()[1])

    def speak(self, *, host_first: bool = True) -> None:
        """An octet each way.

        Raises:
            TimeoutError: One did not arrive.
        """
        ends = (self.answering, self.calling) if host_first else (self.calling, self.answering)
        for source, target in (ends, ends[::-1]):
            source.send(b"!")
            assert target.recv(1) == b"!"

    def reset_by_caller(self) -> None:
        """Ends the connection at once; the host learns of it."""
        self.calling.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
        self.calling.close()
        with pytest.raises(ConnectionResetError):
            self.answering.recv(1)
        self.answering.close()

    def close_by_host(self) -> None:
        """Ends the connection in order, the host first."""
        self.answering.close()
        assert self.calling.recv(1) == b""
        self.calling.close()


@pytest.fixture
def scene(network: Network) -> t.Iterator[Scene]:
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with Lab() as lab:
        host, caller = lab.hosts_named(["host", "caller"], {})
        length = 24 if network.family == 4 else 64
        addresses = ["%s/%d" % (address, length) for address in (network.own, _CALLER[network.family])]
        lab.connect(host, caller, addresses=(addresses[:1], addresses[1:]))
        one = Scene(host, caller, network)
        try:
            # Until the link is up, and each knows the other's address.
            one.call(_OTHER, seconds=_LINK_SECONDS).reset_by_caller()
            yield one
        finally:
            one.close()


class Steps:
    """Stops the runs in this process at each of their steps.

    A step is before and after each load of nft, and after each look at the sockets.
    """

    def __init__(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed: t.List[str] = []
        self._actions: t.Dict[str, Step] = {}
        self._always: t.Optional[Step] = None
        self._loads = 0
        namespace = os.readlink("/proc/%d/ns/net" % scene.host.pid)
        load, find = Nft.load, open_connections.find_connections

        @functools.wraps(load)
        def stopping_load(nft: Nft, text: str, **named: t.Any) -> None:
            if os.readlink("/proc/thread-self/ns/net") != namespace:
                load(nft, text, **named)
                return
            self._loads += 1
            name = "load %d" % self._loads
            self._pass("before " + name)
            load(nft, text, **named)
            self._pass("after " + name)

        @functools.wraps(find)
        def stopping_find(*arguments: t.Any, **named: t.Any) -> t.Any:
            found = find(*arguments, **named)
            self._pass("looked")
            return found

        monkeypatch.setattr(Nft, "load", stopping_load)
        monkeypatch.setattr(open_connections, "find_connections", stopping_find)

    def at_each(self, action: Step) -> None:
        self._always = action

    def at(self, name: str, action: Step) -> None:
        """Once, at the first step of this name."""
        self._actions[name] = action

    def _pass(self, name: str) -> None:
        self.passed.append(name)
        action = self._actions.pop(name, self._always)
        if action is not None:
            action()


@pytest.fixture
def steps(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(scene, monkeypatch)


#: Of UDP nobody knows who called: what stays open, the host could not open again.
_CUT = ["egress-cut"]


def _deploy(scene: Scene, root: pathlib.Path, policy: Policy, warned_of: t.Sequence[str] = ()) -> None:
    Changes(scene.host, root, policy, warned_of).apply()


@pytest.mark.parametrize("layout", ["auto", "ordered"])
@pytest.mark.parametrize("end", [Call.reset_by_caller, Call.close_by_host])
@pytest.mark.parametrize("speaks", [True, False], ids=["busy", "silent"])
def test_whoever_called_at_any_step_can_call_again_from_the_same_port(
    scene: Scene,
    steps: Steps,
    tmp_path: pathlib.Path,
    layout: str,
    end: t.Callable[[Call], None],
    *,
    speaks: bool,
) -> None:
    staying = [scene.call(_ALLOWED)]
    ending = [scene.call(_ALLOWED)]
    ports: t.List[int] = []

    def step() -> None:
        if speaks:
            for call in (*staying, *ending):
                call.speak()
        # Begun at one step, ended at the next.
        finish(ending.pop())
        ending.append(scene.call(_ALLOWED))
        staying.append(scene.call(_ALLOWED))

    def finish(call: Call) -> None:
        ports.append(call.port)
        end(call)

    steps.at_each(step)
    _deploy(scene, tmp_path, Policy(layout=layout))
    assert len(staying) > 5, steps.passed
    before = scene.sent_again()
    for call in (*staying, *ending):
        call.speak()
        finish(call)
    for port in ports:
        scene.call(_ALLOWED, port).speak()
    assert scene.sent_again() == before


@pytest.mark.parametrize("host_first", [True, False], ids=["host first", "caller first"])
def test_what_was_open_stays_open_though_no_rule_lets_it_in(
    scene: Scene, steps: Steps, tmp_path: pathlib.Path, *, host_first: bool
) -> None:
    """The kernel guesses wrong about those that speak between its first look and ours."""
    quiet, busy = ([scene.call(_OTHER), scene.datagrams(port)] for port in (5000, 5001))

    def half() -> None:
        for call in busy:
            source, target = (call.answering, call.calling) if host_first else (call.calling, call.answering)
            source.send(b"?")
            assert target.recv(1) == b"?"

    steps.at("after load 1", half)
    _deploy(scene, tmp_path, Policy(), _CUT)
    before = scene.sent_again()
    for call in (*busy, *quiet):
        call.speak(host_first=host_first)
    assert scene.sent_again() == before
    with pytest.raises(TimeoutError):
        scene.call(_OTHER)


def test_an_answer_that_is_under_way_arrives_after_the_caller_has_closed_its_side(
    scene: Scene, tmp_path: pathlib.Path
) -> None:
    call = scene.call(_OTHER)
    call.calling.shutdown(socket.SHUT_WR)
    assert call.answering.recv(1) == b""
    _deploy(scene, tmp_path, Policy())
    call.answering.send(b"!")
    assert call.calling.recv(1) == b"!"
    call.close_by_host()


def test_what_ended_meanwhile_opens_no_way_in(scene: Scene, steps: Steps, tmp_path: pathlib.Path) -> None:
    """The kernel would let in who calls from that port for the five days that it waits for the end."""
    call = scene.call(_OTHER)
    port = call.port
    steps.at("looked", call.reset_by_caller)
    _deploy(scene, tmp_path, Policy())
    assert "looked" in steps.passed
    with pytest.raises(TimeoutError):
        scene.call(_OTHER, port)


def test_the_first_rules_come_later_than_the_table(scene: Scene, tmp_path: pathlib.Path) -> None:
    policy = Policy(restricts=False)
    _deploy(scene, tmp_path, policy)
    calls = [scene.call(_OTHER), scene.datagrams(5000)]
    policy.restricts = True
    _deploy(scene, tmp_path, policy, _CUT)
    for call in calls:
        call.speak()


def test_a_run_that_was_killed_before_the_first_rules_is_made_up_for(
    scene: Scene, steps: Steps, tmp_path: pathlib.Path
) -> None:
    calls = [scene.call(_OTHER), scene.datagrams(5000)]

    class KilledError(BaseException):
        """Nothing of a run catches it."""

    def kill() -> None:
        raise KilledError

    steps.at("after load 1", kill)
    with pytest.raises(KilledError):
        _deploy(scene, tmp_path, Policy())
    calls[0].answering.send(b"?")
    assert calls[0].calling.recv(1) == b"?"
    _deploy(scene, tmp_path, Policy(), _CUT)
    for call in calls:
        call.speak()


def test_rules_that_come_back_find_what_began_without_them(scene: Scene, tmp_path: pathlib.Path) -> None:
    """The kernel tracks nothing while no rule asks it to, and forgets nothing."""
    _deploy(scene, tmp_path, Policy())
    scene.host.nft("delete table inet palisade\n")
    call = scene.call(_OTHER)
    _deploy(scene, tmp_path, Policy())
    call.speak()
    call.reset_by_caller()
    with pytest.raises(TimeoutError):
        scene.call(_OTHER)


def test_rules_that_come_back_do_not_know_what_ended_without_them(scene: Scene, tmp_path: pathlib.Path) -> None:
    _deploy(scene, tmp_path, Policy())
    call = scene.call(_ALLOWED)
    port = call.port
    scene.host.nft("delete table inet palisade\n")
    call.reset_by_caller()
    _deploy(scene, tmp_path, Policy(port=_OTHER))
    with pytest.raises(TimeoutError):
        scene.call(_ALLOWED, port)
    scene.call(_OTHER).speak()
