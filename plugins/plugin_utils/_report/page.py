# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""The report as one page: its data, its style and its script in one file that asks for nothing else.

The page forbids itself every connection, and runs its own script alone, by their digests (Content Security Policy
Level 3, "script-src"). Nothing that a user or a host wrote is ever read as markup: the data is JSON in an element that
no browser runs, without a character that could end it, and the script makes texts of it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import pathlib
import typing as t

from .picture import draw

_FOLDER = pathlib.Path(__file__).parent

#: The parts of the script, each using what those before it define.
_SCRIPTS = ("elements", "filters", "tip", "matrix", "hosts", "start")

#: What could end the element that holds the data, or a line of it (ECMA-262, "JSON superset").
_ESCAPES = {ord(one): "\\u%04x" % ord(one) for one in "<>&\u2028\u2029"}


def render_json(document: t.Mapping[str, t.Any]) -> str:
    """The report for programs."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def render_page(document: t.Mapping[str, t.Any]) -> str:
    """The report for people."""
    style, page = (_FOLDER.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.html"))
    script = _script()
    parts = {
        "POLICY": "default-src 'none'; script-src %s; style-src %s; base-uri 'none'; form-action 'none'"
        % (_digest(script), _digest(style)),
        "TIME": html.escape(document["time"]),
        "STYLE": style,
        "SCRIPT": script,
        "PICTURE": draw(document),
        "DATA": render_json(document).strip().translate(_ESCAPES),
    }
    # In one pass: what is put in is not looked at again.
    pieces = page.split("%%")
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))


def _script() -> str:
    """The parts of the script as one, which has no name in common with anything else on the page."""
    texts = (_FOLDER.joinpath("script", name + ".js").read_text(encoding="utf-8") for name in _SCRIPTS)
    return '(function () {\n"use strict";\n%s})();\n' % "\n".join(texts)


def _digest(text: str) -> str:
    return "'sha256-%s'" % base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
