# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws what the benchmark ``peers`` measured last: cost of a packet against the number of rules, both logarithmic.

The same figures give the same file. Colours belong to kinds of tools and keep apart for every kind of colour
vision and on white as on black; within a kind the strokes and the marks differ, and each line has its name
beside its end.
"""

from __future__ import annotations

import json
import math
import pathlib
import typing as t
from xml.sax.saxutils import escape

from .figures import BenchmarkError, Outcome, Say
from .peers.run import RESULTS

PICTURE = pathlib.Path(__file__).with_name("classification.svg")

_WIDTH, _HEIGHT = 1000, 640
#: The area of the lines; to its right stand their names.
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 720, 56, 584
_NAMES_LEFT = 748
_LINE_HEIGHT = 17

_TEXT, _GRID = "#767676", "#8b8b8b"
_BLUE, _PURPLE, _ORANGE, _GREEN, _BROWN = "#0079bd", "#b0568c", "#d55e00", "#00916a", "#94740f"


class Style(t.NamedTuple):
    """How a line looks.

    Attributes:
        dash: Lengths of strokes and gaps; empty for an unbroken line.
        mark: ``disc``, ``square``, ``triangle`` or ``ring``.
    """

    colour: str
    dash: str = ""
    mark: str = "disc"
    width: float = 1.6


_STYLES: t.Mapping[str, Style] = {
    "auto": Style(_BLUE, width=3.6),
    "auto-uncounted": Style(_BLUE, "7 4", "ring"),
    "ordered": Style(_BLUE, "2 3", "square"),
    "nft": Style(_PURPLE),
    "nft-o": Style(_PURPLE, "7 4", "square"),
    "nft-o-newer": Style(_PURPLE, "2 3", "triangle"),
    "aerleon": Style(_PURPLE, "9 3 2 3", "ring"),
    "iptables-nft": Style(_ORANGE, "7 4", "square"),
    "iptables-legacy": Style(_ORANGE),
    "ipset-ports-nft": Style(_GREEN, "7 4", "square"),
    "ipset-ports-legacy": Style(_GREEN),
    "ipset-pairs-nft": Style(_GREEN, "2 3", "triangle"),
    "ipset-pairs-legacy": Style(_GREEN, "9 3 2 3", "ring"),
    "ufw": Style(_BROWN),
    "firewalld": Style(_BROWN, "7 4", "square"),
}


class Line(t.NamedTuple):
    """One contender: its name, and nanoseconds by the number of rules."""

    key: str
    name: str
    points: t.Dict[int, float]


class _Scale:
    """A logarithmic axis: values to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low, high
        self._start = start
        self._factor = (end - start) / math.log(high / low)

    def __call__(self, value: float) -> float:
        return self._start + self._factor * math.log(value / self.low)


def measure(say: Say) -> Outcome:
    """Draws the picture.

    Raises:
        BenchmarkError: Nothing has been measured yet.
    """
    try:
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise BenchmarkError("there are no figures to draw: run the benchmark peers first") from exc
    PICTURE.write_text(picture(lines_of(results)), encoding="utf-8")
    say("  wrote %s" % PICTURE.name)
    return Outcome(["![Cost of a packet by the number of rules](%s)" % PICTURE.name], [])


def lines_of(results: t.Mapping[str, t.Any]) -> t.List[Line]:
    """What the file of results holds; a cost that is lost in the noise is left out."""
    lines = []
    for key, name in results["contenders"].items():
        points = {
            int(size): costs[key]["mean"]
            for size, costs in results["costs"].items()
            if key in costs and costs[key]["mean"] >= 1
        }
        if points:
            lines.append(Line(key, name, points))
    return lines


def picture(lines: t.Sequence[Line]) -> str:
    """The SVG."""
    sizes = sorted({size for line in lines for size in line.points})
    values = [value for line in lines for value in line.points.values()]
    x = _Scale(sizes[0], sizes[-1], _LEFT, _RIGHT)
    y = _Scale(10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values))), _BOTTOM, _TOP)
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">' % (_WIDTH, _HEIGHT, _WIDTH, _HEIGHT),
        "<title>Cost of a new packet by the number of rules</title>",
        "<desc>%s</desc>" % escape(_description(lines, sizes)),
        *_axes(x, y, sizes),
    ]
    # What matters most is drawn last, on top.
    for line in sorted(lines, key=lambda one: _STYLES[one.key].width):
        parts += _drawn(line, sizes, x, y)
    parts += _names(lines, sizes, y)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _description(lines: t.Sequence[Line], sizes: t.Sequence[int]) -> str:
    told = ["%s %s" % (line.name, _duration(line.points[sizes[-1]])) for line in lines if sizes[-1] in line.points]
    return "Mean cost above an empty chain with %d rules: %s." % (sizes[-1], ", ".join(told))


def _duration(nanoseconds: float) -> str:
    return "%.0f ns" % nanoseconds if nanoseconds < 1000 else "%.1f µs" % (nanoseconds / 1000)


