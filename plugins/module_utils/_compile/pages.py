# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Pages: a long chain becomes constant ones that are gone through in turn.

A chain that changes is sent whole, so a rule that changes among ten thousand would take all of them. Of pages it
takes one. Where a page ends is told by the rules themselves, so that a rule more or less in one policy moves no page of
another. Of its own policy, the rules behind it have other names then.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .table import TableChain, TableRule, Verdict, VerdictKind, digest_of

#: One rule in so many ends a page, and no page has more than four times as many.
_RULES = 48
_MOST_RULES = 4 * _RULES
#: A shorter chain stays one.
_LEAST = 2 * _MOST_RULES


def paged(chain: TableChain) -> t.Tuple[TableChain, t.Tuple[TableChain, ...]]:
    """The chain that goes through the pages, and the pages.

    Args:
        chain: No rule of it goes to another chain for good: from there it would come back to the next page.
    """
    if len(chain.rules) < _LEAST:
        return chain, ()
    pages: t.Dict[str, TableChain] = {}
    jumps: t.List[TableRule] = []
    for rules in _split(chain.rules):
        name = "%s_page_%s" % (chain.name, digest_of(rules))
        pages[name] = TableChain(name, rules, constant=True)
        jumps.append(TableRule((), (Verdict(VerdictKind.JUMP, name),)))
    return dataclasses.replace(chain, rules=tuple(jumps)), tuple(pages.values())


def _split(rules: t.Sequence[TableRule]) -> t.Iterator[t.Tuple[TableRule, ...]]:
    page: t.List[TableRule] = []
    for rule in rules:
        page.append(rule)
        if len(page) >= _MOST_RULES or int(digest_of(rule), 16) % _RULES == 0:
            yield tuple(page)
            page = []
    if page:
        yield tuple(page)
