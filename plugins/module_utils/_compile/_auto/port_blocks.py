# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.
"""Blocks of ports: a large exact map becomes many small ones, found by a lookup of ranges of ports.

A map whose elements change is sent anew, because the name of a map is that of its contents. In one map of thousands a
changed rule would take all of them. Where a block begins depends on the number of elements alone, and on that only
when it doubles.
"""

from __future__ import annotations

import typing as t

from .items import PORTS
from .plan import Dispatch, Element, Node

#: A map with more elements than this is split.
_MOST_IN_ONE = 512
#: About so many elements are in a block.
_IN_BLOCK = 64
_PORT_BITS = 16


def in_port_blocks(step: Dispatch) -> t.Tuple[Dispatch, int]:
    """The same decisions by smaller maps, and how many elements and steps that takes besides.

    A step stays as it is where it is small, or has no exact port to tell its elements apart.
    """
    places = [place for place, dimension in enumerate(step.dimensions) if dimension in PORTS]
    if len(step.elements) <= _MOST_IN_ONE or not places or not _is_exact(step):
        return step, 0
    shift = max(0, _PORT_BITS - (len(step.elements) // _IN_BLOCK).bit_length())
    place = max(places, key=lambda one: len(_blocks(step, one, shift)))
    blocks = _blocks(step, place, shift)
    if len(blocks) < 2:
        return step, 0
    elements = []
    for number, inside in sorted(blocks.items()):
        smaller = Dispatch(step.dimensions, step.family, tuple(inside), step.purpose)
        space = (number << shift, ((number + 1) << shift) - 1)
        elements.append(Element((space,), Node([smaller])))
    return Dispatch((step.dimensions[place],), None, tuple(elements), step.purpose), 2 * len(elements)


def _is_exact(step: Dispatch) -> bool:
    return step.prefix is None and all(low == high for element in step.elements for low, high in element.key)


def _blocks(step: Dispatch, place: int, shift: int) -> t.Dict[int, t.List[Element]]:
    """The elements by the leading bits of a port, in the order of the step."""
    blocks: t.Dict[int, t.List[Element]] = {}
    for element in step.elements:
        blocks.setdefault(element.key[place][0] >> shift, []).append(element)
    return blocks
