# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page in a real browser: it says what the data says, its filters show what they should, and it works for all."""

from __future__ import annotations

import json
import re
import time
import typing as t

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from ansible_collections.palisade.nftables.plugins.plugin_utils._report.document import build_document
from ansible_collections.palisade.nftables.plugins.plugin_utils._report.page import render_json, render_page
from tests.report.browser import Browser, why_no_browser
from tests.report.fleets import HOSTILE, TIME, large, live, live_rule, small

if t.TYPE_CHECKING:
    import collections.abc
    import pathlib

#: WCAG 2.2, 1.4.3.
LEAST_CONTRAST = 4.5

#: What stands in a table where there is nothing to tell.
NOTHING = "\u2013"

Document = t.Dict[str, t.Any]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[Browser]:
    reason = why_no_browser()
    if reason is not None:
        pytest.skip(reason)
    found = Browser(tmp_path_factory.mktemp("profile"))
    try:
        yield found
    finally:
        found.close()


class Shown(t.NamedTuple):
    """A page that is open, and the data of the JSON file beside it."""

    browser: Browser
    data: Document

    def hosts(self) -> t.List[str]:
        """The hosts that the table shows, by their rows."""
        script = "return [...document.querySelectorAll('#hosts tr.host')].map((one) => one.dataset.host)"
        return t.cast("t.List[str]", self.browser.run(script))

    def filter(self, **values: str) -> None:
        for name, value in values.items():
            field = self.browser.find("#filter-" + name)
            if field.tag_name == "input":
                field.clear()
            field.send_keys(value)

    def clear(self) -> None:
        self.browser.find("#filters button[type=reset]").click()
        self.browser.until(lambda: self.browser.texts("#shown"), ["%s hosts" % format(len(self.data["hosts"]), ",")])

    def row(self, name: str) -> t.Any:
        return self.browser.find("#hosts tr.host[data-host='%s']" % name)

    def details(self, name: str) -> str:
        """Opens a host; returns a selector of what opened."""
        toggle = self.row(name).find_element("css selector", "button")
        if toggle.get_attribute("aria-expanded") == "false":
            toggle.click()
        return "#hosts tr.host[data-host='%s'] + tr.details " % name


def show(browser: Browser, folder: pathlib.Path, document: Document) -> Shown:
    page = folder / "report.html"
    page.write_text(render_page(document), encoding="utf-8")
    browser.messages()
    browser.requests()
    browser.emulate()
    browser.open(page)
    return Shown(browser, json.loads(render_json(document)))


@pytest.fixture
def page(browser: Browser, tmp_path: pathlib.Path) -> Shown:
    return show(browser, tmp_path, build_document(small(), TIME))


@pytest.fixture
def thousand(browser: Browser, tmp_path: pathlib.Path) -> Shown:
    return show(browser, tmp_path, build_document(large(), TIME))


def test_it_loads_without_an_error_and_asks_for_nothing_else(page: Shown) -> None:
    assert page.browser.messages() == []
    assert [url.partition(":")[0] for url in page.browser.requests()] == ["file"]
    assert page.browser.driver.title == "Firewall report, " + TIME


def test_the_policy_of_the_page_stops_what_would_connect(page: Shown) -> None:
    refused = page.browser.driver.execute_async_script(
        "const done = arguments[0]; fetch('http://192.0.2.1/').then(() => done(false), () => done(true))"
    )
    assert refused
    assert any("Content Security Policy" in one for one in page.browser.messages())


def test_texts_of_users_and_hosts_are_texts(page: Shown) -> None:
    for name in ("web1", "web2"):
        page.details(name)
    assert page.browser.texts("#hosts .note").count(HOSTILE) == 2
    assert any(HOSTILE in one for one in page.browser.texts("#hosts .listeners td"))
    assert any(HOSTILE in one for one in page.browser.texts("#hosts li"))
    assert page.browser.all("img") == []
    assert page.browser.messages() == []


