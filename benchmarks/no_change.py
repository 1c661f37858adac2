# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run that changes nothing costs on one host, over ssh: twenty rules, beside what else it could be."""

from __future__ import annotations

import functools
import typing as t

from .figures import Figure, Outcome, Say, interleave, median_difference
from .remote import Site, empty_play, must_change, open_site, ping_play, play_of, role_play
from .twenty import iptables_items, role_variables

_ROUNDS = 9

#: Seconds that the role may take more than ping.
_AIM = 0.15

_EMPTY, _PING, _ROLE, _IPTABLES = "empty play", "ping", "role", "iptables"

_IPTABLES_PLAY = play_of(
    "peer",
    tasks=[
        {
            "ansible.builtin.iptables": {
                "chain": "INPUT",
                "protocol": "tcp",
                "source": "{{ item.source }}",
                "destination_port": "{{ item.port }}",
                "jump": "ACCEPT",
            },
            "loop": iptables_items(),
        }
    ],
)


def measure(say: Say) -> Outcome:
    """Runs it.

    Raises:
        BenchmarkError: A play failed, or changed something where nothing was to be changed.
    """
    # The rules of iptables stand on a host of their own, so that neither side lists those of the other.
    with open_site(["ours", "peer"]) as site:
        site.write_inventory(role_variables())
        plays = {
            _EMPTY: empty_play("ours"),
            _PING: ping_play("ours"),
            _ROLE: role_play("ours"),
            _IPTABLES: _IPTABLES_PLAY,
        }
        say("  first run: 20 rules by the role, the same 20 by iptables")
        must_change(site.play([plays[_ROLE]]), 1)
        must_change(site.play([plays[_IPTABLES]]), 1)
        commands: t.Dict[str, int] = {}
        variants = {name: functools.partial(_once, site, name, play, commands) for name, play in plays.items()}
        taken = interleave(variants, _ROUNDS, say)
    extra = {name: median_difference(taken[name], taken[_EMPTY]) for name in plays if name != _EMPTY}
    above = median_difference(taken[_ROLE], taken[_PING])
    lines = [
        "| play on one host, nothing to change | above an empty play | beside ping | module executions |",
        "|---|---|---|---|",
    ]
    lines += [
        "| %s | %.2f s | %.1f times | %d |" % (_WORDS[name], seconds, seconds / extra[_PING], commands[name])
        for name, seconds in extra.items()
    ]
    figures = [
        Figure("no change, 20 rules over ssh: the role above ping, per host", above, "s", _AIM),
        Figure("no change: module executions of the role", commands[_ROLE], "", 1, "%d"),
        Figure("no change: 20 x ansible.builtin.iptables beside the role", extra[_IPTABLES] / extra[_ROLE], "times"),
    ]
    return Outcome(lines, figures)


_WORDS = {
    _PING: "`ansible.builtin.ping`",
    _ROLE: "role `palisade.nftables.firewall`, 20 rules",
    _IPTABLES: "`ansible.builtin.iptables`, a loop of the same 20 rules",
}


def _once(site: Site, name: str, play: t.Mapping[str, object], commands: t.Dict[str, int]) -> float:
    done = must_change(site.play([play]), 0)
    commands[name] = done.commands
    return done.seconds
