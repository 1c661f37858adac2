# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run that changes nothing costs on a host, over ssh: twenty rules, beside what else it could be.

The first host of a run pays for what the controller does once, such as packing the module for its way
to the hosts; so a run with one host is measured, and what every further host adds.
"""

from __future__ import annotations

import functools
import statistics
import typing as t

from lab.site import Site, empty_play, must_change, open_site, ping_play, play_of, role_play

from .figures import Figure, Outcome, Say, interleave, median_difference
from .twenty import iptables_items, role_variables

_ROUNDS = 7

#: Seconds that the role may take more than ping, on a host.
_AIM = 0.15

#: The hosts of the long runs, one after another; the first of them is that of the short runs.
_HOSTS = ("host0", "host1", "host2", "host3", "host4")

#: The rules of iptables stand on a host of their own, so that neither side lists those of the other.
_PEER = "peer"

_PING, _ROLE, _IPTABLES = "ping", "role", "iptables"

_TITLES = {
    _PING: "`ansible.builtin.ping`",
    _ROLE: "role `palisade.nftables.firewall`, 20 rules",
    _IPTABLES: "`ansible.builtin.iptables`, a loop over the same 20 rules",
}

_IPTABLES_PLAY = play_of(
    _PEER,
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
    few, many = _HOSTS[0], ",".join(_HOSTS)
    plays = {
        "empty 1": empty_play(few),
        "ping 1": ping_play(few),
        "role 1": role_play(few),
        "iptables 1": _IPTABLES_PLAY,
        "empty all": empty_play(many),
        "ping all": ping_play(many),
        "role all": role_play(many),
    }
    commands: t.Dict[str, int] = {}
    with open_site([*_HOSTS, _PEER], forks=1) as site:
        site.write_inventory(role_variables())
        say("  first runs: 20 rules by the role, the same 20 by iptables")
        must_change(site.play([plays["role all"]]), len(_HOSTS))
        must_change(site.play([plays["iptables 1"]]), 1)
        variants = {name: functools.partial(_once, site, name, play, commands) for name, play in plays.items()}
        taken = interleave(variants, _ROUNDS, say)
    one = {name: median_difference(taken[name + " 1"], taken["empty 1"]) for name in _TITLES}
    further = {name: _further(taken, name) for name in (_PING, _ROLE)}
    lines = [
        "| nothing to change | one host: above an empty play | beside ping | a further host | beside ping | modules |",
        "|---|---|---|---|---|---|",
    ]
    for name, title in _TITLES.items():
        cells = [title, "%.2f s" % one[name], "%.1f times" % (one[name] / one[_PING])]
        if name in further:
            cells += ["%.2f s" % further[name], "%.1f times" % (further[name] / further[_PING])]
        else:
            cells += ["", ""]
        lines.append("| %s | %d |" % (" | ".join(cells), commands[name + " 1"]))
    above = median_difference(taken["role 1"], taken["ping 1"])
    figures = [
        Figure("no change, 20 rules over ssh: role above ping, a run with one host", above, "s", _AIM),
        Figure("the same, every further host", further[_ROLE] - further[_PING], "s", _AIM),
        Figure("no change: module executions of the role on a host", commands["role 1"], "", 1, "%d"),
        Figure("no change: a loop of ansible.builtin.iptables, beside the role", one[_IPTABLES] / one[_ROLE], "times"),
    ]
    return Outcome(lines, figures)


def _further(taken: t.Mapping[str, t.Sequence[float]], name: str) -> float:
    """Seconds above an empty play that every host after the first adds."""
    parts = (taken[name + " all"], taken["empty all"], taken[name + " 1"], taken["empty 1"])
    extra = [(all_hosts - nothing) - (one - empty) for all_hosts, nothing, one, empty in zip(*parts)]
    return statistics.median(extra) / (len(_HOSTS) - 1)


def _once(site: Site, name: str, play: t.Mapping[str, object], commands: t.Dict[str, int]) -> float:
    done = must_change(site.play([play]), 0)
    commands[name] = done.commands
    return done.seconds