def test_the_numbers_are_those_of_the_data(page: Shown) -> None:
    keys = page.browser.run("return [...document.querySelectorAll('#summary div')].map((one) => one.dataset.key)")
    values = [int(text.replace(",", "")) for text in page.browser.texts("#summary dd")]
    assert dict(zip(keys, values)) == page.data["summary"]
    assert page.hosts() == [host["name"] for host in page.data["hosts"]]
    for host in page.data["hosts"]:
        cells = [cell.text for cell in page.row(host["name"]).find_elements("css selector", "td.number")]
        read = host["live"]["state"] == "read"
        findings = [page.data["findings"][number]["severity"] for number in host["findings"]]
        assert cells == [
            str(len(page.data["rule_lists"][host["rules"]])),
            str(len(host["never_hit"])) if read else NOTHING,
            str(findings.count("warning")) if host["state"] == "present" else NOTHING,
            str(sum(one["finding"] == "exposed" for one in host["live"]["listeners"])) if read else NOTHING,
        ]


@pytest.mark.parametrize("name", ["web1", "db1", "cache1"])
def test_the_rules_of_a_host_with_their_counters(page: Shown, name: str) -> None:
    host = next(one for one in page.data["hosts"] if one["name"] == name)
    inside = page.details(name)
    rules = [page.data["rules"][number] for number in page.data["rule_lists"][host["rules"]]]
    assert page.browser.texts(inside + ".rules tbody th code") == [rule["name"] for rule in rules]
    assert page.browser.texts(inside + ".rules .action") == [rule["action"] for rule in rules]
    numbers = [int(text.replace(",", "")) for text in page.browser.texts(inside + ".rules tbody .number")]
    wanted = [] if host["packets"] is None else [one for pair in zip(host["packets"], host["bytes"]) for one in pair]
    assert numbers == wanted
    never = page.browser.texts(inside + "tr.never code")
    assert never == [rules[index]["name"] for index in host["never_hit"]]


def test_findings_drift_and_listeners_are_told(page: Shown) -> None:
    inside = page.details("web2")
    host = next(one for one in page.data["hosts"] if one["name"] == "web2")
    findings = [page.data["findings"][number] for number in host["findings"]]
    assert page.browser.texts(inside + ".findings .badge") == [one["code"] for one in findings]
    assert all(one["message"] in text for one, text in zip(findings, page.browser.texts(inside + ".findings li")))
    assert page.browser.texts(inside + "ul.drift li") == [
        *host["live"]["drift"]["missing"],
        *host["live"]["drift"]["foreign"],
    ]
    inside = page.details("web1")
    assert page.browser.texts(inside + ".listeners tbody th") == ["tcp 443", "tcp 22", "tcp 9000"]
    assert page.browser.texts(inside + ".listeners .badge") == ["exposed", "blocked"]
    assert page.browser.texts(inside + ".idle tbody tr") == ["udp 443web[0]"]
    assert page.browser.texts(inside + ".talks tbody tr") == ["192.0.2.21tcp 5432app (77)12acceptserver-egress[1]"]
    assert page.browser.texts(inside + ".unused") == ["never hit since 2026-02-20T20:20:20Z"]
    assert page.browser.texts(page.details("db1") + "p.problem") == ["No route to host"]
    assert page.browser.texts(page.details("bad1") + "ul.problem li") == [
        "firewall_assigned[0]: the policy 'shh' is unknown"
    ]


def matrix(page: Shown, rows: str = "tr.group") -> t.Dict[str, t.List[t.List[str]]]:
    """What the matrix shows: by row, for each place the entries."""
    script = """
    return [...document.querySelectorAll("#matrix " + arguments[0])].map((line) => [
      line.dataset.group || line.dataset.host,
      [...line.cells].slice(1).map((cell) =>
        [...cell.querySelectorAll(".entry")].map((one) => one.firstChild.textContent)),
    ])
    """
    return dict(page.browser.run(script, rows))


