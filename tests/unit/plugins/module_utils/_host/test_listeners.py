# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who listens on a lab host, who gets in there, and whom it talks to: real sockets and connections."""

from __future__ import annotations

import socket

import pytest

from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

from .live_machine import ANY4, ANY6, CALLER, SERVER, TCP, UDP, Machine, accept, by_port

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
    rule = {**accept(8080), "sources": ["0.0.0.0/0"]}
    machine.network.ip("addr add 2001:db8::1/64 dev eth0 nodad")
    machine.apply({"firewall_policies": {"four": {"rules": [rule]}}, "firewall_assigned": ["four"]})
    machine.serve(ANY6, 8080)
    both = by_port(machine.ask())["tcp", ANY6, 8080]
    assert (both["families"], both["outside"], both["rule"]) == ([4, 6], "some", "four[0]")
    assert both["finding"] == "exposed"


def test_a_socket_of_ipv6_alone(machine: Machine) -> None:
    rule = {**accept(8080), "sources": ["0.0.0.0/0"]}
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


def test_interfaces_that_the_policies_leave_alone_are_noted(machine: Machine) -> None:
    machine.network.ip("link add docker0 type veth peer name private0")
    machine.apply({**OFFICE_AND_WEB, "firewall_interfaces": ["eth0"]})
    (note,) = [one for one in machine.ask()["notes"] if "firewall_interfaces" in one]
    assert note == "firewall_interfaces leaves out private0: what arrives there reaches every listener"
    machine.apply()
    assert machine.ask()["notes"] == []


def test_a_destination_that_the_host_does_not_have(machine: Machine) -> None:
    """A socket on all addresses is judged at those that there are."""
    rule = {**accept(8080), "destinations": ["192.0.2.99"]}
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


# What the providers tell people to look at


def test_r46_a_service_on_another_port_is_seen_to_be_blocked(machine: Machine) -> None:
    machine.apply()
    machine.serve(ANY4, 2222)
    ssh = by_port(machine.ask())["tcp", ANY4, 2222]
    assert (ssh["finding"], ssh["rule"]) == ("blocked", "default-ingress")
    with pytest.raises(OSError, match="timed out"):
        machine.call(2222, seconds=1)


def test_r76_an_unwanted_service_is_refused_and_listed(machine: Machine) -> None:
    """It would be open without the policy."""
    machine.serve(ANY4, 6379)
    assert by_port(machine.ask())["tcp", ANY4, 6379]["finding"] == "exposed"
    machine.call(6379).close()
    machine.apply()
    assert by_port(machine.ask())["tcp", ANY4, 6379]["finding"] == "blocked"
    with pytest.raises(OSError, match="timed out"):
        machine.call(6379, seconds=1)


def test_r101_services_that_listen_and_one_that_stopped(machine: Machine) -> None:
    machine.apply()
    service = machine.serve(ANY6, 80)
    machine.serve(ANY4, 22)
    assert {("tcp", ANY6, 80), ("tcp", ANY4, 22)} == set(by_port(machine.ask()))
    service.close()
    assert {("tcp", ANY4, 22)} == set(by_port(machine.ask()))
