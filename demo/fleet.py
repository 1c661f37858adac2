# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet of the demonstration: the hosts of the example inventory, an administrator and an outsider."""

from __future__ import annotations

import ipaddress
import json
import os
import pathlib
import subprocess
import sys
import typing as t
from dataclasses import dataclass

from ansible_collections.palisade.nftables.plugins.module_utils._policy.evaluate import evaluate
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Direction
from ansible_collections.palisade.nftables.plugins.module_utils._policy.packet import Packet
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program
from lab.namespaces import Host, Lab

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = CHECKOUT / "examples"

#: Who is no server: one in the office network of the examples, one anywhere else.
VISITORS = {
    "admin": ["198.51.100.7", "2001:db8:1::7"],
    "outsider": ["203.0.113.200", "2001:db8:bad::200"],
}

#: Everything of the documentation ranges is on the link, so nothing needs a route out.
_ON_LINK = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
_TCP = 6
_EPHEMERAL = 40000


@dataclass
class Server:
    """A host of the inventory.

    Attributes:
        variables: Its inventory variables, plain values.
        host: The namespace that plays it.
    """

    name: str
    addresses: t.List[str]
    variables: t.Dict[str, object]
    host: Host


class Fleet:
    """Namespaces for every host, connected by one segment, with an overlay inventory that leads into them."""

    def __init__(self, lab: Lab, folder: pathlib.Path) -> None:
        self._folder = folder
        inventory = _read_inventory()
        names = sorted(inventory["_meta"]["hostvars"])
        hosts = dict(zip([*names, *VISITORS], lab.hosts_named([*names, *VISITORS])))
        segment = lab.segment()
        self.groups = {
            name: sorted(group.get("hosts", []))
            for name, group in inventory.items()
            if name not in ("_meta", "all", "ungrouped")
        }
        self.servers: t.Dict[str, Server] = {}
        for name in names:
            variables = inventory["_meta"]["hostvars"][name]
            addresses = variables.get("firewall_addresses") or [variables["ansible_host"]]
            self.servers[name] = Server(name, list(addresses), variables, hosts[name])
        self.visitors = {name: hosts[name] for name in VISITORS}
        for name, host in hosts.items():
            addresses = VISITORS.get(name) or self.servers[name].addresses
            segment.attach(host, [_with_length(address) for address in addresses])
            # Hosts with one address of a family must still find those of the other ranges.
            families = {ipaddress.ip_address(address).version for address in addresses}
            for prefix in _ON_LINK:
                if ipaddress.ip_network(prefix).version in families:
                    host.ip("route replace %s dev eth0" % prefix)
        self.inventory = self._write_inventory()

    def _write_inventory(self) -> pathlib.Path:
        """Leads Ansible into the namespaces; every other variable stays the example's."""
        overlay = {"all": {"hosts": {}}}  # type: t.Dict[str, t.Dict[str, t.Dict[str, object]]]
        for name, server in self.servers.items():
            wrapper = server.host.python_wrapper(self._folder / ("python-" + name))
            overlay["all"]["hosts"][name] = {
                "ansible_connection": "local",
                "ansible_python_interpreter": str(wrapper),
            }
        path = self._folder / "namespaces.json"
        path.write_text(json.dumps(overlay, indent=2), encoding="utf-8")
        return path

    def playbook(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Runs a playbook of the collection on the fleet, as an operator would."""
        command = [
            str(pathlib.Path(sys.executable).with_name("ansible-playbook")),
            "--inventory=%s" % (EXAMPLES / "hosts.yml"),
            "--inventory=%s" % self.inventory,
            "palisade.nftables.%s" % name,
            *options,
        ]
        environment = {
            **os.environ,
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
        }
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    def program(self, name: str) -> Program:
        """What the example's variables mean for one server, by the reference evaluator's input."""
        groups = {
            group: [address for member in members for address in self.servers[member].addresses]
            for group, members in self.groups.items()
        }
        variables = {
            key: value
            for key, value in self.servers[name].variables.items()
            if key.startswith("firewall_") and key != "firewall_addresses"
        }
        return build_program(parse_firewall(variables, groups=groups))

    def addresses(self, name: str) -> t.List[str]:
        return VISITORS.get(name) or self.servers[name].addresses


def expected(
    programs: t.Mapping[str, Program], source: str, target: str, addresses: t.Tuple[str, str], port: int
) -> str:
    """What a TCP connection meets: the sender's egress policies, then the target's ingress policies.

    Returns:
        ``accept``, ``reject`` or ``drop``.
    """
    for name, direction in ((source, Direction.EGRESS), (target, Direction.INGRESS)):
        if name not in programs:
            continue
        first, second = (ipaddress.ip_address(address) for address in addresses)
        packet = Packet(
            direction=direction,
            family=first.version,
            protocol=_TCP,
            source=int(first),
            destination=int(second),
            source_port=_EPHEMERAL,
            destination_port=port,
        )
        action = evaluate(programs[name], packet).action.value
        if action != "accept":
            return action
    return "accept"


def _read_inventory() -> t.Dict[str, t.Any]:
    command = [
        str(pathlib.Path(sys.executable).with_name("ansible-inventory")),
        "--inventory=%s" % (EXAMPLES / "hosts.yml"),
        "--list",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: t.Dict[str, t.Any] = json.loads(done.stdout)
    return found


def _with_length(address: str) -> str:
    return "%s/%d" % (address, 32 if ipaddress.ip_address(address).version == 4 else 128)