def entry_text(entry: t.Mapping[str, t.Any]) -> str:
    members = entry["ports"] or entry["types"] or []
    named = ", ".join(members[:6]) + (" and %d more" % (len(members) - 6) if len(members) > 6 else "")
    family = "(IPv%d)" % entry["family"] if entry["family"] else ""
    protocol = "everything" if entry["protocol"] == "any" else entry["protocol"]
    return " ".join(one for one in (protocol, named, family) if one)


def told(page: Shown, cells: t.Sequence[t.Optional[int]]) -> t.List[t.List[str]]:
    return [[] if one is None else [entry_text(entry) for entry in page.data["cells"][one]["entries"]] for one in cells]


def test_the_matrix_is_that_of_the_data(page: Shown) -> None:
    assert matrix(page) == {group["name"]: told(page, group["reaching"]) for group in page.data["groups"]}
    page.browser.find("#matrix tr[data-group=webservers] button").click()
    hosts = {one["name"]: told(page, one["reaching"]) for one in page.data["hosts"] if "webservers" in one["groups"]}
    assert matrix(page, "tr.member") == hosts
    page.browser.find("#way-reached").click()
    beyond = [index for index, place in enumerate(page.data["places"]) if place["kind"] != "group"]
    assert matrix(page) == {
        group["name"]: told(page, [group["reached"][index] for index in beyond]) for group in page.data["groups"]
    }


def test_the_deciding_rule_is_told_to_the_mouse_and_to_the_keyboard(page: Shown) -> None:
    place = next(index for index, one in enumerate(page.data["places"]) if one["name"] == "webservers")
    cell = page.browser.find("#matrix tr[data-group=databases] td:nth-child(%d) button" % (place + 2))
    tip = page.browser.find("#tip")
    assert not tip.is_displayed()
    ActionChains(page.browser.driver).move_to_element(cell).perform()
    page.browser.until(tip.is_displayed, wanted=True)
    assert "tcp 5432" in tip.text
    assert re.search(r"server-egress\[1\] accept tcp port 5432 .* \(egress\)", tip.text)
    assert re.search(r"postgres\[0\] accept tcp port 5432 from webservers \(ingress\), firewall_policies", tip.text)
    assert "refused by server-egress[3] (egress)" in tip.text
    assert cell.get_attribute("aria-describedby") == "tip"
    ActionChains(page.browser.driver).send_keys(Keys.ESCAPE).perform()
    page.browser.until(tip.is_displayed, wanted=False)
    page.browser.run("arguments[0].focus()", cell)
    page.browser.until(tip.is_displayed, wanted=True)
    ActionChains(page.browser.driver).send_keys(Keys.TAB).perform()
    page.browser.until(lambda: "tcp 5432" in tip.text, wanted=False)


def test_what_decides_is_told_in_the_words_of_the_policies(browser: Browser, tmp_path: pathlib.Path) -> None:
    """And not in those of a host that has, or claims to have, another rule of the name."""
    hosts = small()
    other = live([live_rule("postgres[0]", 1, text="accept everything")])
    page = show(browser, tmp_path, build_document([hosts[0]._replace(live=other), *hosts[1:]], TIME))
    place = next(index for index, one in enumerate(page.data["places"]) if one["name"] == "webservers")
    page.browser.run(
        "arguments[0].focus()",
        page.browser.find("#matrix tr[data-group=databases] td:nth-child(%d) button" % (place + 2)),
    )
    tip = page.browser.find("#tip")
    page.browser.until(tip.is_displayed, wanted=True)
    assert "postgres[0] accept tcp port 5432 from webservers (ingress)" in tip.text


def holds(texts: t.Optional[t.Sequence[str]], port: int) -> bool:
    ends = [[int(one) for one in text.split("-")] for text in texts or ()]
    return texts is None or any(one[0] <= port <= one[-1] for one in ends)


def open_at(data: Document, cell: t.Optional[int], protocol: str, port: int) -> bool:
    entries = [] if cell is None else data["cells"][cell]["entries"]
    return any(
        one["protocol"] == "any" or (one["protocol"] == protocol and holds(one["ports"], port)) for one in entries
    )


