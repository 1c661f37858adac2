# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders the JSON Schema of the role variables; with --check only tells whether it is stale.

Names of protocols, ICMP types, services, profiles and built-in policies come from the parser's own
tables. The parser decides what is valid; tests/unit/test_schemas.py holds the two equal.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from scripts.firewall_schema.variables import build  # noqa: E402 - after the path is set

SCHEMA = CHECKOUT / "plugins" / "plugin_utils" / "_schemas" / "firewall.schema.json"


def render() -> str:
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the schema is stale")
    arguments = parser.parse_args()
    wanted = render()
    if SCHEMA.is_file() and SCHEMA.read_text(encoding="utf-8") == wanted:
        return 0
    if arguments.check:
        print("%s is stale; run: python3 scripts/render_schema.py" % SCHEMA.relative_to(CHECKOUT), file=sys.stderr)
        return 1
    SCHEMA.parent.mkdir(parents=True, exist_ok=True)
    SCHEMA.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
