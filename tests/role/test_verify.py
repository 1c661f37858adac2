# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook ``verify`` between hosts of the lab: what is seen, and which layer makes a difference (R103, R104)."""

from __future__ import annotations

import json
import pathlib
import re
import socket
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


CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "verify.md"

_CLIENT_PORT = re.compile(r"(from [0-9.]+ port) [0-9]+")


def shown_lines(beginning: str) -> t.List[str]:
    """The lines of the example of the page that begins so, without those that stand for others."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index("```\n%s" % beginning) + len("```\n")
    return [line for line in text[start : text.index("```", start)].splitlines() if line.strip() != "..."]


def printed_lines(run: Run) -> t.Set[str]:
    """The last text, a port that the kernel chose put as the page has it."""
    last = [data["text"] for _word, _host, data in run.results if "rows" in data][-1]
    return {_CLIENT_PORT.sub(r"\1 40000", line) for line in last.splitlines()}


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
    """Nothing differs, open ports without a listener and silent servers included; the host only says who listens."""
    with Server(web.hosts["web1"], tcp=[80, 5432], udp=[53]):
        run = verify(web, "-e", "palisade_ports=8081", "-e", "palisade_timeout=6")
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
    assert run.executions == {"web1": 1, "outsider": 1}
    assert run.changed() == {"web1": 0}
    assert set(shown_lines("web1: ")) <= printed_lines(run)


@pytest.mark.carried
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
    assert set(shown_lines("tcp 192.0.2.1 port 8001")) <= printed_lines(run)


@pytest.mark.carried
def test_what_is_open_that_should_not_be(web: Fleet) -> None:
    """A rule that somebody added by hand opens a port; and silence over UDP is told by what the host counted."""
    host = web.hosts["web1"]
    host.run(["nft", "insert rule inet palisade input tcp dport 5432 accept comment byhand"])
    with (
        Server(host, tcp=[5432], udp=[53]),
        host.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute,
    ):
        mute.bind((WEB, 5001))
        unseen = verify(web, "-e", "palisade_look=false")
        run = verify(web)
    found = rows(unseen)
    assert unseen.status != 0
    assert (found["tcp", 5432]["result"], found["tcp", 5432]["layer"]) == ("different", "unknown")
    assert found["tcp", 5432]["because"] == "nobody looked at the host while it was asked"
    assert found["udp", 5001]["result"] == "cannot be told"
    assert unseen.executions["web1"] == 0
    found = rows(run)
    assert run.status != 0
    assert [key for key, row in found.items() if row["result"] == "different"] == [("tcp", 5432)]
    assert (found["tcp", 5432]["expected"], found["tcp", 5432]["seen"]) == ("drop", "connected")
    assert found["tcp", 5432]["layer"] == "host policy"
    assert found["tcp", 5432]["rule"] == "none matches, and the default action of ingress is drop"
    assert found["udp", 5001]["note"] == "no answer, but policy/web/1 counted it"


EGRESS = """
firewall_policies:
  database:
    rules:
      - {direction: ingress, protocol: tcp, destination_ports: [22, 5432], sources: [group:webservers], action: accept}
  outgoing:
    rules:
      - {direction: egress, protocol: tcp, destination_ports: 5432, action: accept}
      - {direction: egress, protocol: tcp, destination_ports: 23, action: reject}
      - {direction: egress, protocol: udp, action: drop}
"""


@pytest.mark.carried
def test_between_hosts_both_have_a_say(fleet: Fleet) -> None:
    """The policies of the asking host count on the way out, those of the other on the way in; two hosts ask."""
    addresses = {"db1": "192.0.2.2", "web1": WEB, "web2": "192.0.2.3"}
    fleet.add("db1", addresses["db1"], firewall_assigned=["database"], firewall_addresses=["192.0.2.2", "2001:db8::2"])
    web = {"firewall_addresses": [WEB, "2001:db8::1"], "firewall_assigned": ["outgoing"]}
    fleet.add("web1", addresses["web1"], ["webservers"], **web)
    fleet.add("web2", addresses["web2"])
    for name, address in addresses.items():
        fleet.hosts[name].ip("address add 2001:db8::%s/64 dev eth0 nodad" % address[-1])
    fleet.write("group_vars/all.yml", EGRESS)
    assert fleet.deploy().status == 0
    with Server(fleet.hosts["db1"], tcp=[22, 5432], udp=[53]):
        arguments = ["-l", "db1", "-e", "palisade_from=web1,web2", "-e", "palisade_ports=8080,udp/53"]
        run = fleet.run("palisade.nftables.verify", *arguments)
    assert run.status == 0, run.output
    last = [data["rows"] for _word, _host, data in run.results if "rows" in data][-1]
    assert {row["result"] for row in last} == {"as expected"}
    for address in ("192.0.2.2", "2001:db8::2"):
        said = {
            (row["sender"], row["protocol"], row["port"]): (
                row["expected"],
                row["origin"],
                row["decided_at"],
                row["seen"],
            )
            for row in last
            if row["address"] == address
        }
        assert said["web1", "tcp", 5432] == ("accept", "database[0]", "receiver", "connected")
        assert said["web1", "tcp", 22] == ("drop", "default-egress", "sender", "filtered")
        assert said["web1", "tcp", 23] == ("reject", "outgoing[1]", "sender", "refused")
        assert said["web1", "udp", 53] == ("drop", "outgoing[2]", "sender", "filtered")
        assert said["web2", "tcp", 22] == ("drop", "default-ingress", "receiver", "filtered")
    assert "default-egress on web1" in run.output


RESOLVING = """
firewall_policies:
  resolver: {rules: [{direction: ingress, service: dns, action: accept}]}
  outgoing: {rules: [{direction: egress, protocol: tcp, destination_ports: 443, action: accept}]}