def at_port(data: Document, protocol: str, port: int) -> t.List[str]:
    """The hosts that something reaches at a port, or that listen on it."""
    return [
        host["name"]
        for host in data["hosts"]
        if any(open_at(data, cell, protocol, port) for cell in host["reaching"])
        or any((one["protocol"], one["port"]) == (protocol, port) for one in host["live"]["listeners"])
    ]


@pytest.mark.parametrize(
    ("text", "protocol", "port"),
    [
        ("tcp 5432", "tcp", 5432),
        ("443/udp", "udp", 443),
        ("tcp 8005", "tcp", 8005),
        ("tcp 9000", "tcp", 9000),
        ("tcp 1", "tcp", 1),
    ],
)
def test_the_filter_of_ports(page: Shown, text: str, protocol: str, port: int) -> None:
    page.filter(port=text)
    page.browser.until(page.hosts, at_port(page.data, protocol, port))
    for group in page.data["groups"]:
        for row, cells in matrix(page).items():
            if row == group["name"]:
                filled = [bool(entries) for entries in cells]
                assert filled == [open_at(page.data, cell, protocol, port) for cell in group["reaching"]]
    page.clear()
    assert page.hosts() == [host["name"] for host in page.data["hosts"]]


def test_the_filter_of_ports_chooses_rules_and_listeners(page: Shown) -> None:
    page.filter(port="tcp 22")
    # All but one, so that the tables have been drawn anew.
    page.browser.until(page.hosts, at_port(page.data, "tcp", 22))
    inside = page.details("web1")
    # The rule of all ports, that of SSH and the default action; not that of the web.
    assert page.browser.texts(inside + ".rules tbody th code") == ["block[0]", "ssh[0]", "default-ingress"]
    assert page.browser.texts(inside + ".listeners tbody th") == ["tcp 22"]


def test_what_is_no_port_is_told_and_hides_nothing(page: Shown) -> None:
    page.filter(port="70000")
    page.browser.until(lambda: page.browser.texts("#port-error"), ["This is no port: 443, udp 53 and 8000-8010 are."])
    assert len(page.hosts()) == len(page.data["hosts"])


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"host": "WEB"}, ["web1", "web2"]),
        ({"host": "192.0.2.2"}, ["db1", "db2"]),
        ({"group": "legacy"}, ["old1", "bad1"]),
        ({"group": "webservers", "host": "2"}, ["web1", "web2"]),
        ({"group": "webservers", "host": "web2"}, ["web2"]),
        ({"show": "that drifted"}, ["web2"]),
        ({"show": "that differ"}, ["web2"]),
        ({"show": "with exposed"}, ["web1"]),
        ({"show": "not read"}, ["db1", "db2", "bad1"]),
        ({"host": "nobody"}, []),
    ],
)
def test_the_filters(page: Shown, filters: t.Dict[str, str], wanted: t.List[str]) -> None:
    page.filter(**filters)
    page.browser.until(page.hosts, wanted)
    assert page.browser.texts("#shown") == ["%d of 7 hosts" % len(wanted)]
    groups = [
        group["name"]
        for group in page.data["groups"]
        if {page.data["hosts"][one]["name"] for one in group["hosts"]} & set(wanted)
    ]
    assert list(matrix(page)) == groups
    # So few are shown in the matrix without being asked for.
    assert sorted(matrix(page, "tr.member")) == sorted(wanted)


@pytest.mark.parametrize("look", [{}, {"dark": True}, {"media": "print"}])
def test_every_text_can_be_read(page: Shown, look: t.Dict[str, t.Any]) -> None:
    for name in ("web1", "web2", "db1", "bad1"):
        page.details(name)
    page.browser.emulate(**look)
    contrasts = page.browser.contrasts()
    assert len(contrasts) > 20
    assert {name: ratio for name, ratio in contrasts.items() if ratio < LEAST_CONTRAST} == {}


