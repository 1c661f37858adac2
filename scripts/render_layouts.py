# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the rulesets in docs/layouts.md anew: each ``nft`` block shows what the ``yaml`` block before it compiles to.

Shown are the maps, and the chains with the policies: what is the same for every host, or the same again for
published ports, is described once.
"""

from __future__ import annotations

import pathlib
import re
import sys
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from plugins.module_utils._compile.compile import compile_program  # noqa: E402 - after the path is set
from plugins.module_utils._nft.text import render_load  # noqa: E402 - the same
from plugins.module_utils._policy.parse import parse_firewall  # noqa: E402 - the same
from plugins.module_utils._policy.program import build_program  # noqa: E402 - the same
from scripts.generated import main_of  # noqa: E402 - the same

PAGE = ROOT / "docs" / "layouts.md"
_EXAMPLE = re.compile(r"```yaml\n(?P<variables>.*?)```\n(?P<between>.*?)```nft\n(?P<ruleset>.*?)```", re.DOTALL)
_BLOCK = re.compile(r"\t(?P<kind>map|chain) (?P<name>\S+) \{\n(?:.*?\n)??\t\}\n", re.DOTALL)
_LEFT_OUT = re.compile(r"managed_by_palisade|(?:in|e)gress_(?:neighbours|states)_.*|published.*|input|forward|output")


def render_page(page: str) -> str:
    """The page with all rulesets compiled anew."""
    return _EXAMPLE.sub(_render_example, page)


def _render_example(example: t.Match[str]) -> str:
    blocks = _blocks(yaml.safe_load(example["variables"]))
    return "```yaml\n%s```\n%s```nft\n%s```" % (example["variables"], example["between"], blocks)


def _blocks(variables: t.Mapping[str, object]) -> str:
    firewall = parse_firewall(variables)
    text = render_load(compile_program(build_program(firewall), layout=firewall.layout, counters=firewall.counters))
    shown = [block.group(0) for block in _BLOCK.finditer(text) if not _LEFT_OUT.fullmatch(block["name"])]
    return re.sub(r"^\t", "", "\n".join(shown), flags=re.MULTILINE).replace("\t", "    ")


if __name__ == "__main__":
    sys.exit(main_of(PAGE, render_page, str(__doc__)))
