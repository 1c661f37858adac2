# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is live on a lab host: real sockets, real packets counted, and tables that somebody edited."""

from __future__ import annotations

import contextlib
import datetime
import json
import pathlib
import socket
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.apply import run
from ansible_collections.palisade.nftables.plugins.module_utils._host.live import Asked, find_live
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host as HostPaths
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Options
from ansible_collections.palisade.nftables.plugins.module_utils._host.persistence import Mode
from lab.namespaces import Lab
from lab.reexec import LabUnavailableError, ensure_privileges
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

    def apply(self, variables: t.Mapping[str, t.Any] = OFFICE_AND_WEB, persist: Mode = Mode.FALSE) -> None:
        options = Options(variables=variables, persist=persist)
        self.network.call(lambda: run(options, self._paths))

    def remove(self) -> None:
        self.network.call(lambda: run(Options(state="absent"), self._paths))

    def ask(self, wanted: t.Optional[t.Mapping[str, t.Any]] = None) -> t.Dict[str, t.Any]:
        """What is live; it has to be plain data."""
        result = self.network.call(lambda: find_live(Asked(wanted), self._paths))
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

    def call(self, port: int, *, far: t.Optional[Host] = None, address: str = SERVER) -> socket.socket:
        made = self._sockets.enter_context((far or self.caller).socket(socket.AF_INET, TCP))
        made.settimeout(10)
        made.connect((address, port))
        return made


@pytest.fixture(name="machine")
def fixture_machine(tmp_path: pathlib.Path) -> t.Iterator[Machine]:
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with contextlib.ExitStack() as sockets, Lab() as lab:
        yield Machine(lab, tmp_path / "root", sockets)


def by_name(ruleset: t.Mapping[str, t.Any]) -> t.Dict[str, t.Dict[str, t.Any]]:
    return {rule["name"]: rule for rule in ruleset["rules"]}


def by_port(ruleset: t.Mapping[str, t.Any]) -> t.Dict[t.Tuple[str, str, int], t.Dict[str, t.Any]]:
    return {(one["protocol"], one["address"], one["port"]): one for one in ruleset["listeners"]}


# Rules and counters


def test_the_rules_in_order_with_what_they_counted(machine: Machine) -> None:
    machine.apply()
    machine.serve(ANY4, 80)
    machine.call(80).close()
    ruleset = machine.ask()
    names = [rule["name"] for rule in ruleset["rules"]]
    assert names[-4:] == ["ping[0]", "ssh[0]", "web[0]", "default-ingress"]
    web, ssh = by_name(ruleset)["web[0]"], by_name(ruleset)["ssh[0]"]
    assert (web["policy"], web["index"], web["variable"], web["stage"]) == ("web", 0, "firewall_policies", "assigned")
    assert (web["direction"], web["action"], web["text"]) == (
        "ingress",
        "accept",
        "accept tcp port 80, 443, 8000-8100",
    )
    assert web["packets"] == 1
    assert web["bytes"] >= 40
    assert not web["never_hit"]
    assert (ssh["packets"], ssh["bytes"], ssh["never_hit"]) == (0, 0, True)
    established = by_name(ruleset)["established"]
    assert (established["packets"], established["never_hit"]) == (None, False)
    assert (ruleset["present"], ruleset["layout"]) == (True, "auto")


def test_without_counters_no_rule_was_never_hit(machine: Machine) -> None:
    machine.apply({**OFFICE_AND_WEB, "firewall_counters": False})
    assert {(rule["packets"], rule["never_hit"]) for rule in machine.ask()["rules"]} == {(None, False)}


