# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host answers where its kernel is asked about policy tests."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.assertion_space import Subject
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.policy_tests import run_policy_tests
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.plugin_utils._kernel import ask_kernel

WEB = {"web": {"rules": [{"direction": "ingress", "protocol": "tcp", "destination_ports": 80, "action": "accept"}]}}
FIREWALL = parse_firewall(
    {
        "firewall_policies": WEB,
        "firewall_assigned": ["web"],
        "firewall_tests": [{"to": "self", "protocol": "tcp", "port": 80, "expect": "accept"}],
    }
)
SUBJECT = Subject("web1")


def kernels(answer: t.Callable[[int], t.Dict[str, t.Any]]) -> t.List[str]:
    """What is said of each test where a host gives this answer about so many packets."""

    def execute(_name: str, options: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        return answer(len(options["trial"]["packets"]))

    return [one.kernel for one in ask_kernel(FIREWALL, SUBJECT, run_policy_tests(FIREWALL, SUBJECT), execute)]


@pytest.fixture(autouse=True)
def _no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_a_host_that_agrees() -> None:
    (said,) = kernels(lambda count: {"verdicts": ["accept"] * count})
    assert said.startswith("the kernel agrees on ")


@pytest.mark.parametrize(
    "verdicts",
    [
        lambda _count: "accept",
        lambda _count: [],
        lambda count: ["accept"] * (count - 1),
        lambda count: ["accept"] * (count + 1),
        lambda count: ["perhaps"] * count,
        lambda count: [["accept"]] * count,
    ],
)
def test_an_answer_that_is_none_proves_nothing(verdicts: t.Callable[[int], object]) -> None:
    with pytest.raises(AnsibleActionFail, match="web1: firewall_verify_kernel: the host gave no verdicts"):
        kernels(lambda count: {"verdicts": verdicts(count)})


def test_a_host_that_cannot_be_asked_says_why() -> None:
    with pytest.raises(AnsibleActionFail, match="no network namespace can be made"):
        kernels(lambda _count: {"failed": True, "msg": "no network namespace can be made"})
