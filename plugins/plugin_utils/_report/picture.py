# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""The picture of a fleet: who sends on the left, groups on the right with what reaches them, as SVG.

It is drawn from the report's data alone, so the same data gives the same bytes. Colours are classes of the page's style
sheet, so that it follows the reader's light or dark, and paper.
"""

from __future__ import annotations

import html
import typing as t

_WIDTH = 960
_MARGIN = 2
_ROW = 22
_TITLE = 30
_GAP = 16
_SENDER_WIDTH = 250
_SENDER = 34
_CARD = 560
_CARD_WIDTH = _WIDTH - _CARD - _MARGIN

#: Lines of a group, and groups, that are drawn; the matrix has them all.
_MOST_FLOWS = 10
_MOST_GROUPS = 30

#: Widths of texts in characters, for the font of the page at its size in the picture.
_SENDER_TEXT = 26
_FLOW_TEXT = 52
_TITLE_TEXT = 38

#: Colours of the style sheet that tell senders apart; the first is that of the outside.
_COLOURS = 8

_KINDS = {"outside": "any other address", "network": "network", "group": "group"}


class _Flow(t.NamedTuple):
    """What one place sends to a group."""

    place: int
    text: str
    partly: bool


def draw(document: t.Mapping[str, t.Any]) -> str:
    """The picture; empty where there is no group with anything to show."""
    cards = [(group, list(_flows(document, group))) for group in document["groups"]]
    shown = [(group, flows) for group, flows in cards if flows][:_MOST_GROUPS]
    if not shown:
        return ""
    places = sorted({flow.place for _group, flows in shown for flow in flows[:_MOST_FLOWS]})
    heights = [
        _TITLE + _ROW * (min(len(flows), _MOST_FLOWS) + (len(flows) > _MOST_FLOWS)) + 8 for _group, flows in shown
    ]
    left = len(places) * (_SENDER + _GAP) - _GAP
    right = sum(heights) + _GAP * (len(heights) - 1)
    height = max(left, right) + 2 * _MARGIN
    at = _MARGIN + (height - 2 * _MARGIN - left) // 2
    senders = {place: at + index * (_SENDER + _GAP) for index, place in enumerate(places)}
    links: t.List[str] = []
    boxes = [_sender(document["places"][place], place, y) for place, y in senders.items()]
    y = _MARGIN + (height - 2 * _MARGIN - right) // 2
    for (group, flows), tall in zip(shown, heights):
        boxes.append(_card(group, y, tall))
        for index, flow in enumerate(flows[:_MOST_FLOWS]):
            line = y + _TITLE + index * _ROW + _ROW // 2
            boxes.append(_line(document["places"][flow.place], flow, line))
            links.append(_link(flow, senders[flow.place] + _SENDER // 2, line))
        if len(flows) > _MOST_FLOWS:
            line = y + _TITLE + _MOST_FLOWS * _ROW + _ROW // 2
            rest = "and %d more, in the matrix" % (len(flows) - _MOST_FLOWS)
            boxes.append(_text(_CARD + 14, line + 4, rest, "quiet"))
        y += tall + _GAP
    return (
        '<svg viewBox="0 0 %d %d" role="img" aria-labelledby="picture-title picture-text">'
        '<title id="picture-title">Who reaches which group</title>'
        '<desc id="picture-text">%s</desc>%s%s</svg>'
        % (_WIDTH, height, html.escape(_told(document, shown)), "".join(links), "".join(boxes))
    )


def _flows(document: t.Mapping[str, t.Any], group: t.Mapping[str, t.Any]) -> t.Iterator[_Flow]:
    """What the outside reaches, and what every other place reaches beyond that."""
    cells = document["cells"]
    world: t.List[t.Mapping[str, t.Any]] = []
    for place, number in enumerate(group["reaching"]):
        entries = [] if number is None else cells[number]["entries"]
        beyond = [entry for entry in entries if not any(_holds(one, entry) for one in world)]
        if place == 0:
            world = [entry for entry in entries if entry["scope"] == "all" and "hosts" not in entry]
        if beyond:
            partly = any(entry["scope"] == "some" or "hosts" in entry for entry in beyond)
            yield _Flow(place, describe_entries(beyond), partly)


def _holds(one: t.Mapping[str, t.Any], other: t.Mapping[str, t.Any]) -> bool:
    """Whether an entry says all that another one says, as far as their texts tell."""
    if one["family"] not in (None, other["family"]) or one["protocol"] not in ("any", other["protocol"]):
        return False
    return all(one[key] is None or (other[key] is not None and set(other[key]) <= set(one[key])) for key in _MEMBERS)


_MEMBERS = ("ports", "types")


def describe_entries(entries: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """``tcp 80, 443; udp 443; icmp``: what gets through, in a line."""
    ports: t.Dict[str, t.Dict[str, None]] = {}
    for entry in entries:
        listed = entry["ports"] or entry["types"] or ()
        name = "everything" if entry["protocol"] == "any" else entry["protocol"]
        ports.setdefault(name, {}).update(dict.fromkeys(listed))
    return "; ".join(("%s %s" % (name, ", ".join(listed))).strip() for name, listed in ports.items())


def _told(document: t.Mapping[str, t.Any], shown: t.Sequence[t.Tuple[t.Mapping[str, t.Any], t.List[_Flow]]]) -> str:
    """The picture in words."""
    return " ".join(
        "%s reaches %s on %s." % (document["places"][flow.place]["name"], group["name"], flow.text)
        for group, flows in shown
        for flow in flows
    )


def _sender(place: t.Mapping[str, t.Any], number: int, y: int) -> str:
    return '<g class="place tone%d"><rect class="sender" x="%d" y="%d" width="%d" height="%d" rx="6"/>%s%s</g>' % (
        _tone(number),
        _MARGIN,
        y,
        _SENDER_WIDTH,
        _SENDER,
        _text(14, y + 22, _cut(place["name"], _SENDER_TEXT), "name", place["name"]),
        _text(_SENDER_WIDTH - 10, y + 22, _KINDS[place["kind"]], "quiet end"),
    )


def _card(group: t.Mapping[str, t.Any], y: int, height: int) -> str:
    count = len(group["hosts"])
    return '<rect class="card" x="%d" y="%d" width="%d" height="%d" rx="6"/>%s%s' % (
        _CARD,
        y,
        _CARD_WIDTH,
        height,
        _text(_CARD + 14, y + 20, _cut(group["name"], _TITLE_TEXT), "name", group["name"]),
        _text(_WIDTH - 14, y + 20, "%d host%s" % (count, "" if count == 1 else "s"), "quiet end"),
    )


def _line(place: t.Mapping[str, t.Any], flow: _Flow, y: int) -> str:
    full = "%s: %s%s" % (place["name"], flow.text, " (in part)" if flow.partly else "")
    return '<g class="tone%d"><circle cx="%d" cy="%d" r="3.5"/>%s</g>' % (
        _tone(flow.place),
        _CARD,
        y,
        _text(_CARD + 14, y + 4, _cut(flow.text, _FLOW_TEXT), "flow", full),
    )


def _link(flow: _Flow, start: int, end: int) -> str:
    left, right = _MARGIN + _SENDER_WIDTH, _CARD
    middle = (left + right) // 2
    return '<path class="link tone%d%s" d="M%d %dC%d %d %d %d %d %d"/>' % (
        _tone(flow.place),
        " partly" if flow.partly else "",
        left,
        start,
        middle,
        start,
        middle,
        end,
        right,
        end,
    )


def _tone(place: int) -> int:
    return 0 if place == 0 else 1 + (place - 1) % (_COLOURS - 1)


def _text(x: int, y: int, text: str, names: str, full: str = "") -> str:
    title = "<title>%s</title>" % html.escape(full) if full and full != text else ""
    return '<text x="%d" y="%d" class="%s">%s%s</text>' % (x, y, names, html.escape(text), title)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
