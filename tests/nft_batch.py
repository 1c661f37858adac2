# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads many rulesets with one nft process, in a network namespace that nobody else sees."""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t

from tests.nft_versions import NftVersion

_TABLE = "inet palisade"

#: A table that is listed after each ruleset, so that the output can be told apart.
_MARK = "palisade-end-of-%d"

#: Bound of one process; hundreds of rulesets take seconds.
_SECONDS = 300.0


class NftRefusedError(AssertionError):
    """nft refused something; the message is nft's own, and names the file."""


def in_namespace(command: t.Sequence[str]) -> t.List[str]:
    """The command in a network namespace of its own, which ends with it; without root in a user namespace."""
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *rights, "--net", *command]


def list_loaded(
    nft: NftVersion, texts: t.Mapping[str, str], folder: pathlib.Path, *, times: int = 1, json: bool = False
) -> t.Dict[str, str]:
    """What nft lists after each text was loaded, ``times`` times in a row, by its name.

    Every load is a transaction of its own. Names may hold slashes.

    Raises:
        NftRefusedError: nft refused one of the texts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines: t.List[str] = []
    for index, (name, text) in enumerate(texts.items()):
        path = folder / ("%s.nft" % name.replace("/", "--"))
        path.write_text(text, encoding="utf-8")
        lines.extend(['include "%s"' % path] * times)
        # Everything in the namespace: a text must not have made anything beside the table.
        lines.append("list ruleset")
        lines.append("delete table %s" % _TABLE)
        mark = "inet " + _MARK % index
        lines.extend(["add table %s" % mark, "list table %s" % mark, "delete table %s" % mark])
    script = folder / "script"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    argv = [*nft.argv, *(["--json"] if json else []), "--interactive"]
    with script.open(encoding="utf-8") as standard_input:
        # nft keeps a history of what was typed in the home directory.
        done = subprocess.run(
            in_namespace(argv),
            stdin=standard_input,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=_SECONDS,
            env={**os.environ, "HOME": str(folder)},
        )
    if done.returncode != 0 or done.stderr:
        raise NftRefusedError("nft %s: exit status %d\n%s" % (nft.version, done.returncode, done.stderr))
    return dict(zip(texts, _split(done.stdout, len(texts), json=json)))


def _split(output: str, count: int, *, json: bool) -> t.Iterator[str]:
    rest = output
    for index in range(count):
        mark = _MARK % index
        at = rest.find(mark)
        if at < 0:
            raise NftRefusedError("nft printed nothing after ruleset %d:\n%s" % (index, rest[-2000:]))
        start = rest.rfind("\n", 0, at) + 1
        yield rest[:start]
        # The listing of the mark: one line of JSON, or two lines of text.
        end = rest.index("\n", at) + 1
        rest = rest[end:] if json else rest[rest.index("}", end) + 2 :]
