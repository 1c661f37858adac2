# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the units run, with every nft and the real kernel: the ruleset, or the safeguard set, and never neither."""

from __future__ import annotations

import re
import shlex
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.boot import (
    RULESET,
    SAFEGUARD,
    SAFEGUARD_UNIT,
    UNIT,
    boot_files,
)
from ansible_collections.palisade.nftables.plugins.module_utils._host.safeguard_set import safeguard_text
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from tests.nft_versions import NftVersion, nft_parameters
from tests.unit.plugins.module_utils.live_kernel import Kernel

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
    from lab.namespaces import Host

#: What nft of no release can load, as the text of a newer one looks to an older one.
NEWER = "table inet palisade {\n\tchain managed_by_palisade {\n\t}\n\tunheard of\n}\n"

OTHERS = "table inet palisade\ndelete table inet palisade\ntable inet palisade {\n}\n"

DAMAGES = ("newer", "empty", "zeros", "cut off", "cut off between statements", "somebody else's")


def _damaged(text: str, damage: str) -> str:
    return {
        "newer": NEWER,
        "empty": "",
        "zeros": "\0" * len(text),
        "cut off": text[: len(text) // 2],
        "cut off between statements": "".join(text.splitlines(keepends=True)[:2]),
        "somebody else's": OTHERS,
    }[damage]


class Units:
    """The units as systemd would run them, on files in a folder."""

    def __init__(self, network: Host, nft: NftVersion, folder: pathlib.Path, text: str) -> None:
        self._network = network
        self._nft = nft
        self._folder = folder
        self.ruleset = folder / "ruleset.nft"
        self._units: t.Dict[str, t.List[t.Tuple[str, str]]] = {}
        for file in boot_files(str(folder), text, safeguard_text([22]), "/usr/sbin/nft").files:
            if file.path in (RULESET, SAFEGUARD):
                (folder / file.path.rpartition("/")[2]).write_text(file.text, encoding="utf-8")
            else:
                lines = [line.partition("=") for line in file.text.splitlines()]
                self._units[file.path] = [(key, value) for key, _equals, value in lines]

    def start(self) -> t.List[str]:
        """What was loaded: the names of the units whose commands ended well."""
        if self._run(UNIT, "ExecStart"):
            return [UNIT]
        # The condition decides whether the next command is run at all.
        done = self._run(SAFEGUARD_UNIT, "ExecCondition") and self._run(SAFEGUARD_UNIT, "ExecStart")
        return [SAFEGUARD_UNIT] if done else []

    def reload(self) -> bool:
        return self._run(UNIT, "ExecReload")

    def _run(self, unit: str, key: str) -> bool:
        (command,) = [value for found, value in self._units[unit] if found == key]
        arguments = [argument.replace("/etc/palisade", str(self._folder)) for argument in shlex.split(command)[1:]]
        return self._network.run([*self._nft.argv, *arguments], check=False).returncode == 0


@pytest.mark.parametrize("nft", nft_parameters())
def test_a_ruleset_that_loads_is_what_is_loaded(
    network: Host, table: Table, tmp_path: pathlib.Path, nft: NftVersion
) -> None:
    units = Units(network, nft, tmp_path, render_load(table))
    kernel = Kernel(network, nft)
    for _time in range(2):
        assert units.start() == [UNIT]
        assert kernel.table() == kernel.normal(table)
    assert units.reload()
    assert kernel.table() == kernel.normal(table)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("nft", nft_parameters())
def test_a_boot_with_a_damaged_file_ends_with_the_safeguard_set(
    network: Host, table: Table, tmp_path: pathlib.Path, nft: NftVersion, damage: str
) -> None:
    text = render_load(table)
    units = Units(network, nft, tmp_path, text)
    units.ruleset.write_text(_damaged(text, damage), encoding="utf-8")
    kernel = Kernel(network, nft)
    assert units.start() == [SAFEGUARD_UNIT]
    assert kernel.table().blocks.keys() == {
        ("chain", name) for name in ("managed_by_palisade", "ingress", "published", "input", "forward", "output")
    }
    # The next run takes it for ours, and comes to what is wanted without replacing the table.
    change = kernel.apply(table)
    assert not change.replaces
    assert kernel.table() == kernel.normal(table)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("nft", nft_parameters())
def test_what_is_in_force_is_kept_rather_than_the_safeguard_set(
    network: Host, table: Table, tmp_path: pathlib.Path, nft: NftVersion, damage: str
) -> None:
    text = render_load(table)
    units = Units(network, nft, tmp_path, text)
    kernel = Kernel(network, nft)
    assert units.start() == [UNIT]
    units.ruleset.write_text(_damaged(text, damage), encoding="utf-8")
    # An empty file changes nothing of a table that is there; that of all others is refused.
    assert units.start() == ([UNIT] if damage == "empty" else [])
    assert kernel.table() == kernel.normal(table)
    units.reload()
    assert kernel.table() == kernel.normal(table)


#: What systemd sets up for a unit in a namespace of mounts, which not every container may have (systemd.exec(5)).
_TAKES_MOUNTS = re.compile(
    r"(?:Protect(?:System|Home|Kernel|Control|Proc)|Private|ReadOnly|ReadWrite|Inaccessible|NoExec|Exec\w*Paths|Bind"
    r"|TemporaryFileSystem|Mount|Root|DynamicUser|(?:State|Cache|Logs|Configuration)Directory|NetworkNamespace|Load"
    r"Credential|JoinsNamespaceOf|ProcSubset|DelegateNamespaces)\w*="
)


def test_the_units_take_no_namespace_that_could_be_refused(tmp_path: pathlib.Path) -> None:
    files = boot_files(str(tmp_path), "", safeguard_text([22]), "/usr/sbin/nft").files
    units = [file.text for file in files if file.path in (UNIT, SAFEGUARD_UNIT)]
    assert len(units) == 2
    for text in units:
        assert "ExecStart=" in text
        assert [line for line in text.splitlines() if _TAKES_MOUNTS.match(line)] == []