def test_since_when_is_counted(machine: Machine) -> None:
    """A change keeps the counters, and a rule that is added counts from then on; a table made anew starts again."""
    machine.apply()
    first = machine.ask()
    assert first["counting_since"] is not None
    assert by_name(first)["web[0]"]["counting_since"] == first["counting_since"] == first["changed_at"]
    _shift_notes(machine.root, -3600)
    hour_before = machine.ask()["counting_since"]
    assert _seconds(first["counting_since"]) - _seconds(hour_before) == pytest.approx(3600, abs=1)

    rules = [*OFFICE_AND_WEB["firewall_policies"]["web"]["rules"], _accept(8443)]
    policies = {**OFFICE_AND_WEB["firewall_policies"], "web": {"rules": rules}}
    machine.apply({**OFFICE_AND_WEB, "firewall_policies": policies})
    changed = machine.ask()
    assert changed["counting_since"] == hour_before
    assert by_name(changed)["web[0]"]["counting_since"] == hour_before
    assert _seconds(by_name(changed)["web[1]"]["counting_since"]) > _seconds(hour_before) + 3000

    machine.nft("delete table inet palisade")
    machine.apply({**OFFICE_AND_WEB, "firewall_policies": policies})
    again = machine.ask()
    assert _seconds(again["counting_since"]) > _seconds(hour_before) + 3000
    assert {rule["counting_since"] for rule in again["rules"] if rule["packets"] is not None} == {
        again["counting_since"]
    }


def test_a_table_that_something_else_loaded_counts_since_nobody_knows_when(machine: Machine) -> None:
    machine.apply()
    listed = machine.network.run(["nft", "list", "table", "inet", "palisade"]).stdout
    machine.nft("delete table inet palisade\n" + listed)
    ruleset = machine.ask()
    assert ruleset["drift"]["state"] == "none"
    assert ruleset["counting_since"] is None
    assert any("something else than a run loaded the table anew" in note for note in ruleset["notes"])
    assert by_name(ruleset)["ssh[0]"]["never_hit"]


def test_after_a_boot_the_saved_ruleset_counts_since_the_boot(machine: Machine) -> None:
    machine.apply(persist=Mode.AUTO)
    (machine.root / "etc/palisade").mkdir(exist_ok=True)
    saved = machine.network.run(["nft", "-s", "list", "table", "inet", "palisade"]).stdout
    (machine.root / "etc/palisade/ruleset.nft").write_text(saved, encoding="utf-8")
    (machine.root / "run/palisade/counting.json").unlink()
    since = machine.ask()["counting_since"]
    with open("/proc/stat", encoding="ascii") as stream:
        boot = next(int(line.split()[1]) for line in stream if line.startswith("btime "))
    assert since is not None
    assert boot - 1 <= _seconds(since) <= datetime.datetime.now(datetime.timezone.utc).timestamp()


def _accept(port: int) -> t.Dict[str, t.Any]:
    return {"direction": "ingress", "protocol": "tcp", "destination_ports": port, "action": "accept"}


def _seconds(text: str) -> float:
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()


def _shift_notes(root: pathlib.Path, seconds: float) -> None:
    """As if what was noted had been noted at another time."""
    path = root / "run/palisade/counting.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    data["notes"] = [(at + seconds, newest) for at, newest in data["notes"]]
    path.write_text(json.dumps(data), encoding="utf-8")


# Drift


def test_nothing_drifted(machine: Machine) -> None:
    machine.apply()
    drift = machine.ask()["drift"]
    assert drift == {"state": "none", "missing": [], "foreign": [], "changed": []}


def test_a_rule_by_hand_is_named(machine: Machine) -> None:
    machine.apply()
    machine.nft('insert rule inet palisade input ip saddr 198.51.100.7 tcp dport 22 drop comment "byhand"')
    ruleset = machine.ask()
    assert ruleset["drift"] == {
        "state": "changed",
        "missing": [],
        "foreign": ['input: ip saddr 198.51.100.7 tcp dport 22 drop comment "byhand"'],
        "changed": [],
    }
    assert any("the kernel may decide otherwise" in note for note in ruleset["notes"])


