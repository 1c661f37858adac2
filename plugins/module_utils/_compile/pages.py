# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Pages: a long chain becomes constant ones that are gone through in turn.

A chain that changes is sent whole, so a rule that changes among ten thousand would take all of them. Of pages it
takes one. Where a page ends is told by the rules themselves, so that a rule more or less in one policy moves no page of
another. Of its own policy, the rules behind it have other names then.

A packet that goes to another chain for good comes back to where the last jump came from: from a page that would be the
next page, where the long chain had ended for it. So rules that may do that stay in the chain itself.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

from .table import Lookup, TableChain, TableRule, Verdict, VerdictKind, digest_of

#: One rule in so many ends a page, and no page has more than four times as many.
_RULES = 48
_MOST_RULES = 4 * _RULES
#: Fewer rules in a row stay where they are.
_LEAST = 2 * _MOST_RULES


def paged(chain: TableChain) -> t.Tuple[TableChain, t.Tuple[TableChain, ...]]:
    """The chain that goes through the pages, and the pages."""
    pages: t.Dict[str, TableChain] = {}
    rules: t.List[TableRule] = []
    for may_leave, run in itertools.groupby(chain.rules, _may_leave):
        together = tuple(run)
        if may_leave or len(together) < _LEAST:
            rules.extend(together)
            continue
        for page in _split(together):
            name = "%s_page_%s" % (chain.name, digest_of(page))
            pages[name] = TableChain(name, page, constant=True)
            rules.append(TableRule((), (Verdict(VerdictKind.JUMP, name),)))
    return dataclasses.replace(chain, rules=tuple(rules)), tuple(pages.values())


def _may_leave(rule: TableRule) -> bool:
    """Whether packets may go to another chain for good; where elements of a map lead is not looked at."""
    return any(
        isinstance(one, Lookup) or (isinstance(one, Verdict) and one.kind is VerdictKind.GOTO)
        for one in rule.statements
    )


def _split(rules: t.Sequence[TableRule]) -> t.Iterator[t.Tuple[TableRule, ...]]:
    page: t.List[TableRule] = []
    for rule in rules:
        page.append(rule)
        if len(page) >= _MOST_RULES or int(digest_of(rule), 16) % _RULES == 0:
            yield tuple(page)
            page = []
    if page:
        yield tuple(page)
