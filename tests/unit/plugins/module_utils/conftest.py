# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A network namespace for tests that ask the real kernel, and a table to put into it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program
from lab.namespaces import Host, Lab
from lab.reexec import LabUnavailableError, ensure_privileges

if t.TYPE_CHECKING:
    from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table

#: Role variables that make sets of addresses and ports, counters, and rules in one direction.
OFFICE_AND_WEB: t.Mapping[str, t.Any] = {
    "firewall_networks": {"office": ["198.51.100.0/24", "203.0.113.7", "2001:db8:1::/48"]},
    "firewall_policies": {
        "ssh": {"rules": [{"direction": "ingress", "service": "ssh", "sources": ["office"], "action": "accept"}]},
        "web": {
            "rules": [
                {
                    "direction": "ingress",
                    "protocol": "tcp",
                    "destination_ports": [80, 443, "8000-8100"],
                    "action": "accept",
                }
            ]
        },
    },
    "firewall_assigned": ["ssh", "web"],
}


def table_of(variables: t.Mapping[str, t.Any]) -> Table:
    """The table that role variables make."""
    firewall = parse_firewall(variables)
    return compile_program(build_program(firewall), layout=firewall.layout, counters=firewall.counters)


@pytest.fixture
def network() -> t.Iterator[Host]:
    """A lab host with a network of its own; files are those of the machine."""
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with Lab() as lab:
        yield lab.host("host", {})


@pytest.fixture
def table() -> Table:
    return table_of(OFFICE_AND_WEB)
