# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab host whose sockets, rules and packets are real, and one that calls it."""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._host.apply import run
from ansible_collections.palisade.nftables.plugins.module_utils._host.live import Asked, find_live
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host as HostPaths
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Options
from ansible_collections.palisade.nftables.plugins.module_utils._host.persistence import Mode
from lab.namespaces import Lab
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

if t.TYPE_CHECKING:
    from lab.namespaces import Host

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
ANY4, ANY6 = "0.0.0.0", "::"
SERVER, CALLER = "192.0.2.1", "192.0.2.7"


class Machine:
    """A host at ``192.0.2.1`` with a root of its own, and another one at ``192.0.2.7`` that calls it."""

    def __init__(self, lab: Lab, root: pathlib.Path, sockets: contextlib.ExitStack) -> None:
        self.network: Host = lab.host("server", {})
        self.caller: Host = lab.host("caller", {})
        segment = lab.segment()
        segment.attach(self.network, [SERVER + "/24"])
        segment.attach(self.caller, [CALLER + "/24"])
        for folder in ("etc", "run"):
            (root / folder).mkdir(parents=True)
        self.root = root
        self._paths = HostPaths(root=str(root))
        self._sockets = sockets

    def apply(
        self,
        variables: t.Mapping[str, t.Any] = OFFICE_AND_WEB,
        persist: Mode = Mode.FALSE,
        *,
        check_mode: bool = False,
    ) -> t.Dict[str, t.Any]:
        options = Options(variables=variables, persist=persist, check_mode=check_mode)
        return self.network.call(lambda: run(options, self._paths))

    def remove(self) -> None:
        self.network.call(lambda: run(Options(state="absent"), self._paths))

    def ask(self, wanted: t.Optional[t.Mapping[str, t.Any]] = None, state: str = "present") -> t.Dict[str, t.Any]:
        """What is live; it has to be plain data."""
        result = self.network.call(lambda: find_live(Asked(wanted, state=state), self._paths))
        assert json.loads(json.dumps(result)) == result
        return t.cast("t.Dict[str, t.Any]", result["ruleset"])

    def text(self) -> str:
        return t.cast("str", self.network.call(lambda: find_live(Asked(), self._paths))["text"])

    def nft(self, text: str) -> None:
        self.network.run(["nft", "-f", "-"], input=text)

    def serve(
        self, address: str, port: int, kind: int = TCP, *, v6only: bool = False, device: str = ""
    ) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = self._sockets.enter_context(self.network.socket(family, kind))
        if v6only:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if device:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        made.bind((address, port))
        if kind == TCP:
            made.listen()
        return made

    def call(
        self, port: int, *, far: t.Optional[Host] = None, address: str = SERVER, seconds: float = 10
    ) -> socket.socket:
        made = self._sockets.enter_context((far or self.caller).socket(socket.AF_INET, TCP))
        made.settimeout(seconds)
        made.connect((address, port))
        return made


def by_name(ruleset: t.Mapping[str, t.Any]) -> t.Dict[str, t.Dict[str, t.Any]]:
    return {rule["name"]: rule for rule in ruleset["rules"]}


def by_port(ruleset: t.Mapping[str, t.Any]) -> t.Dict[t.Tuple[str, str, int], t.Dict[str, t.Any]]:
    return {(one["protocol"], one["address"], one["port"]): one for one in ruleset["listeners"]}


def accept(port: int) -> t.Dict[str, t.Any]:
    return {"direction": "ingress", "protocol": "tcp", "destination_ports": port, "action": "accept"}