"""


@pytest.mark.carried
def test_what_a_safeguard_of_the_asking_host_lets_out(fleet: Fleet) -> None:
    """Its variables do not know its resolver. The host does, so it is looked at before anything is said to differ."""
    fleet.add("db1", "192.0.2.2", firewall_assigned=["resolver"])
    fleet.add("web1", WEB, firewall_assigned=["outgoing"])
    fleet.write("group_vars/all.yml", RESOLVING)
    fleet.hosts["web1"].run(["sh", "-c", "rm -f /etc/resolv.conf; echo nameserver 192.0.2.2 >/etc/resolv.conf"])
    assert fleet.deploy().status == 0
    with Server(fleet.hosts["db1"], tcp=[53], udp=[53]):
        run = fleet.run("palisade.nftables.verify", "-l", "db1", "-e", "palisade_from=web1")
    assert run.status == 0, run.output
    found = rows(run)
    for protocol, seen in (("udp", "answered"), ("tcp", "connected")):
        row = found[protocol, 53]
        assert (row["expected"], row["seen"], row["note"]) == ("accept", seen, "decided by dns on web1")
    assert found["tcp", 5432]["origin"] == "default-egress"


def test_who_cannot_ask(web: Fleet) -> None:
    for sender in ("databases", "", " "):
        nobody = verify(web, sender=json.dumps(sender))
        assert nobody.status != 0
        assert "No host matches palisade_from" in nobody.output
    wrong = verify(web, "-e", "palisade_timeout=0")
    assert wrong.status != 0
    assert "outsider did not ask: timeout: 0.0 is not from 0.1 to 60" in wrong.output
    assert "What was seen is not" not in wrong.output
    assert "Nothing is verified where somebody could not ask" in wrong.result("web1")["msg"]
    web.hosts["outsider"].ip("link set eth0 down")
    cut_off = verify(web, "-e", '{"palisade_from": ["outsider", "web1"]}')
    assert cut_off.status != 0
    assert {row["result"] for row in rows(cut_off).values()} == {"not asked"}
    assert {row["detail"] for row in rows(cut_off).values()} == {"there is no route to the address from here"}


def test_a_host_that_was_never_deployed_to_is_told_at_once(fleet: Fleet) -> None:
    """Nobody waits for answers that would tell nothing; the other hosts are verified all the same."""
    fleet.add("web1", WEB, firewall_assigned=["web"])
    fleet.add("web2", "192.0.2.3", firewall_assigned=["web"])
    fleet.add("outsider", OUTSIDER, firewall_state="absent")
    fleet.write("group_vars/all.yml", POLICIES)
    assert fleet.deploy("-l", "web2").status == 0
    run = fleet.run("palisade.nftables.verify", "-l", "web1,web2", "-e", "palisade_from=outsider")
    assert run.status != 0
    assert run.failed() == {"web1": 1, "web2": 0}
    assert "web1 has no ruleset of Palisade, so its policies are not in force and nothing was asked" in run.output
    assert "palisade.nftables.deploy --limit web1" in run.output
    assert {row["result"] for row in rows(run).values()} == {"as expected"}
    assert run.executions == {"web1": 1, "web2": 1, "outsider": 1}


def test_a_host_without_a_firewall(fleet: Fleet) -> None:
    fleet.add("web1", WEB, firewall_state="absent")
    fleet.add("outsider", OUTSIDER, firewall_state="absent")
    run = verify(fleet)
    assert run.status == 0
    assert "web1: nothing asked, its firewall_state is absent" in run.output