def test_dark_and_paper_look_as_they_should(page: Shown) -> None:
    def ground() -> str:
        return str(page.browser.run("return getComputedStyle(document.body).backgroundColor"))

    light = ground()
    page.browser.emulate(dark=True)
    assert ground() == "rgb(16, 22, 29)" != light
    page.browser.emulate(media="print", dark=True)
    assert ground() == "rgb(255, 255, 255)"
    assert not page.browser.find("#filters").is_displayed()
    # Nobody hovers over paper.
    assert page.browser.find("#matrix .by").is_displayed()
    assert page.browser.print().startswith(b"%PDF-")


def test_paper_has_every_host(thousand: Shown) -> None:
    assert len(thousand.hosts()) < 1000
    thousand.browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert thousand.hosts() == [host["name"] for host in thousand.data["hosts"]]


def test_tables_have_headings_and_fields_have_names(page: Shown) -> None:
    page.details("web1")
    unscoped = "return [...document.querySelectorAll('th')].filter((one) => !one.scope).map((one) => one.outerHTML)"
    assert page.browser.run(unscoped) == []
    headless = (
        "return [...document.querySelectorAll('table')].filter((one) => !one.tHead || !one.tHead.rows.length).length"
    )
    assert page.browser.run(headless) == 0
    for field in page.browser.all("input, select, button, svg"):
        assert field.accessible_name, field.get_attribute("outerHTML")
    ids = page.browser.run("return [...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))


def test_everything_opens_with_the_keyboard(page: Shown) -> None:
    for row in ("#hosts tr.host[data-host=db2]", "#matrix tr.group[data-group=databases]"):
        toggle = page.browser.find(row + " button.toggle")
        page.browser.run("arguments[0].focus()", toggle)
        ActionChains(page.browser.driver).send_keys(Keys.ENTER).perform()
        page.browser.until(
            lambda row=row: page.browser.find(row + " button.toggle").get_attribute("aria-expanded"), "true"
        )
        focused = page.browser.run("return document.activeElement.textContent")
        assert focused == page.browser.find(row + " button.toggle").text
    assert page.browser.texts("#hosts tr.details p.problem") == ["nft: not found"]
    assert sorted(matrix(page, "tr.member")) == ["db1", "db2"]


#: Draws the tables anew; returns the milliseconds until they are on the screen.
DRAW_ALL = """
const from = performance.now();
document.getElementById("filters").dispatchEvent(new Event("input"));
return new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now() - from))));
"""


def test_a_thousand_hosts_can_be_used(thousand: Shown) -> None:
    """Loads, filters and opens; how long that takes is printed and judged by people."""
    browser = thousand.browser
    assert browser.messages() == []
    loaded = browser.run(
        "const one = performance.getEntriesByType('navigation')[0]; return one.loadEventEnd - one.startTime"
    )
    begun = time.monotonic()
    wanted = [host["name"] for host in thousand.data["hosts"] if "0123" in host["name"]]
    thousand.filter(host="0123")
    browser.until(thousand.hosts, wanted)
    thousand.clear()
    thousand.filter(port="tcp 5432")
    browser.until(lambda: browser.texts("#shown"), ["%d of 1,000 hosts" % len(at_port(thousand.data, "tcp", 5432))])
    filtered = time.monotonic() - begun
    thousand.clear()
    browser.find("#matrix tr.group button.toggle").click()
    browser.until(lambda: len(browser.all("#matrix tr.member")) > 0, wanted=True)
    counters = thousand.details(thousand.data["hosts"][0]["name"]) + ".rules tbody tr"
    assert len(browser.texts(counters)) == len(thousand.data["rule_lists"][thousand.data["hosts"][0]["rules"]])
    drawn = browser.run(DRAW_ALL)
    print("1,000 hosts: %.0f ms to load, %.1f s for two filters typed, %.0f ms to draw all" % (loaded, filtered, drawn))
    assert browser.messages() == []
