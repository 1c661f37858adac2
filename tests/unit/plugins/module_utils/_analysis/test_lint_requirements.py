# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What netcup's help page warns of is found by lint: the statements of the table in ``tests/README.md``."""

from __future__ import annotations

import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.lint import lint_variables
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from tests.packets.wording import assigned, rule, tcp_in, tcp_out

SSH_IN, SSH_ANSWERS = tcp_in("22"), rule("egress", protocol="tcp", source_ports="22")
DNS_IN, DNS_ANSWERS = (
    rule("ingress", protocol="udp", destination_ports="53"),
    rule("egress", protocol="udp", source_ports="53"),
)
NTP_OUT, NTP_ANSWERS = (
    rule("egress", protocol="udp", destination_ports="123"),
    rule("ingress", protocol="udp", source_ports="123"),
)


def messages(code: str, *rules: t.Dict[str, object], **settings: object) -> t.List[str]:
    variables = assigned("netcup", *rules, **settings)
    return [one.message for one in lint_variables(variables, parse_firewall(variables)) if one.code == code]


def test_r9_udp_that_has_one_direction_is_found() -> None:
    both = (SSH_IN, SSH_ANSWERS, DNS_IN)
    assert len(messages("reply-missing", *both)) == 1
    assert messages("reply-missing", *both, DNS_ANSWERS) == []
    assert messages("reply-missing", SSH_IN, DNS_IN) == [], "nothing restricts egress"


def test_r54_egress_rules_for_answers_alone_are_found() -> None:
    assert len(messages("egress-answers-only", SSH_IN, SSH_ANSWERS)) == 1
    assert messages("egress-answers-only", SSH_IN) == []
    assert messages("egress-answers-only", SSH_IN, SSH_ANSWERS, tcp_out("443")) == []


def test_r66_a_set_that_lets_no_ssh_in_is_found() -> None:
    example = (tcp_out("80"), tcp_out("443"), tcp_out("22"), NTP_OUT, NTP_ANSWERS)
    assert len(messages("ssh-locked-out", *example)) == 1
    assert messages("ssh-locked-out", *example, SSH_IN, SSH_ANSWERS) == []


def test_r67_what_the_first_egress_rule_discards_is_listed() -> None:
    """Answers of the host's own servers let none of its questions out."""
    unguarded = {"firewall_safeguards": {"ntp": False}}
    (message,) = messages("egress-cut", SSH_IN, SSH_ANSWERS, tcp_out("22"), **unguarded)
    assert message.endswith("the host loses NTP (port 123), package mirrors (HTTP and HTTPS)")
    (message,) = messages("egress-cut", SSH_IN, SSH_ANSWERS, NTP_OUT, NTP_ANSWERS, **unguarded)
    assert message.endswith("the host loses package mirrors (HTTP and HTTPS)")
    database = rule("egress", protocol="tcp", source_ports="3306")
    assert messages("egress-cut", SSH_IN, SSH_ANSWERS, database, NTP_OUT, NTP_ANSWERS, **unguarded) == [message]
    assert messages("egress-cut", SSH_IN, SSH_ANSWERS, tcp_out("443"), NTP_OUT, NTP_ANSWERS, **unguarded) == []


def test_r67_a_time_server_asks_from_its_own_port() -> None:
    from_own_port = rule("egress", protocol="udp", source_ports="123", destination_ports="123")
    rules = (SSH_IN, SSH_ANSWERS, tcp_out("443"), from_own_port)
    assert messages("egress-cut", *rules, firewall_safeguards={"ntp": False}) == []
