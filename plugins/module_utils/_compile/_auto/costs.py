# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""The cost model: what a packet pays for a rule, a lookup, a jump, in nanoseconds.

The constants are rounded from measurements on one machine (x86-64 with AVX2, Linux 6.18).
``benchmarks/run constants`` prints those of the machine at hand beside them, with warm and with colder
caches. Where there are many rules, packets of many flows find in the caches whatever the last thousand
others have left, so a lookup costs more (:data:`COLD`); the rules of a chain lie side by side in memory
and cost no more. Only the ratios
decide a layout, and those are much alike on other machines. One host's layout must not depend on which
machine compiled it, so they are not measured at run time.

Why they are as they are: a rule is a few expressions (``nft_do_chain``); an exact map is a hash table
(``nft_set_hash.c``); an interval map of one field is a balanced tree, twice its depth in cache lines
(``nft_set_rbtree.c``); an interval map of several fields reads, for each half octet of each field, a
row of one bit for each element, and walks the elements that every field so far has left
(``nft_set_pipapo.c``). So its first field must leave few: with ten thousand elements that all match
the first field, one lookup was measured at 70 microseconds instead of half a microsecond.
"""

from __future__ import annotations

import math
import typing as t

from .items import ADDRESSES, PORTS, Item

#: A rule that does not match, most of them at their first or second condition.
RULE = 16.0
#: The same, where what tells its packets apart is a set: of ports, or of addresses.
RULE_WITH_PORTS = 60.0
RULE_WITH_SET = 130.0
#: More values than this are a set.
_INLINE_VALUES = 1
#: To another chain, and the named counter with the verdict there.
JUMP = 12.0
DECIDE = 18.0
#: A lookup of exact keys, at any size.
EXACT = 60.0
#: The address cut to a prefix before a lookup.
MASK = 12.0
#: A lookup of intervals in one field: at one element, and for each doubling.
INTERVAL = 20.0
INTERVAL_DOUBLING = 28.0
#: A lookup of intervals in several fields: at all, for each field, for each element and octet of key,
#: and for each element that the fields before the last one have left.
CONCATENATED = 75.0
CONCATENATED_FIELD = 30.0
CONCATENATED_ELEMENT_OCTET = 0.0022
CONCATENATED_LEFT = 7.0


#: What any lookup takes besides where the caches do not hold the whole ruleset.
COLD = 40.0

#: Packets that match none of the rules of a list, beside one packet for each rule.
MISSED_SHARE = 0.15


def exact_lookup() -> float:
    return EXACT


def masked_lookup() -> float:
    return MASK + EXACT


def interval_lookup(elements: int) -> float:
    return INTERVAL + INTERVAL_DOUBLING * math.log2(max(elements, 1))


def concatenated_lookup(elements: int, octets: int, fields: int, left: float) -> float:
    """The cost of a lookup in a map of concatenated intervals.

    Args:
        octets: Of the key.
        left: How many elements the fields before the last one leave, summed over these fields.
    """
    return (
        CONCATENATED
        + CONCATENATED_FIELD * fields
        + CONCATENATED_ELEMENT_OCTET * elements * octets
        + CONCATENATED_LEFT * left
    )


def linear(costs: t.Sequence[float], missed: float) -> float:
    """The mean cost of rules one after another.

    Args:
        costs: Of each rule.
        missed: The share of packets that none of them matches.
    """
    total = sum(costs)
    if not costs:
        return 0.0
    reached = 0.0
    found = 0.0
    for cost in costs:
        reached += cost
        found += reached
    return (1 - missed) * found / len(costs) + missed * total


def guess(items: int) -> float:
    """What a list of items will cost about, before it is arranged."""
    one_by_one = RULE * items / 2
    arranged = 200.0 + 30.0 * math.log2(max(items, 1))
    return min(one_by_one, arranged)


def layered(items: int, lookup: float, found: int, inside: float) -> float:
    """What a list costs about when a lookup finds some of its items and the rest follows.

    The rest will be one rule after another, or further lookups that each find as large a share: a lookup
    that finds few makes no progress for what it costs.

    Args:
        lookup: The cost of the lookup.
        found: How many items it finds.
        inside: The mean cost of such an item behind the lookup.
    """
    left = max(items - found, 0)
    share = found / max(items, 1)
    again = lookup / share
    missed = items * MISSED_SHARE
    total = (items + missed) * lookup + found * inside
    total += left * min(RULE * left / 2, again + inside) + missed * min(RULE * left, again)
    return total / (items + missed)


def rule(item: Item) -> float:
    """The cost of an item as a rule that does not match; what is quick to compare is compared first.

    The protocol is left aside: most packets have that of most rules.
    """
    known = [dimension for dimension in (*ADDRESSES, *PORTS) if item.sets[dimension] is not None]
    if not known or any(len(item.sets[dimension] or ()) <= _INLINE_VALUES for dimension in known):
        return RULE
    return RULE_WITH_PORTS if any(dimension in PORTS for dimension in known) else RULE_WITH_SET
