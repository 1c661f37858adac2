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

#: Lines of a card, cards, and names of groups on one, that are drawn; the matrix has them all.
_MOST_FLOWS = 10
_MOST_CARDS = 30
_MOST_NAMES = 3

#: Widths of texts in characters, for the font of the page at its size in the picture.
_SENDER_TEXT = 26
_FLOW_TEXT = 52
_TITLE_TEXT = 38

#: Colours of the style sheet that tell senders apart; the first is that of the outside.
_COLOURS = 8

_KINDS = {"outside": "any other address", "network": "network", "group": "group"}


class _Flow(t.NamedTuple):
    """What some places send to a group, all of them the same."""

    places: t.Tuple[int, ...]
    text: str
    partly: bool


class _Card(t.NamedTuple):
    """Groups that the same flows reach."""

    names: t.Tuple[str, ...]
    hosts: int
    flows: t.Tuple[_Flow, ...]

    @property
    def height(self) -> int:
        return _TITLE + _ROW * (min(len(self.flows), _MOST_FLOWS) + (len(self.flows) > _MOST_FLOWS)) + 8

    @property
    def title(self) -> str:
        shown = ", ".join(self.names[:_MOST_NAMES])
        left = len(self.names) - _MOST_NAMES
        return "%s and %d more" % (shown, left) if left > 0 else shown


