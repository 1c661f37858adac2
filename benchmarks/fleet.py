# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty hosts in one run, over ssh: the first deploy, and one that changes nothing, beside ping."""

from __future__ import annotations

import functools
import typing as t

from lab.site import Site, empty_play, must_change, open_site, ping_play, role_play

from .figures import Figure, Outcome, Say, interleave, median_difference
from .twenty import role_variables

HOSTS = 50
FORKS = 20

_ROUNDS = 3


def measure(say: Say) -> Outcome:
    """Runs it.

    Raises:
        BenchmarkError: A play failed, or changed something where nothing was to be changed.
    """
    with open_site(["host%02d" % number for number in range(HOSTS)], forks=FORKS) as site:
        # As in a real fleet, a policy names the hosts themselves.
        site.write_inventory(role_variables(monitoring=["group:all"]))
        say("  %d hosts are there; ping opens their connections" % HOSTS)
        site.play([ping_play("all")])
        first = must_change(site.play([role_play("all")]), HOSTS)
        say("  first deploy: %.1f s" % first.seconds)
        plays = {"empty play": empty_play("all"), "ping": ping_play("all"), "no change": role_play("all")}
        variants = {name: functools.partial(_once, site, play) for name, play in plays.items()}
        taken = interleave(variants, _ROUNDS, say)
    empty = taken["empty play"]
    extra = {name: median_difference(taken[name], empty) for name in ("ping", "no change")}
    extra["first deploy"] = median_difference([first.seconds] * len(empty), empty)
    lines = ["| play on %d hosts, %d forks | above an empty play | per host |" % (HOSTS, FORKS), "|---|---|---|"]
    lines += ["| %s | %.1f s | %.2f s |" % (name, seconds, seconds / HOSTS) for name, seconds in extra.items()]
    figures = [
        Figure("%d hosts: first deploy" % HOSTS, extra["first deploy"], "s", form="%.1f"),
        Figure("%d hosts: no change" % HOSTS, extra["no change"], "s", form="%.1f"),
        Figure("%d hosts: ping" % HOSTS, extra["ping"], "s", form="%.1f"),
    ]
    return Outcome(lines, figures)


def _once(site: Site, play: t.Mapping[str, object]) -> float:
    return must_change(site.play([play]), 0).seconds
