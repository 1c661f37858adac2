# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""Policy tests put to a kernel: that of the controller where it can be asked, else that of the host."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail

from ..module_utils._analysis.assertion_samples import judge_kernel, sample_packets
from ..module_utils._analysis.assertion_space import Subject
from ..module_utils._analysis.policy_tests import Outcome
from ..module_utils._compile.compile import compile_program
from ..module_utils._host.errors import HostError
from ..module_utils._host.trial import NoTrialError, packet_to_plain, try_packets
from ..module_utils._nft.text import render_load
from ..module_utils._policy.model import Action, Firewall
from ..module_utils._policy.packet import Packet
from ..module_utils._policy.program import build_program

#: Runs a module on the host: its name and its options.
Execute = t.Callable[[str, t.Dict[str, t.Any]], t.Dict[str, t.Any]]

#: What a host says of a packet; None: its kernel never showed it to a chain.
_WORDS = [None, *(action.value for action in Action)]

_MODULE = "palisade.nftables.check_policy"


def ask_kernel(
    firewall: Firewall, subject: Subject, outcomes: t.Sequence[Outcome], execute: Execute
) -> t.List[Outcome]:
    """The outcomes with what a kernel says of packets of each test that is well.

    The ruleset is the compiled one, in a network namespace that is made for it and goes with it.

    Raises:
        AnsibleActionFail: Neither kernel can be asked.
    """
    samples = sample_packets(firewall, subject, outcomes)
    packets = [packet for listed in samples.values() for packet in listed]
    if not packets:
        return judge_kernel(firewall, outcomes, samples, ())
    text = render_load(compile_program(build_program(firewall), layout=firewall.layout, counters=firewall.counters))
    return judge_kernel(firewall, outcomes, samples, _verdicts(subject.name, text, packets, execute))


def _verdicts(host: str, text: str, packets: t.Sequence[Packet], execute: Execute) -> t.List[t.Optional[Action]]:
    if os.geteuid() == 0:
        try:
            return try_packets(text, packets)
        except NoTrialError:
            # The host may have what the controller has not.
            pass
        except HostError as exc:
            raise _failure(host, str(exc)) from exc
    trial = {"ruleset": text, "packets": [packet_to_plain(packet) for packet in packets]}
    result = execute(_MODULE, {"trial": trial})
    verdicts = result.get("verdicts")
    if (
        result.get("failed")
        or not isinstance(verdicts, list)
        or len(verdicts) != len(packets)
        or not all(one in _WORDS for one in verdicts)
    ):
        raise _failure(host, str(result.get("msg") or "the host gave no verdicts"))
    return [None if verdict is None else Action(verdict) for verdict in verdicts]


def _failure(host: str, reason: str) -> AnsibleActionFail:
    return AnsibleActionFail("%s: firewall_verify_kernel: %s" % (host, reason))
