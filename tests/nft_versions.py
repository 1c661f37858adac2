# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The versions of nft that a ruleset can be loaded with here.

This machine's own, and those of other Debian releases that ``scripts/fetch-nft-versions`` unpacked.
"""

from __future__ import annotations

import functools
import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest

_CACHE = pathlib.Path(__file__).resolve().parent.parent / ".cache" / "nft"

#: The releases whose nft must be able to load what the collection writes, with the version that each
#: one carries. The list is the one of ``scripts/fetch-nft-versions``.
_SUITES = {"bullseye": "0.9.8", "bookworm": "1.0.6", "trixie": "1.1.3"}


class NftVersion(t.NamedTuple):
    """One nft that runs here: its version, such as ``0.9.8``, and the start of its command line."""

    version: str
    argv: t.List[str]


def _version_of(argv: t.List[str]) -> str:
    output = subprocess.run([*argv, "--version"], check=True, capture_output=True, text=True).stdout
    match = re.match(r"nftables v([0-9.]+)", output)
    if match is None:
        raise ValueError("%r is not what nft --version prints" % output)
    return match.group(1)


@functools.lru_cache(maxsize=1)
def _found() -> t.Tuple[NftVersion, ...]:
    own = shutil.which("nft", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    commands = [[own]] if own else []
    commands += [[str(path)] for path in sorted(_CACHE.glob("*/nft"))]
    by_version: t.Dict[str, NftVersion] = {}
    for argv in commands:
        by_version.setdefault(_version_of(argv), NftVersion(_version_of(argv), argv))
    return tuple(sorted(by_version.values(), key=lambda nft: [int(part) for part in nft.version.split(".")]))


def nft_versions() -> t.List[NftVersion]:
    """Every nft that runs here, oldest first, each version once."""
    return list(_found())


def missing_nft_versions() -> t.Dict[str, str]:
    """The versions that should be tested and cannot be, each with the reason."""
    there = {nft.version for nft in _found()}
    missing: t.Dict[str, str] = {}
    for suite, version in _SUITES.items():
        if version not in there:
            note = _CACHE / suite / "reason"
            missing[version] = (
                note.read_text(encoding="utf-8").strip()
                if note.exists()
                else "nft %s of Debian %s was not fetched: run scripts/fetch-nft-versions" % (version, suite)
            )
    return missing


def nft_parameters() -> t.List[t.Any]:
    """What to parametrize a test over, so that it runs once for each :class:`NftVersion`.

    A version that cannot be had is there too, skipped, with the reason.
    """
    return [pytest.param(nft, id=nft.version) for nft in _found()] + [
        pytest.param(None, id=version, marks=pytest.mark.skip(reason=reason))
        for version, reason in missing_nft_versions().items()
    ]
