# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The safeguard ssh: what would cut this run's own way in is refused, and the mending rule mends it."""

from __future__ import annotations

import pathlib
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import ssh_guard
from ansible_collections.palisade.nftables.plugins.module_utils._host._discovery.session import SshConnection
from ansible_collections.palisade.nftables.plugins.module_utils._host.ssh_guard import (
    CutOffError,
    check_connection,
    connection_packets,
    guard_ssh,
    mending_rule,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import (
    Direction,
    FlowDirection,
    Safeguard,
    State,
)
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import Program, build_program

if t.TYPE_CHECKING:
    from lab.namespaces import Host

CONNECTION4 = SshConnection("198.51.100.7", 51234, "192.0.2.10", 22)
CONNECTION6 = SshConnection("2001:db8:1::7", 51234, "2001:db8::10", 2222)
CONNECTIONS = pytest.mark.parametrize("connection", [CONNECTION4, CONNECTION6], ids=["IPv4", "IPv6"])


def _rule(direction: str = "ingress", action: str = "accept", **conditions: t.Any) -> t.Dict[str, t.Any]:
    return {"direction": direction, "action": action, "protocol": "tcp", **conditions}


def _program(*rules: t.Mapping[str, t.Any], **variables: t.Any) -> Program:
    return build_program(
        parse_firewall(
            {"firewall_policies": {"web": {"rules": list(rules)}}, "firewall_assigned": ["web"], **variables}
        )
    )


def _read_yaml_flow(text: str) -> t.Dict[str, t.Any]:
    """The one shape in which rules are printed; the core's Pythons have no YAML."""
    rule: t.Dict[str, t.Any] = {}
    for item in text.strip("{}").split(", "):
        key, value = item.split(": ", 1)
        rule[key] = [value[2:-2]] if value.startswith("[") else int(value) if value.isdigit() else value
    return rule


def test_the_packets_are_those_of_a_new_connection() -> None:
    syn, answer, rest = connection_packets(CONNECTION4, "eth0")
    assert (syn.direction, syn.state, syn.flow_direction) == (Direction.INGRESS, State.NEW, FlowDirection.ORIGINAL)
    assert (answer.direction, answer.state, answer.flow_direction) == (
        Direction.EGRESS,
        State.ESTABLISHED,
        FlowDirection.REPLY,
    )
    assert (rest.direction, rest.state, rest.flow_direction) == (
        Direction.INGRESS,
        State.ESTABLISHED,
        FlowDirection.ORIGINAL,
    )
    assert (syn.destination_port, answer.source_port) == (22, 22)
    # The next connection has another port than this one.
    assert syn.source_port == answer.destination_port != CONNECTION4.client_port


@CONNECTIONS
def test_a_way_in_that_is_open_is_accepted(connection: SshConnection) -> None:
    report = check_connection(_program(_rule(destination_ports=[22, 2222])), connection, "eth0")
    assert report.summary == "checked: a new connection from %s to %s port %d is accepted" % (
        connection.client_address,
        connection.server_address,
        connection.server_port,
    )


@CONNECTIONS
def test_the_default_action_is_named(connection: SshConnection) -> None:
    with pytest.raises(CutOffError) as caught:
        check_connection(_program(_rule(destination_ports=[443])), connection, "eth0")
    text = str(caught.value)
    assert "the first packet (ingress): dropped by the default action" in text
    assert "the answers" not in text
    assert "from %s" % connection.client_address in text
    assert "Add to an assigned policy:\n  - {direction: ingress, " in text


@pytest.mark.parametrize(("action", "word"), [("drop", "dropped"), ("reject", "rejected")])
def test_the_deciding_rule_is_named(action: str, word: str) -> None:
    program = _program(
        _rule(destination_ports=[80]), _rule(action=action, sources=["198.51.100.0/24"]), _rule(destination_ports=[22])
    )
    with pytest.raises(CutOffError) as caught:
        check_connection(program, CONNECTION4, "eth0")
    assert "%s by web[1] (assigned policy of firewall_policies)" % word in str(caught.value)
    assert "Add before the rule that refuses it:" in str(caught.value)


def test_a_rule_that_refuses_the_answers_is_named() -> None:
    program = _program(
        _rule(protocol="TCP", destination_ports="22"),
        _rule("egress", "DROP", protocol="TCP"),
        firewall_profile="netcup",
    )
    with pytest.raises(CutOffError, match=r"the answers \(egress\): dropped by web\[1\]"):
        check_connection(program, CONNECTION4, "eth0")


@CONNECTIONS
@pytest.mark.parametrize("profile", ["host", "netcup", "contabo"])
def test_the_printed_rules_mend_it(connection: SshConnection, profile: str) -> None:
    variables: t.Dict[str, t.Any] = {"firewall_profile": profile}
    if profile == "netcup":
        variables["firewall_default_egress"] = "drop"
    rule = _rule(destination_ports="443")
    with pytest.raises(CutOffError) as caught:
        check_connection(_program(rule, **variables), connection, "eth0")
    lines = [line.strip()[2:] for line in str(caught.value).splitlines() if line.startswith("  - ")]
    assert len(lines) == (2 if profile == "netcup" else 1)
    mended = _program(*(_read_yaml_flow(line) for line in lines), rule, **variables)
    assert check_connection(mended, connection, "eth0").summary.startswith("checked")


def test_the_answers_alone_may_be_refused() -> None:
    program = _program(_rule(destination_ports="22"), firewall_profile="netcup", firewall_default_egress="drop")
    with pytest.raises(CutOffError) as caught:
        check_connection(program, CONNECTION4, "eth0")
    text = str(caught.value)
    assert "the answers (egress): dropped by the default action" in text
    assert "(ingress):" not in text
    assert mending_rule(CONNECTION4, Direction.EGRESS) in text
    assert mending_rule(CONNECTION4, Direction.INGRESS) not in text


def test_the_safeguard_itself_mends_it() -> None:
    for profile in ("host", "netcup"):
        program = _program(
            _rule(destination_ports="443"),
            firewall_profile=profile,
            firewall_default_egress="drop",
            firewall_safeguards={"ssh": True},
        )
        assert check_connection(program, CONNECTION4, "eth0").summary.startswith("checked")


def test_interfaces_that_are_not_filtered_are_no_matter() -> None:
    program = _program(_rule(destination_ports=[443]), firewall_interfaces=["eth0"])
    assert check_connection(program, CONNECTION4, "wg0").summary.startswith("checked")
    assert check_connection(program, CONNECTION4, "lo").summary.startswith("checked")
    with pytest.raises(CutOffError):
        check_connection(program, CONNECTION4, "eth0")


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"firewall_interfaces": ["wan*"]},
        {"firewall_interfaces": ["ens3"]},
        {"firewall_interfaces_ignored": ["eth*"]},
    ],
)
def test_an_unknown_interface_counts_as_filtered(variables: t.Dict[str, t.Any]) -> None:
    with pytest.raises(CutOffError):
        check_connection(_program(_rule(destination_ports=[443]), **variables), CONNECTION4, None)