def test_a_rule_that_is_gone_is_named(machine: Machine) -> None:
    machine.apply({**OFFICE_AND_WEB, "firewall_layout": "ordered"})
    listed = machine.network.run(["nft", "-a", "list", "chain", "inet", "palisade", "ingress"]).stdout
    handle = next(line.rpartition(" ")[2] for line in listed.splitlines() if 'comment "web[0]' in line)
    machine.nft("delete rule inet palisade ingress handle %s" % handle)
    drift = machine.ask()["drift"]
    assert (drift["state"], drift["missing"], drift["foreign"]) == ("changed", ["ingress: web[0]"], [])


def test_sets_chains_counters_and_the_order(machine: Machine) -> None:
    machine.apply({**OFFICE_AND_WEB, "firewall_layout": "ordered"})
    listed = machine.network.run(["nft", "list", "table", "inet", "palisade"]).stdout
    name = next(line.split()[1] for line in listed.splitlines() if line.startswith("\tset ip_office"))
    machine.nft("delete element inet palisade %s { 203.0.113.7 }" % name)
    machine.nft("add chain inet palisade mine")
    machine.nft("add counter inet palisade mine")
    drift = machine.ask()["drift"]
    assert drift["changed"] == ["set %s" % name]
    assert drift["foreign"] == ["chain mine", "counter mine"]
    assert drift["missing"] == []


def test_a_counter_alone(machine: Machine) -> None:
    machine.apply()
    machine.nft("add counter inet palisade mine")
    assert machine.ask()["drift"] == {"state": "changed", "missing": [], "foreign": ["counter mine"], "changed": []}


def test_a_table_that_is_gone(machine: Machine) -> None:
    machine.apply()
    machine.nft("delete table inet palisade")
    ruleset = machine.ask(OFFICE_AND_WEB)
    assert (ruleset["present"], ruleset["drift"]["state"], ruleset["rules"]) == (False, "absent", [])
    assert ruleset["wanted"] == {"equal": False, "changes": ["create the table inet palisade"]}
    assert ruleset["digest"] is not None


def test_a_table_that_is_not_ours(machine: Machine) -> None:
    machine.serve(ANY4, 80)
    machine.nft("add table inet palisade")
    ruleset = machine.ask()
    assert (ruleset["present"], ruleset["drift"]["state"]) == (False, "foreign")
    assert any("Palisade did not make it" in note for note in ruleset["notes"])
    web = by_port(ruleset)["tcp", ANY4, 80]
    assert (web["outside"], web["rule"], web["finding"]) == ("unknown", "", None)


def test_a_host_that_never_had_a_ruleset(machine: Machine) -> None:
    machine.serve(ANY4, 6379)
    ruleset = machine.ask()
    assert (ruleset["present"], ruleset["drift"]["state"], ruleset["digest"]) == (False, "none", None)
    redis = by_port(ruleset)["tcp", ANY4, 6379]
    assert (redis["outside"], redis["finding"]) == ("accept", "exposed")
    assert any("there is no ruleset of Palisade" in note for note in ruleset["notes"])


def test_a_ruleset_without_a_record(machine: Machine) -> None:
    machine.apply()
    for path in (machine.root / "etc/palisade/history").iterdir():
        path.unlink()
    unknown = machine.ask()
    assert (unknown["present"], unknown["drift"]["state"], unknown["rules"]) == (True, "unknown", [])
    told = machine.ask(OFFICE_AND_WEB)
    assert told["wanted"] == {"equal": True, "changes": []}
    assert "web[0]" in by_name(told)


def test_a_record_that_cannot_be_read(machine: Machine) -> None:
    machine.apply()
    (path,) = (machine.root / "etc/palisade/history").iterdir()
    path.write_text("{", encoding="utf-8")
    ruleset = machine.ask()
    assert ruleset["drift"]["state"] == "unknown"
    assert any("is not what a run of Palisade wrote there" in note for note in ruleset["notes"])


def test_what_is_live_and_what_is_wanted(machine: Machine) -> None:
    machine.apply()
    assert machine.ask()["wanted"] is None
    assert machine.ask(OFFICE_AND_WEB)["wanted"] == {"equal": True, "changes": []}
    other = machine.ask({**OFFICE_AND_WEB, "firewall_assigned": ["ssh"]})
    assert not other["wanted"]["equal"]
    assert "change the chains ingress, published" in other["wanted"]["changes"]
    assert other["drift"]["state"] == "none"
    assert "web[0]" in by_name(other)


