# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook ``verify`` between hosts of the lab: what is seen, and which layer makes a difference (R103, R104)."""

from __future__ import annotations

import typing as t

import pytest

from lab.connections import Server

if t.TYPE_CHECKING:
    from .fleet import Fleet, Run

WEB, OUTSIDER = "192.0.2.1", "192.0.2.9"
POLICIES = """
firewall_policies:
  web:
    rules:
      - {direction: ingress, protocol: tcp, destination_ports: [80, 443, 8001, 8003, 8005, 8007], action: accept}
      - {direction: ingress, protocol: udp, destination_ports: [53, 5001, 5003], action: accept}
      - {direction: ingress, protocol: tcp, destination_ports: 8080, action: reject}
"""

#: What other tables and routers do to packets that the policies accept: behind our rules, before them, upstream.
OTHERS = """
table inet later {
  chain refuse {
    tcp dport 8001 drop
  }
  chain input {
    type filter hook input priority 10;
    jump refuse
  }
}
table ip sooner {
  chain prerouting {
    type filter hook prerouting priority -300;
    tcp dport 8003 reject with icmp type admin-prohibited
  }
}
"""
UPSTREAM = """
table bridge provider {
  chain forward {
    type filter hook forward priority 0;
    meta l4proto { tcp, udp } th dport { 8005, 5001 } drop
  }
}
"""


def verify(fleet: Fleet, *arguments: str, sender: str = "outsider") -> Run:
    return fleet.run("palisade.nftables.verify", "-l", "web1", "-e", "palisade_from=%s" % sender, *arguments)


def rows(run: Run) -> t.Dict[t.Tuple[str, t.Optional[int]], t.Dict[str, t.Any]]:
    """The rows of the last comparison, by protocol and port."""
    last = [data for _word, _host, data in run.results if "rows" in data][-1]
    return {(row["protocol"], row["port"]): row for row in last["rows"]}


@pytest.fixture(name="web")
def fixture_web(fleet: Fleet) -> Fleet:
    """A host with policies, deployed, and one without."""
    fleet.add("web1", WEB, firewall_assigned=["web"])
    fleet.add("outsider", OUTSIDER, firewall_state="absent")
    fleet.write("group_vars/all.yml", POLICIES)
    assert fleet.deploy("-l", "web1").status == 0
    return fleet


def test_as_the_policies_say(web: Fleet) -> None:
    """Nothing differs, open ports without a listener and silent servers included; nobody looks at the host then."""
    with Server(web.hosts["web1"], tcp=[80, 5432], udp=[53]):
        run = verify(web, "-e", '{"palisade_ports": [8081]}')
    assert run.status == 0, run.output
    found = rows(run)
    assert {row["result"] for row in found.values()} == {"as expected"}
    assert (found["tcp", 80]["expected"], found["tcp", 80]["seen"]) == ("accept", "connected")
    assert (found["tcp", 80]["origin"], found["tcp", 80]["variable"]) == ("web[0]", "firewall_policies")
    assert (found["tcp", 443]["seen"], found["tcp", 443]["note"]) == ("refused", "open, and nobody listens")
    assert found["udp", 53]["seen"] == "answered"
    assert (found["tcp", 8080]["expected"], found["tcp", 8080]["seen"]) == ("reject", "refused")
    assert (found["tcp", 5432]["expected"], found["tcp", 5432]["seen"]) == ("drop", "filtered")
    assert (found["tcp", 8081]["expected"], found["tcp", 8081]["seen"]) == ("drop", "filtered")
    assert found["icmp", None]["seen"] == "answered"
    assert run.executions == {"web1": 0, "outsider": 1}
    assert run.changed() == {"web1": 0}


def test_which_layer_refuses(web: Fleet) -> None:
    """Every question gets the layer that really refuses it, although one rule of ours counts them all."""
    host = web.hosts["web1"]
    host.nft(OTHERS)
    host.run(["nft", "insert rule inet palisade input tcp dport 8007 drop comment byhand"])
    web._segment._switch.nft(UPSTREAM)
    with Server(host, tcp=[80, 443, 8001, 8003, 8005, 8007], udp=[53, 5001]):
        run = verify(web, "-e", "palisade_timeout=1.5")
    assert run.status != 0
    assert "What was seen is not what the policies say" in run.output
    found = rows(run)
    layers = {key: row["layer"] for key, row in found.items() if row["result"] == "different"}
    print(run.output[-8000:])
    assert layers == {
        ("tcp", 8001): "another table of the host",
        ("tcp", 8003): "another table of the host",
        ("tcp", 8005): "a provider or router upstream",
        ("tcp", 8007): "host policy",
        ("udp", 5001): "a provider or router upstream",
    }
    assert "chain input of table inet later (input, priority 10) refuses it" in found["tcp", 8001]["because"]
    assert "chain prerouting of table ip sooner (prerouting, priority -300) refuses it" in found["tcp", 8003]["because"]
    assert "drop, by byhand. See the playbook plan" in found["tcp", 8007]["because"]
    assert found["tcp", 443]["result"] == "as expected"
