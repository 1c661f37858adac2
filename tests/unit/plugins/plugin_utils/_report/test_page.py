# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page: nothing in it is read as markup but its own, and it allows itself nothing."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.plugin_utils._report.document import build_document
from ansible_collections.palisade.nftables.plugins.plugin_utils._report.page import render_json, render_page
from ansible_collections.palisade.nftables.plugins.plugin_utils._report.picture import draw
from tests.report.fleets import HOSTILE, TIME, large, small


class Page(html.parser.HTMLParser):
    """The elements of a page, and the texts of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: t.List[t.Tuple[str, t.Dict[str, t.Optional[str]]]] = []
        self.texts: t.Dict[str, t.List[str]] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: t.List[t.Tuple[str, t.Optional[str]]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        self._open = "data" if found.get("id") == "data" else tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open, []).append(data)

    def text(self, name: str) -> str:
        return "".join(self.texts[name])


@pytest.fixture(scope="module")
def document() -> t.Dict[str, t.Any]:
    return build_document(small(), TIME)


@pytest.fixture(scope="module")
def page(document: t.Dict[str, t.Any]) -> Page:
    return Page(render_page(document))


def test_the_same_data_gives_the_same_bytes(document: t.Dict[str, t.Any]) -> None:
    assert render_page(build_document(small(), TIME)) == render_page(document)
    assert render_json(build_document(small(), TIME)) == render_json(document)


def test_the_page_holds_the_data_of_the_json_file(document: t.Dict[str, t.Any], page: Page) -> None:
    assert json.loads(page.text("data")) == json.loads(render_json(document)) == document


def test_what_people_and_hosts_write_ends_no_element(page: Page) -> None:
    assert HOSTILE in json.dumps(json.loads(page.text("data")), ensure_ascii=False).replace('\\"', '"').replace(
        "\\\\", "\\"
    )
    assert [tag for tag, _attributes in page.elements].count("script") == 2
    assert "img" not in [tag for tag, _attributes in page.elements]
    assert not any(one in page.text("data") for one in "<>&\u2028")


def test_a_name_that_is_markup_stays_a_text_in_the_picture() -> None:
    first = small()[0]
    fleet = [first._replace(inventory_groups=("<script>alert(1)</script>",))]
    picture = Page(draw(build_document(fleet, TIME)))
    assert "script" not in {tag for tag, _attributes in picture.elements}
    assert "<script>alert(1)</script>" in picture.texts["text"]


def test_the_page_runs_its_own_script_alone_and_connects_to_nothing(page: Page) -> None:
    policy = next(
        found["content"] for tag, found in page.elements if found.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    directives = dict(one.strip().split(" ", 1) for one in policy.split(";"))
    assert directives["default-src"] == "'none'"
    for name, element in (("script-src", "script"), ("style-src", "style")):
        digest = hashlib.sha256(page.text(element).encode()).digest()
        assert directives[name] == "'sha256-%s'" % base64.b64encode(digest).decode()
    assert set(directives) == {"default-src", "script-src", "style-src", "base-uri", "form-action"}
    for tag, attributes in page.elements:
        assert not {"src", "style", "srcset", "data", "action"} & set(attributes), (tag, attributes)
        assert attributes.get("href", "#").startswith("#"), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)


def test_the_picture_tells_who_reaches_whom(document: t.Dict[str, t.Any]) -> None:
    picture = draw(document)
    assert "webservers reaches databases on tcp 5432." in picture
    assert "outside reaches databases on ping." in picture
    # What everybody reaches is told once.
    assert "caches reaches databases" not in picture
    assert draw({**document, "groups": []}) == ""


def test_a_thousand_hosts_are_a_page_of_a_few_megabytes() -> None:
    """Bounded by what the hosts have of their own: their names and their counts."""
    hundred, thousand = (len(render_page(build_document(large(count), TIME))) for count in (100, 1000))
    assert thousand < 3_000_000
    assert thousand < 10 * hundred