def _axes(x: _Scale, y: _Scale, sizes: t.Sequence[int]) -> t.Iterator[str]:
    yield _text(_LEFT, 24, "Cost of a new packet, above an empty chain", size=16, weight="bold")
    yield _text(_LEFT, 42, "mean over packets drawn evenly over the rules; the same policy in every tool")
    value = y.low
    while value <= y.high * 1.001:
        height = y(value)
        yield _stroke(_LEFT, height, _RIGHT, height, 0.35)
        unit = "%.0f ns" % value if value < 1000 else "%.0f µs" % (value / 1000)
        yield _text(_LEFT - 8, height + 4, unit if value < 1e6 else "%.0f ms" % (value / 1e6), anchor="end")
        if value * 1.001 < y.high:
            for step in range(2, 10):
                yield _stroke(_LEFT, y(step * value), _RIGHT, y(step * value), 0.1)
        value *= 10
    for size in sizes:
        yield _stroke(x(size), _TOP, x(size), _BOTTOM, 0.15)
        yield _text(x(size), _BOTTOM + 20, "{:,}".format(size), anchor="middle")
    yield _text((_LEFT + _RIGHT) / 2, _BOTTOM + 42, "rules", anchor="middle")


def _drawn(line: Line, sizes: t.Sequence[int], x: _Scale, y: _Scale) -> t.Iterator[str]:
    """The line, broken where a size has no figure, and its marks."""
    style = _STYLES[line.key]
    runs: t.List[t.List[str]] = [[]]
    for size in sizes:
        if size in line.points:
            runs[-1].append("%.1f,%.1f" % (x(size), y(line.points[size])))
        elif runs[-1]:
            runs.append([])
    dash = ' stroke-dasharray="%s"' % style.dash if style.dash else ""
    for run in runs:
        if len(run) > 1:
            yield '<polyline points="%s" fill="none" stroke="%s" stroke-width="%.1f" stroke-linejoin="round"%s/>' % (
                " ".join(run),
                style.colour,
                style.width,
                dash,
            )
    for size, value in sorted(line.points.items()):
        yield _mark(style, x(size), y(value))


def _mark(style: Style, x: float, y: float) -> str:
    reach = 2.2 + style.width / 2
    if style.mark == "ring":
        return '<circle cx="%.1f" cy="%.1f" r="%.1f" fill="none" stroke="%s" stroke-width="1.4"/>' % (
            x,
            y,
            reach,
            style.colour,
        )
    if style.mark == "square":
        corner = (x - reach, y - reach, 2 * reach, 2 * reach)
        return '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>' % (*corner, style.colour)
    if style.mark == "triangle":
        corners = (x, y - reach * 1.3, x + reach * 1.2, y + reach, x - reach * 1.2, y + reach)
        return '<polygon points="%.1f,%.1f %.1f,%.1f %.1f,%.1f" fill="%s"/>' % (*corners, style.colour)
    return '<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>' % (x, y, reach, style.colour)


def _names(lines: t.Sequence[Line], sizes: t.Sequence[int], y: _Scale) -> t.Iterator[str]:
    """The names: beside the ends of the lines, moved apart; of lines that end early, at the foot of the column."""
    last = sizes[-1]
    ends = sorted((line for line in lines if last in line.points), key=lambda line: y(line.points[last]))
    heights = [y(line.points[last]) for line in ends]
    early = [line for line in lines if last not in line.points]
    lowest = _BOTTOM - _LINE_HEIGHT * len(early)
    for height, place, line in zip(heights, _apart(heights, lowest), ends):
        colour = _STYLES[line.key].colour
        yield '<path d="M%.1f %.1fL%.1f %.1f" stroke="%s" stroke-width="0.8" fill="none" opacity="0.7"/>' % (
            _RIGHT + 7,
            height,
            _NAMES_LEFT - 4,
            place,
            colour,
        )
        yield _name(line, place, "")
    for number, line in enumerate(early, start=1):
        place = lowest + _LINE_HEIGHT * number
        yield _mark(_STYLES[line.key], _NAMES_LEFT - 10, place)
        yield _name(line, place, " (%s rules)" % ", ".join("{:,}".format(size) for size in sorted(line.points)))


def _name(line: Line, height: float, note: str) -> str:
    style = _STYLES[line.key]
    weight = "bold" if style.width > 3 else "normal"
    return _text(_NAMES_LEFT, height + 4.5, line.name + note, colour=style.colour, weight=weight)


def _apart(wanted: t.Sequence[float], lowest: float) -> t.List[float]:
    """Heights near the wanted ones, which ascend, a line's height from each other and none beyond the lowest."""
    # Groups of names that touch each other: first place, and number of names.
    groups: t.List[t.Tuple[float, int]] = []
    for height in wanted:
        groups.append((height, 1))
        while len(groups) > 1 and groups[-2][0] + groups[-2][1] * _LINE_HEIGHT > groups[-1][0]:
            (first, count), (second, more) = groups[-2:]
            # The mean of what all of them want, seen from the first.
            joint = (first * count + (second - count * _LINE_HEIGHT) * more) / (count + more)
            groups[-2:] = [(joint, count + more)]
    placed = [first + number * _LINE_HEIGHT for first, count in groups for number in range(count)]
    for position in range(len(placed) - 1, -1, -1):
        placed[position] = min(placed[position], lowest)
        lowest = placed[position] - _LINE_HEIGHT
    return placed


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, weight: str = "normal", colour: str = _TEXT
) -> str:
    return '<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" font-weight="%s" fill="%s">%s</text>' % (
        x,
        y,
        anchor,
        size,
        weight,
        colour,
        escape(text),
    )


def _stroke(x: float, y: float, other_x: float, other_y: float, opacity: float) -> str:
    return '<path d="M%.1f %.1fL%.1f %.1f" stroke="%s" stroke-opacity="%.2f"/>' % (
        x,
        y,
        other_x,
        other_y,
        _GRID,
        opacity,
    )
