# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Pages: a long chain becomes constant ones that are gone through in turn.

A chain that changes is sent whole, so a rule that changes among ten thousand would take all of them. Of pages it
takes one, and of the list of pages, which is cut into pages again, another. Where a page ends is told by the rules
themselves, so that a rule more or less in one policy moves no page of another. Of its own policy, the rules behind it
have other names then.

A packet that goes to another chain for good comes back to where the last jump came from: from a page that would be the
next page, where the long chain had ended for it. So rules that may do that stay in the chain itself.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

from .digest import digest_of_rules
from .table import Lookup, TableChain, TableRule, Verdict, VerdictKind

#: A page has at least so many rules, then one rule in so many ends it, and at most so many.
_LEAST_RULES = 16
_RULES = 20
_MOST_RULES = 64
#: So many rules in a row become pages, and so many jumps to pages.
_LONG, _LONG_JUMPS = 384, 64
#: How many chains follow each other before the rules: pages of jumps, and pages of rules.
LEVELS = 2


def paged(chain: TableChain) -> t.Tuple[TableChain, t.Tuple[TableChain, ...]]:
    """The chain that goes through the pages, and the pages."""
    pages: t.Dict[str, TableChain] = {}
    rules: t.List[TableRule] = []
    for may_leave, run in itertools.groupby(chain.rules, _may_leave):
        together = list(run)
        if not may_leave and len(together) >= _LONG:
            together = _turned(chain.name, together, pages)
            if len(together) >= _LONG_JUMPS:
                together = _turned(chain.name, together, pages)
        rules.extend(together)
    return dataclasses.replace(chain, rules=tuple(rules)), tuple(pages.values())


def _turned(name: str, rules: t.Sequence[TableRule], pages: t.Dict[str, TableChain]) -> t.List[TableRule]:
    """Jumps to the pages that these rules become."""
    jumps = []
    for page in _split(rules):
        page_name = "%s_page_%s" % (name, digest_of_rules(page))
        pages[page_name] = TableChain(page_name, page, constant=True)
        jumps.append(TableRule((), (Verdict(VerdictKind.JUMP, page_name),)))
    return jumps


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
        size = len(page)
        if size >= _MOST_RULES or (size >= _LEAST_RULES and int(digest_of_rules((rule,)), 16) % _RULES == 0):
            yield tuple(page)
            page = []
    if page:
        yield tuple(page)