def test_what_was_removed_left_nothing(machine: Machine) -> None:
    machine.apply()
    machine.remove()
    assert machine.ask()["drift"]["state"] == "none"
    assert not (machine.root / "run/palisade").exists()


# Who listens


def test_listeners_and_who_gets_in(machine: Machine) -> None:
    machine.apply()
    machine.serve(ANY4, 22)
    machine.serve(ANY6, 443)
    machine.serve(ANY4, 6379)
    machine.serve("127.0.0.1", 25)
    machine.serve(SERVER, 69, UDP)
    found = by_port(machine.ask())
    ssh = found["tcp", ANY4, 22]
    assert (ssh["outside"], ssh["networks"], ssh["rule"]) == ("drop", {"office": "accept"}, "default-ingress")
    assert ssh["finding"] is None
    web = found["tcp", ANY6, 443]
    assert (web["families"], web["outside"], web["rule"], web["finding"]) == ([4, 6], "accept", "web[0]", "exposed")
    redis = found["tcp", ANY4, 6379]
    assert (redis["outside"], redis["networks"], redis["finding"]) == ("drop", {"office": "drop"}, "blocked")
    mail = found["tcp", "127.0.0.1", 25]
    assert (mail["outside"], mail["rule"], mail["finding"]) == ("drop", "loopback", "local")
    assert found["udp", SERVER, 69]["finding"] == "blocked"
    assert web["process"] is not None
    assert web["pid"] is not None
    assert web["user"] is not None


def test_the_family_of_a_socket_counts(machine: Machine) -> None:
    """IPv4 is accepted from everybody and IPv6 from nobody."""
    rule = {**_accept(8080), "sources": ["0.0.0.0/0"]}
    machine.network.ip("addr add 2001:db8::1/64 dev eth0 nodad")
    machine.apply({"firewall_policies": {"four": {"rules": [rule]}}, "firewall_assigned": ["four"]})
    machine.serve(ANY6, 8080)
    both = by_port(machine.ask())["tcp", ANY6, 8080]
    assert (both["families"], both["outside"], both["rule"]) == ([4, 6], "some", "four[0]")
    assert both["finding"] == "exposed"


def test_a_socket_of_ipv6_alone(machine: Machine) -> None:
    rule = {**_accept(8080), "sources": ["0.0.0.0/0"]}
    machine.network.ip("addr add 2001:db8::1/64 dev eth0 nodad")
    machine.apply({"firewall_policies": {"four": {"rules": [rule]}}, "firewall_assigned": ["four"]})
    machine.serve(ANY6, 8080, v6only=True)
    alone = by_port(machine.ask())["tcp", ANY6, 8080]
    assert (alone["families"], alone["outside"], alone["finding"]) == ([6], "drop", "blocked")


def test_the_interface_of_a_socket_counts(machine: Machine) -> None:
    machine.network.ip("link add docker0 type veth peer name other0", "link set docker0 up")
    machine.apply()
    machine.serve(ANY4, 5000, device="docker0")
    machine.serve(ANY4, 5001, device="lo")
    machine.serve(ANY4, 5002, device="eth0")
    found = by_port(machine.ask())
    bridge, loopback, public = (found["tcp", ANY4, port] for port in (5000, 5001, 5002))
    assert (bridge["interface"], bridge["outside"], bridge["rule"]) == ("docker0", "accept", "docker0")
    assert bridge["finding"] is None
    assert (loopback["interface"], loopback["finding"]) == ("lo", "local")
    assert (public["interface"], public["finding"]) == ("eth0", "blocked")


