# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other releases' nft run here, each as the version it says it is."""

from __future__ import annotations

import subprocess
import typing as t

import pytest

from tests.nft_versions import nft_parameters

if t.TYPE_CHECKING:
    from tests.nft_versions import NftVersion


@pytest.mark.parametrize("nft", nft_parameters())
def test_runs_and_says_its_version(nft: NftVersion) -> None:
    result = subprocess.run([*nft.argv, "--version"], check=True, capture_output=True, text=True)
    assert result.stdout.startswith("nftables v%s " % nft.version)