def draw(document: t.Mapping[str, t.Any]) -> str:
    """The picture; empty where there is no group with anything to show."""
    cards = _cards(document)[:_MOST_CARDS]
    if not cards:
        return ""
    places = sorted({place for card in cards for flow in card.flows[:_MOST_FLOWS] for place in flow.places})
    left = len(places) * (_SENDER + _GAP) - _GAP
    right = sum(card.height for card in cards) + _GAP * (len(cards) - 1)
    height = max(left, right) + 2 * _MARGIN
    at = _MARGIN + (height - 2 * _MARGIN - left) // 2
    senders = {place: at + index * (_SENDER + _GAP) for index, place in enumerate(places)}
    links: t.List[str] = []
    boxes = [_sender(document["places"][place], place, y) for place, y in senders.items()]
    y = _MARGIN + (height - 2 * _MARGIN - right) // 2
    for card in cards:
        boxes.append(_box(card, y))
        line = y + _TITLE + _ROW // 2
        for flow in card.flows[:_MOST_FLOWS]:
            boxes.append(_line(document["places"], flow, line))
            links.extend(_link(place, senders[place] + _SENDER // 2, line, partly=flow.partly) for place in flow.places)
            line += _ROW
        if len(card.flows) > _MOST_FLOWS:
            rest = "and %d more, in the matrix" % (len(card.flows) - _MOST_FLOWS)
            boxes.append(_text(_CARD + 14, line + 4, rest, "quiet"))
        y += card.height + _GAP
    return (
        '<svg viewBox="0 0 %d %d" role="img" aria-labelledby="picture-title picture-text">'
        '<title id="picture-title">Who reaches which group</title>'
        '<desc id="picture-text">%s</desc>%s%s</svg>'
        % (_WIDTH, height, html.escape(_told(document, cards)), "".join(links), "".join(boxes))
    )


def _cards(document: t.Mapping[str, t.Any]) -> t.List[_Card]:
    """The groups that something reaches; those that the same reaches are one."""
    found: t.Dict[t.Tuple[_Flow, ...], t.List[t.Mapping[str, t.Any]]] = {}
    for group in document["groups"]:
        flows = _flows(document, group)
        if flows:
            found.setdefault(flows, []).append(group)
    return [
        _Card(
            tuple(group["name"] for group in groups),
            len({host for group in groups for host in group["hosts"]}),
            flows,
        )
        for flows, groups in found.items()
    ]


def _flows(document: t.Mapping[str, t.Any], group: t.Mapping[str, t.Any]) -> t.Tuple[_Flow, ...]:
    """What the outside reaches, and what other places reach that the outside does not."""
    cells = document["cells"]
    outside: t.List[t.Mapping[str, t.Any]] = []
    found: t.Dict[t.Tuple[str, bool], t.List[int]] = {}
    for place, number in enumerate(group["reaching"]):
        entries = [] if number is None else cells[number]["entries"]
        beyond = [entry for entry in entries if not any(_holds(one, entry) for one in outside)]
        if place == 0:
            outside = entries
        if beyond:
            partly = any(entry["scope"] == "some" or "hosts" in entry for entry in beyond)
            found.setdefault((describe_entries(beyond), partly), []).append(place)
    return tuple(_Flow(tuple(places), text, partly) for (text, partly), places in found.items())


def _holds(one: t.Mapping[str, t.Any], other: t.Mapping[str, t.Any]) -> bool:
    """Whether an entry says all that another one says, as far as their texts tell."""
    if one["family"] not in (None, other["family"]) or one["protocol"] not in ("any", other["protocol"]):
        return False
    return all(one[key] is None or (other[key] is not None and set(other[key]) <= set(one[key])) for key in _MEMBERS)


_MEMBERS = ("ports", "types")


def describe_entries(entries: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """``tcp 80, 443; udp 443; ping``: what gets through, in a line."""
    ports: t.Dict[str, t.Dict[str, None]] = {}
    for entry in entries:
        listed = entry["ports"] or entry["types"] or ()
        name = _WORDS.get((entry["protocol"], tuple(entry["types"] or ())), entry["protocol"])
        ports.setdefault(name, {}).update(dict.fromkeys(listed if name == entry["protocol"] else ()))
    return "; ".join(("%s %s" % (name, ", ".join(listed))).strip() for name, listed in ports.items())


#: By protocol and types.
_WORDS = {
    ("any", ()): "everything",
    ("icmp", ("echo-request",)): "ping",
    ("icmpv6", ("echo-request",)): "ping",
}


def _told(document: t.Mapping[str, t.Any], cards: t.Sequence[_Card]) -> str:
    """The picture in words."""
    return " ".join(
        "%s reaches %s on %s." % (_names(document["places"], flow), ", ".join(card.names), flow.text)
        for card in cards
        for flow in card.flows
    )


def _names(places: t.Sequence[t.Mapping[str, t.Any]], flow: _Flow) -> str:
    return ", ".join(places[place]["name"] for place in flow.places)


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


def _box(card: _Card, y: int) -> str:
    return '<rect class="card" x="%d" y="%d" width="%d" height="%d" rx="6"/>%s%s' % (
        _CARD,
        y,
        _CARD_WIDTH,
        card.height,
        _text(_CARD + 14, y + 20, _cut(card.title, _TITLE_TEXT), "name", ", ".join(card.names)),
        _text(_WIDTH - 14, y + 20, "%d host%s" % (card.hosts, "" if card.hosts == 1 else "s"), "quiet end"),
    )


def _line(places: t.Sequence[t.Mapping[str, t.Any]], flow: _Flow, y: int) -> str:
    full = "%s: %s%s" % (_names(places, flow), flow.text, " (in part)" if flow.partly else "")
    tone = "tone%d" % _tone(flow.places[0]) if len(flow.places) == 1 else "many"
    return '<g class="%s"><circle cx="%d" cy="%d" r="3.5"/>%s</g>' % (
        tone,
        _CARD,
        y,
        _text(_CARD + 14, y + 4, _cut(flow.text, _FLOW_TEXT), "flow", full),
    )


def _link(place: int, start: int, end: int, *, partly: bool) -> str:
    left, right = _MARGIN + _SENDER_WIDTH, _CARD
    middle = (left + right) // 2
    return '<path class="link tone%d%s" d="M%d %dC%d %d %d %d %d %d"/>' % (
        _tone(place),
        " partly" if partly else "",
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
