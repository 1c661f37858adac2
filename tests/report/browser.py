# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A page of the report in a headless Chromium."""

from __future__ import annotations

import base64
import json
import pathlib
import shutil
import typing as t

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

if t.TYPE_CHECKING:
    from selenium.webdriver.remote.webelement import WebElement

#: Longest that anything on the page may take before a test fails, in seconds.
_DEADLINE = 60

_ARGUMENTS = (
    "--headless=new",
    # Root has no sandbox; only pages that a test made are opened.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--window-size=1360,1000",
)

#: Whatever shows text of its own and is to be seen, with the contrast of that text to its ground, and its size.
_CONTRASTS = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const channels = (colour) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const luminance = (colour) => colour.slice(0, 3).map((one) => one / 255)
  .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
  .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
const ground = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const card = one.ownerSVGElement && one.tagName === "text" ? one.ownerSVGElement.querySelector(".card") : null;
    if (card) return channels(getComputedStyle(card).fill);
    const colour = channels(getComputedStyle(one).backgroundColor);
    if (colour[3] === 255) return colour;
  }
  return [255, 255, 255, 255];
};
const found = {};
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
  const unseen = ["SCRIPT", "STYLE", "OPTION", "title", "desc"].includes(element.tagName);
  if (!own || unseen || !element.getClientRects().length) continue;
  const style = getComputedStyle(element);
  const text = channels(element.tagName === "text" ? style.fill : style.color);
  const [low, high] = [luminance(text), luminance(ground(element))].sort((one, other) => one - other);
  const name = element.tagName + "." + (element.getAttribute("class") || "");
  found[name] = Math.min(found[name] || 99, (high + 0.05) / (low + 0.05));
}
return found;
"""


def why_no_browser() -> t.Optional[str]:
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return "no %s on this machine; Debian's packages are chromium and chromium-driver" % missing[0] if missing else None


class Browser:
    """One browser; it shows one page at a time."""

    def __init__(self, profile: pathlib.Path) -> None:
        options = Options()
        options.binary_location = str(shutil.which("chromium"))
        for argument in (*_ARGUMENTS, "--user-data-dir=%s" % profile):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
        self.driver.set_page_load_timeout(_DEADLINE)

    def close(self) -> None:
        self.driver.quit()

    def open(self, page: pathlib.Path) -> None:
        self.driver.get(page.as_uri())

    def messages(self) -> t.List[str]:
        """What was written to the console since it was last asked; errors of scripts and of policies are there."""
        return [str(one["message"]) for one in self.driver.get_log("browser")]

    def requests(self) -> t.List[str]:
        """What pages from files asked for, or tried to, since it was last asked; not the browser's own first page."""
        events = [json.loads(one["message"])["message"] for one in self.driver.get_log("performance")]
        asked = (one["params"] for one in events if one["method"] == "Network.requestWillBeSent")
        return [one["request"]["url"] for one in asked if one["documentURL"].startswith("file:")]

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> t.List[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def run(self, script: str, *arguments: object) -> t.Any:
        return self.driver.execute_script(script, *arguments)

    def texts(self, selector: str) -> t.List[str]:
        """The whole text of each element, also of what is scrolled away."""
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)"
        return t.cast("t.List[str]", self.run(script, selector))

    def until(self, look: t.Callable[[], object], wanted: object) -> None:
        """Looks until what is wanted is there; the last look is compared, so that a failure shows what was there."""
        WebDriverWait(self.driver, _DEADLINE, poll_frequency=0.02).until(
            lambda _driver: look() == wanted, "%r is not %r" % (look(), wanted)
        )

    def emulate(self, *, media: str = "", dark: bool = False) -> None:
        """Paper (``media="print"``), or a reader who wants it dark."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def print(self) -> bytes:
        done = self.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
        return base64.b64decode(done["data"])

    def contrasts(self) -> t.Dict[str, float]:
        """The least contrast of the texts of each kind of element (WCAG 2.2, "contrast ratio")."""
        return t.cast("t.Dict[str, float]", self.run(_CONTRASTS))