def test_a_destination_that_the_host_does_not_have(machine: Machine) -> None:
    """A socket on all addresses is judged at those that there are."""
    rule = {**_accept(8080), "destinations": ["192.0.2.99"]}
    machine.apply({"firewall_policies": {"other": {"rules": [rule]}}, "firewall_assigned": ["other"]})
    machine.serve(ANY4, 8080)
    assert by_port(machine.ask())["tcp", ANY4, 8080]["finding"] == "blocked"


def test_a_program_that_asks_is_not_blocked(machine: Machine) -> None:
    """Of UDP from a port that the kernel chose; one at a port of its own choice is."""
    machine.apply()
    chosen = machine.serve(ANY4, 0, UDP).getsockname()[1]
    machine.serve(ANY4, 123, UDP)
    found = by_port(machine.ask())
    assert found["udp", ANY4, chosen]["finding"] is None
    assert found["udp", ANY4, 123]["finding"] == "blocked"


def test_a_raw_socket(machine: Machine) -> None:
    machine.apply()
    with (
        machine.network.socket(socket.AF_INET, socket.SOCK_RAW, 89),
        machine.network.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    ):
        raw = [one for one in machine.ask()["listeners"] if one["port"] is None]
    assert [(one["protocol"], one["address"], one["outside"]) for one in raw] == [("ospf", ANY4, "drop")]


def test_published_ports_are_listed(machine: Machine) -> None:
    machine.apply()
    machine.nft(
        "table ip nat {\n chain pre {\n  type nat hook prerouting priority -100;\n"
        "  tcp dport 8001 dnat to 198.18.0.2:80\n  tcp dport 9001 dnat to 198.18.0.2:81\n }\n}\n"
    )
    found = by_port(machine.ask())
    web, other = found["tcp", ANY4, 8001], found["tcp", ANY4, 9001]
    assert (web["published"], web["outside"], web["rule"], web["finding"]) == (True, "accept", "web[0]", "exposed")
    assert (other["published"], other["outside"], other["finding"]) == (True, "drop", "blocked")
    machine.apply({**OFFICE_AND_WEB, "firewall_published": "leave"})
    left = by_port(machine.ask())["tcp", ANY4, 9001]
    assert (left["outside"], left["rule"], left["finding"]) == ("accept", "published", "exposed")


def test_ports_that_are_open_for_nobody(machine: Machine) -> None:
    machine.apply()
    machine.serve(ANY4, 80)
    machine.serve(ANY4, 8050)
    machine.serve("127.0.0.1", 443)
    unused = [(one["protocol"], one["ports"], one["rule"]) for one in machine.ask()["open_without_listener"]]
    assert unused == [
        ("tcp", "22", "ssh[0]"),
        ("tcp", "443", "web[0]"),
        ("tcp", "8000-8049", "web[0]"),
        ("tcp", "8051-8100", "web[0]"),
    ]


# Whom the host talks to


def test_whom_the_host_talks_to(machine: Machine) -> None:
    machine.apply({**OFFICE_AND_WEB, "firewall_default_egress": "drop", "firewall_safeguards": {"ssh": False}})
    machine.nft("flush chain inet palisade output")
    with machine.caller.socket(socket.AF_INET, TCP) as database:
        database.bind((CALLER, 5432))
        database.listen()
        machine.call(5432, far=machine.network, address=CALLER)
        machine.call(5432, far=machine.network, address=CALLER)
        machine.serve(ANY4, 80)
        machine.call(80)
        peers = machine.ask()["talks_to"]
    assert [(one["protocol"], one["address"], one["port"], one["connections"]) for one in peers] == [
        ("tcp", CALLER, 5432, 2)
    ]
    assert (peers[0]["verdict"], peers[0]["rule"]) == ("drop", "default-egress")
    assert peers[0]["process"] is not None


def test_the_text_has_all_of_it(machine: Machine) -> None:
    machine.apply()
    machine.serve(ANY4, 22)
    text = machine.text()
    for words in (
        "drift: none",
        "ssh[0]",
        "never since",
        "0.0.0.0:22",
        "outside drop (default-ingress); office accept",
    ):
        assert words in text
    assert "open, and nobody listens:\n  tcp  80" in text
