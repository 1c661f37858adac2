// Copyright (c) 2026, Palisade contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is told about a cell while the mouse or the keyboard is on it.

const tip = byId("tip");
let tipFor = null;

function showTip(anchor, fillTip) {
  tipFor = anchor;
  tip.replaceChildren(...fillTip());
  tip.hidden = false;
  anchor.setAttribute("aria-describedby", "tip");
  const place = anchor.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const left = Math.max(8, Math.min(place.left, document.documentElement.clientWidth - size.width - 8));
  const below = place.bottom + 6;
  const top = below + size.height > window.innerHeight && place.top > size.height + 6 ? place.top - size.height - 6 : below;
  tip.style.left = left + window.scrollX + "px";
  tip.style.top = top + window.scrollY + "px";
}

function hideTip() {
  if (tipFor) tipFor.removeAttribute("aria-describedby");
  tipFor = null;
  tip.hidden = true;
}

function withTip(anchor, fillTip) {
  for (const name of ["mouseenter", "focus", "click"]) anchor.addEventListener(name, () => showTip(anchor, fillTip));
  for (const name of ["mouseleave", "blur"]) anchor.addEventListener(name, hideTip);
}

document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