# Whether there is a connection to check

ENVIRON = {"SSH_CONNECTION": "198.51.100.7 51234 192.0.2.10 22"}
CLOSED = _program(_rule(destination_ports=[443]))
OPEN = _program(_rule(destination_ports=[22]))


@pytest.fixture
def no_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parents of a test may have come by SSH themselves."""
    monkeypatch.setattr(
        ssh_guard, "find_ssh_connection", lambda environ: ssh_guard_original(environ, proc="/nowhere", pid=1)
    )


ssh_guard_original = ssh_guard.find_ssh_connection


@pytest.mark.parametrize("plugin", ["ssh", "ansible.builtin.ssh", "paramiko_ssh", ""])
def test_the_connection_of_this_run_is_checked(no_parents: None, plugin: str) -> None:
    assert guard_ssh(OPEN, Safeguard(), plugin, ENVIRON).summary.startswith("checked")
    with pytest.raises(CutOffError):
        guard_ssh(CLOSED, Safeguard(), plugin, ENVIRON)


def test_switched_off_nothing_is_checked(no_parents: None) -> None:
    assert guard_ssh(CLOSED, Safeguard(mode="off"), "ssh", ENVIRON).summary == "off"


@pytest.mark.parametrize("plugin", ["local", "containers.podman.podman", "community.docker.docker"])
def test_a_connection_that_needs_no_network_is_not_checked(no_parents: None, plugin: str) -> None:
    report = guard_ssh(CLOSED, Safeguard(), plugin, ENVIRON)
    assert report.summary.startswith("nothing to check")
    assert report.warning == ""


_LOCAL_RUN = """
import sys
sys.path.insert(0, {path!r})
from ansible_collections.palisade.nftables.plugins.module_utils._host.ssh_guard import CutOffError, guard_ssh
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Safeguard
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program
program = build_program(parse_firewall({{"firewall_default_ingress": "drop"}}))
try:
    print(guard_ssh(program, Safeguard(), "ansible.builtin.local", {environ!r}).summary)
except CutOffError as exc:
    print(exc)
"""


@pytest.mark.parametrize(
    ("own", "answer"),
    [
        ("192.0.2.10", "safeguard ssh: the new ruleset would refuse the way in that this run uses"),
        ("192.0.2.11", "nothing to check: this run comes from the host itself"),
    ],
    ids=["here", "elsewhere"],
)
def test_who_logged_in_and_runs_ansible_in_place_is_checked_if_it_is_this_host(
    network: Host, collections_path: pathlib.Path, own: str, answer: str
) -> None:
    network.ip("link add name eth0 type veth peer name eth1", "address add %s/24 dev eth0" % own)
    network.ip("link set eth0 up", "link set eth1 up", "route add default dev eth0")
    script = _LOCAL_RUN.format(path=str(collections_path), environ=ENVIRON)
    assert network.run([sys.executable, "-c", script]).stdout.startswith(answer)


def test_a_connection_of_another_kind_is_not_checked(no_parents: None) -> None:
    assert guard_ssh(CLOSED, Safeguard(), "community.general.odd", {}).summary == (
        "nothing to check: the connection odd is not SSH"
    )


def test_ssh_without_a_trace_of_it_is_warned_about(no_parents: None) -> None:
    report = guard_ssh(CLOSED, Safeguard(), "ssh", {})
    assert report.summary.startswith("not checked")
    assert report.warning.startswith("safeguard ssh: not checked")
