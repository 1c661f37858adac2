# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nft on a real kernel, and every way in which it can fail."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import nft as nft_module
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import (
    Nft,
    NftError,
    NftMissingError,
    NftRefusedError,
    NftUnknownError,
    find_nft,
)
from tests.nft_versions import NftVersion, nft_parameters

if t.TYPE_CHECKING:
    from lab.namespaces import Host

TABLE = "table inet palisade {\n\tchain managed_by_palisade {\n\t}\n}\n"


@pytest.mark.parametrize("nft", nft_parameters())
def test_loads_lists_and_tells_absence(network: Host, nft: NftVersion) -> None:
    program = Nft(nft.argv)
    assert network.call(program.list_table) is None
    network.call(program.load, TABLE)
    assert network.call(program.list_table) == TABLE


@pytest.mark.parametrize("nft", nft_parameters())
def test_checking_changes_nothing(network: Host, nft: NftVersion) -> None:
    program = Nft(nft.argv)
    network.call(program.check, TABLE)
    assert network.call(program.list_table) is None


@pytest.mark.parametrize("nft", nft_parameters())
def test_what_nft_says_is_passed_on(network: Host, nft: NftVersion) -> None:
    with pytest.raises(NftRefusedError, match="syntax error"):
        network.call(Nft(nft.argv).load, TABLE + "add rule inet palisade managed_by_palisade accept accept }\n")
    assert network.call(Nft(nft.argv).list_table) is None


@pytest.mark.parametrize("nft", nft_parameters())
def test_what_the_kernel_says_is_passed_on(network: Host, nft: NftVersion) -> None:
    with pytest.raises(NftRefusedError, match="No such file or directory"):
        network.call(Nft(nft.argv).load, TABLE + "delete chain inet palisade nowhere\n")
    assert network.call(Nft(nft.argv).list_table) is None


@pytest.mark.parametrize("nft", nft_parameters())
def test_a_table_comes_as_json_by_itself(network: Host, nft: NftVersion) -> None:
    program = Nft(nft.argv)
    network.call(program.load, TABLE)
    network.nft("table ip other {\n\tchain c {\n\t}\n}\ntable inet third {\n}\n")
    items = json.loads(network.call(program.list_json, "ip", "other"))["nftables"]
    assert [item["table"]["name"] for item in items if "table" in item] == ["other"]
    assert [item["chain"]["name"] for item in items if "chain" in item] == ["c"]


@pytest.mark.parametrize("name", ["gone", "x; flush ruleset", "x\nflush ruleset", "", "-f", "{"])
def test_a_table_that_is_gone_or_no_word_has_no_json(network: Host, name: str) -> None:
    network.nft(TABLE)
    before = network.run(["nft", "list", "ruleset"]).stdout
    assert network.call(Nft(["nft"]).list_json, "ip", name) == ""
    assert network.run(["nft", "list", "ruleset"]).stdout == before


def test_an_nft_without_json_has_no_tables_as_json(network: Host, tmp_path: pathlib.Path) -> None:
    network.nft("table ip other {\n}\n")
    script = tmp_path / "nft"
    script.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = -j ]; then echo "Error: JSON support not compiled-in" >&2; exit 1; fi\n'
        'exec %s "$@"\n' % shutil.which("nft"),
        encoding="utf-8",
    )
    script.chmod(0o755)
    assert network.call(Nft([str(script)]).list_json, "ip", "other") == ""


_UNPRIVILEGED = """
import os, sys
sys.path.insert(0, {path!r})
from ansible_collections.palisade.nftables.plugins.module_utils._host.nft import NftNotPermittedError, find_nft
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
for act in (lambda: find_nft().list_table(), lambda: find_nft().load({table!r})):
    try:
        act()
    except NftNotPermittedError as exc:
        print(exc)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the process has no rights to drop")
def test_missing_rights_are_told_from_other_errors(network: Host, collections_path: pathlib.Path) -> None:
    script = _UNPRIVILEGED.format(path=str(collections_path), table=TABLE)
    done = network.call(
        lambda: subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert [line.startswith("the kernel does not let this process use nftables") for line in lines] == [True, True]


def test_a_missing_nft_is_said_with_its_package(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.palisade.nftables.plugins.module_utils._host.command._SYSTEM_FOLDERS", ())
    with pytest.raises(NftMissingError, match="install the package nftables"):
        find_nft(str(tmp_path))


def test_an_nft_that_cannot_be_run_is_said(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "nft"
    script.write_text("#!/nowhere/sh\n", encoding="utf-8")
    script.chmod(0o755)
    with pytest.raises(NftError, match="cannot be run"):
        find_nft(str(tmp_path)).list_table()


def test_an_nft_that_hangs_is_given_up(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "nft"
    script.write_text("#!/bin/sh\nexec sleep 600\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(nft_module, "_SECONDS", 0.2)
    with pytest.raises(NftUnknownError, match="did not end within"):
        find_nft(str(tmp_path)).load(TABLE)
