# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are generated: a script writes them anew, or tells whether they are stale."""

from __future__ import annotations

import argparse
import pathlib
import sys
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent


def main_of(page: pathlib.Path, render: t.Callable[[str], str], about: str) -> int:
    """The command line of a script that generates a file.

    Args:
        page: The file.
        render: From what the file holds, nothing where there is none, to what it should hold.
        about: What the script does.

    Returns:
        The exit status: 1 where the file is stale and was only to be checked.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is stale")
    shown = page.relative_to(CHECKOUT)
    parser.add_argument("page", nargs="?", type=pathlib.Path, default=page, help="default: %s" % shown)
    arguments = parser.parse_args()
    path: pathlib.Path = arguments.page
    written = path.read_text(encoding="utf-8") if path.is_file() else ""
    wanted = render(written)
    if path.is_file() and wanted == written:
        return 0
    if arguments.check:
        print("%s is stale; run: python3 scripts/%s" % (path, pathlib.Path(sys.argv[0]).name), file=sys.stderr)
        return 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(wanted, encoding="utf-8")
    return 0
