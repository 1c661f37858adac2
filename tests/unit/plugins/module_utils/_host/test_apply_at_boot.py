# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that comes while palisade.service starts: nft has loaded the ruleset, and the link to it is not there yet.

Nobody comes in over ssh by then, as the network waits for the whole unit; a run over a container's connection, or
one of ansible-pull, may. What the unit does is done here step by step, since no test can run systemd on a root of its
own.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.apply import run
from ansible_collections.palisade.nftables.plugins.module_utils._host.boot import LOADED, RULESET, RUN_FOLDER, SAFEGUARD
from ansible_collections.palisade.nftables.plugins.module_utils._host.confirm import Confirm, Phase
from ansible_collections.palisade.nftables.plugins.module_utils._host.files import FileError
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host, Options, Result
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

if t.TYPE_CHECKING:
    from lab.namespaces import Host as LabHost

pytestmark = pytest.mark.skipif(shutil.which("systemctl") is None, reason="systemctl, which enables units, is missing")


class Starting:
    """A host whose unit has begun."""

    def __init__(self, network: LabHost, root: pathlib.Path) -> None:
        self._network = network
        self._root = root
        for folder in ("etc/systemd/system", "run/systemd/system"):
            (root / folder).mkdir(parents=True)
        assert self.run()["persistence"]["state"] == "systemd"
        # Nothing in /run outlives the boot; RuntimeDirectory= of the unit is there before ExecStart=.
        shutil.rmtree(self.path(RUN_FOLDER))
        self.path(RUN_FOLDER).mkdir(mode=0o700)
        self._network.run(["nft", "delete table inet palisade"])
        self._network.run(["nft", "-f", str(self.path(RULESET))])

    def path(self, inside: str) -> pathlib.Path:
        return self._root / inside.lstrip("/")

    def run(self, phase: Phase = Phase.AT_ONCE, token: str = "") -> Result:
        options = Options(variables=OFFICE_AND_WEB, connection="podman", confirm=Confirm(phase, 60, token=token))
        return self._network.call(run, options, Host(str(self._root), environ={}))

    def fail(self) -> None:
        """What both units do at a boot where the ruleset does not load."""
        self._network.run(["nft", "delete table inet palisade"])
        self._network.run(["nft", "-f", str(self.path(SAFEGUARD))])
        subprocess.run(["ln", "-sfn", SAFEGUARD, str(self.path(LOADED))], check=True)

    def rules(self) -> str:
        """With the handles, which tell one load from the next."""
        return self._network.run(["nft", "-s", "-a", "list", "ruleset"]).stdout

    def lines(self) -> t.List[str]:
        """Of all rules, in any order: that of the chains is the order in which they were made."""
        return sorted(self._network.run(["nft", "-s", "list", "ruleset"]).stdout.splitlines())

    def finish(self) -> None:
        """ExecStartPost= of the unit."""
        subprocess.run(["ln", "-sfn", RULESET, str(self.path(LOADED))], check=True)


@pytest.fixture
def starting(network: LabHost, tmp_path: pathlib.Path) -> Starting:
    return Starting(network, tmp_path / "root")


@pytest.mark.parametrize("phase", [Phase.AT_ONCE, Phase.BEGIN])
def test_a_run_writes_the_link_and_nothing_else(starting: Starting, phase: Phase) -> None:
    before = starting.rules()
    result = starting.run(phase)
    assert result["changes"] == ["let %s say that the ruleset is loaded" % LOADED]
    assert "confirmation" not in result
    assert starting.rules() == before
    starting.finish()
    assert os.readlink(starting.path(LOADED)) == RULESET
    assert not starting.run(phase)["changed"]


def test_a_run_that_fails_leaves_the_folder_that_the_link_goes_into(starting: Starting) -> None:
    ruleset = starting.path(RULESET)
    ruleset.rename(ruleset.with_suffix(".aside"))
    ruleset.symlink_to("/etc/passwd")
    with pytest.raises(FileError, match="symbolic link"):
        starting.run()
    starting.finish()
    assert os.readlink(starting.path(LOADED)) == RULESET


def test_the_run_after_a_boot_without_the_ruleset_says_so_and_brings_it_back(starting: Starting) -> None:
    ruleset = starting.path(RULESET).read_text(encoding="utf-8")
    wanted = starting.lines()
    starting.path(RULESET).write_text("table inet palisade {", encoding="utf-8")
    starting.fail()
    assert starting.lines() != wanted
    begun = starting.run(Phase.BEGIN)
    done = starting.run(Phase.CONFIRM, begun["confirmation"]["token"])
    for result in (begun, done):
        assert any("%s could not be loaded at boot" % RULESET in warning for warning in result["warnings"])
    assert starting.path(RULESET).read_text(encoding="utf-8") == ruleset
    assert starting.lines() == wanted
    again = starting.run(Phase.BEGIN)
    assert (again["changed"], [one for one in again["warnings"] if "at boot" in one]) == (False, [])
