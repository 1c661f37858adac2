// Copyright (c) 2026, Palisade contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// The data of the report, and the making of elements: texts of users and hosts become text nodes, never markup.

const data = JSON.parse(document.getElementById("data").textContent);
const HOSTS_AT_ONCE = 250;
const ROWS_AT_ONCE = 100;
const RULES_AT_ONCE = 500;
// With so few hosts left by a filter, the matrix shows them without being asked.
const FEW = 25;
const MOST_MEMBERS = 6;
const WITH_PORTS = ["tcp", "udp", "dccp", "sctp", "udplite"];

const byId = (id) => document.getElementById(id);
const count = (number) => number.toLocaleString("en");
const plural = (number, one, many) => count(number) + " " + (number === 1 ? one : many);

function make(tag, names, ...content) {
  const element = document.createElement(tag);
  if (names) element.className = names;
  element.append(...content.filter((item) => item !== null && item !== undefined));
  return element;
}

function badge(kind, text) {
  return make("span", "badge " + kind, text);
}

function row(...cells) {
  return make("tr", "", ...cells);
}

function numberCell(value) {
  return make("td", "number", value === null || value === undefined ? "–" : count(value));
}

// Hands the rows that `draw` makes of items to `put`, some at a time, with a last row that asks for more.
function fill(put, items, atOnce, columns, draw) {
  const from = (next, place) => {
    const rows = items.slice(next, next + atOnce).flatMap(draw);
    const left = items.length - next - atOnce;
    if (left > 0) {
      const button = make("button", "", "Show " + count(Math.min(atOnce, left)) + " more of " + count(left));
      button.type = "button";
      const cell = make("td", "", button);
      cell.colSpan = columns;
      const last = row(cell);
      last.className = "more";
      button.addEventListener("click", () => from(next + atOnce, (more) => last.replaceWith(...more)));
      rows.push(last);
    }
    place(rows);
  };
  from(0, put);
}
