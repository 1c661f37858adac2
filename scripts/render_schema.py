# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders the JSON Schema of the role variables; with --check only tells whether it is stale.

Names of protocols, ICMP types, services, profiles and built-in policies come from the parser's own
tables. The parser decides what is valid; tests/unit/test_schemas.py holds the two equal.
"""

from __future__ import annotations

import json
import pathlib
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from scripts.firewall_schema.variables import build  # noqa: E402 - after the path is set
from scripts.generated import main_of  # noqa: E402 - the same

SCHEMA = CHECKOUT / "plugins" / "plugin_utils" / "_schemas" / "firewall.schema.json"


def render() -> str:
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main_of(SCHEMA, lambda _written: render(), str(__doc__)))
