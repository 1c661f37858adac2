# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is added to nftables.service, for the units that there are and for those that administrators make of them."""

from __future__ import annotations

import shlex
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.holding import read_holding
from ansible_collections.palisade.nftables.plugins.module_utils._host.nftables_service import (
    DROP_IN,
    DropIn,
    drop_in_for,
)
from lab.namespaces import Host, LabError
from tests.nft_versions import NftVersion, nft_parameters

if t.TYPE_CHECKING:
    import pathlib

NFT = "/usr/sbin/nft"
LOADED = "/run/palisade/loaded*.nft"
OURS = 'include "%s"' % LOADED
UNIT = "usr/lib/systemd/system/nftables.service"
OVERRIDE = "etc/systemd/system/nftables.service.d/override.conf"

DEBIAN = """\
[Unit]
Description=nftables
[Service]
Type=oneshot
ExecStart=/usr/sbin/nft -f /etc/nftables.conf
ExecReload=/usr/sbin/nft -f /etc/nftables.conf
ExecStop=/usr/sbin/nft flush ruleset
"""
RED_HAT = """\
[Service]
Type=oneshot
ExecStart=/sbin/nft -f /etc/sysconfig/nftables.conf
ExecReload=/sbin/nft 'flush ruleset; include "/etc/sysconfig/nftables.conf";'
ExecStop=/sbin/nft flush ruleset
"""


def _write(root: pathlib.Path, files: t.Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _made(root: pathlib.Path, **files: str) -> t.Optional[DropIn]:
    _write(root, {{"unit": UNIT, "override": OVERRIDE}[name]: text for name, text in files.items()})
    return drop_in_for(str(root), NFT, LOADED)


def _commands(drop_in: t.Optional[DropIn]) -> t.List[str]:
    assert drop_in is not None
    return [line for line in drop_in.text.splitlines() if line.startswith("Exec")]


def test_debian_s_unit_keeps_its_commands_with_ours_beside_them(tmp_path: pathlib.Path) -> None:
    made = _made(tmp_path, unit=DEBIAN)
    assert made is not None
    assert made.seamless
    assert _commands(made) == [
        "ExecStart=",
        "ExecStart=/usr/sbin/nft 'include \"/etc/nftables.conf\"; %s'" % OURS,
        "ExecReload=",
        "ExecReload=/usr/sbin/nft 'include \"/etc/nftables.conf\"; %s'" % OURS,
        "ExecStop=",
        "ExecStop=/usr/sbin/nft 'flush ruleset; %s'" % OURS,
    ]


def test_red_hat_s_unit(tmp_path: pathlib.Path) -> None:
    made = _made(tmp_path, unit=RED_HAT)
    assert made is not None
    assert made.seamless
    assert _commands(made)[1::2] == [
        "ExecStart=/sbin/nft 'include \"/etc/sysconfig/nftables.conf\"; %s'" % OURS,
        "ExecReload=/sbin/nft 'flush ruleset; include \"/etc/sysconfig/nftables.conf\"; %s'" % OURS,
        "ExecStop=/sbin/nft 'flush ruleset; %s'" % OURS,
    ]


def test_what_an_administrator_set_counts(tmp_path: pathlib.Path) -> None:
    override = "[Service]\nExecStart=\nExecStart=-/usr/sbin/nft --file /etc/own.nft\nExecStop=\n"
    assert _commands(_made(tmp_path, unit=DEBIAN, override=override)) == [
        "ExecStart=",
        "ExecStart=-/usr/sbin/nft 'include \"/etc/own.nft\"; %s'" % OURS,
        "ExecReload=",
        "ExecReload=/usr/sbin/nft 'include \"/etc/nftables.conf\"; %s'" % OURS,
    ]


def test_our_own_drop_in_is_not_what_it_is_made_of(tmp_path: pathlib.Path) -> None:
    made = _made(tmp_path, unit=DEBIAN)
    assert made is not None
    _write(tmp_path, {DROP_IN.lstrip("/"): made.text})
    assert drop_in_for(str(tmp_path), NFT, LOADED) == made


@pytest.mark.parametrize(
    "command",
    [
        "ExecStart=/usr/local/sbin/load-rules",
        "ExecStart=/bin/sh -c 'nft -f /etc/nftables.conf'",
        "ExecStart=/usr/sbin/nft -f /etc/%i.conf",
        "ExecStart=/usr/sbin/nft -f $RULES",
        "ExecStart=!/usr/sbin/nft -f /etc/nftables.conf",
        "ExecStart=/usr/sbin/nft -I /etc -f /etc/nftables.conf",
        "ExecStartPre=/usr/sbin/nft flush ruleset",
        "ExecStopPost=/usr/sbin/nft flush ruleset",
    ],
)
def test_commands_of_other_kinds_stay_and_ours_follows(tmp_path: pathlib.Path, command: str) -> None:
    made = _made(tmp_path, unit=DEBIAN, override="[Service]\n%s\n" % command)
    assert made is not None
    assert not made.seamless
    # Nothing is cleared.
    assert _commands(made) == [
        "%s=-%s '%s'" % (key, NFT, OURS) for key in ("ExecStartPost", "ExecReload", "ExecStopPost")
    ]


def test_a_unit_that_cannot_be_reloaded_is_not_given_that(tmp_path: pathlib.Path) -> None:
    made = _made(tmp_path, unit="[Service]\nExecStart=/usr/local/sbin/load-rules\n")
    assert [line.partition("=")[0] for line in _commands(made)] == ["ExecStartPost", "ExecStopPost"]


def test_where_there_is_no_such_unit_there_is_nothing_to_add(tmp_path: pathlib.Path) -> None:
    assert drop_in_for(str(tmp_path), NFT, LOADED) is None
    _made(tmp_path, unit=DEBIAN)
    masked = tmp_path / "etc/systemd/system/nftables.service"
    masked.parent.mkdir(parents=True)
    masked.symlink_to("/dev/null")
    assert drop_in_for(str(tmp_path), NFT, LOADED) is None


@pytest.mark.parametrize("nft", nft_parameters())
def test_every_nft_runs_them_in_one_transaction(network: Host, tmp_path: pathlib.Path, nft: NftVersion) -> None:
    """The number of the ruleset's generation goes up by one, and the table is there afterwards."""
    theirs, ours = tmp_path / "nftables.conf", tmp_path / "loaded.nft"
    theirs.write_text("#!/usr/sbin/nft -f\nflush ruleset\ntable inet theirs {\n}\n", encoding="utf-8")
    unit = DEBIAN.replace("/etc/nftables.conf", str(theirs))
    _write(tmp_path, {UNIT: unit})
    made = drop_in_for(str(tmp_path), NFT, str(tmp_path / "loaded*.nft"))
    assert made is not None
    assert made.seamless
    commands = {line.partition("=")[0]: line.partition("=")[2] for line in _commands(made)}

    def run(key: str) -> t.Tuple[int, t.List[str]]:
        before = network.call(_generation)
        network.run([*nft.argv, *shlex.split(commands[key])[1:]])
        tables = network.run([*nft.argv, "list", "tables"]).stdout.splitlines()
        return network.call(_generation) - before, sorted(tables)

    # Nothing was loaded yet, as during a boot.
    assert run("ExecStart") == (1, ["table inet theirs"])
    ours.write_text("table inet ours\ndelete table inet ours\ntable inet ours {\n}\n", encoding="utf-8")
    both = ["table inet ours", "table inet theirs"]
    for key, tables in (("ExecStart", both), ("ExecReload", both), ("ExecStop", both[:1]), ("ExecStart", both)):
        assert run(key) == (1, tables)
    # What does not load changes nothing.
    ours.write_text("table inet ours {\n", encoding="utf-8")
    with pytest.raises(LabError, match="syntax error"):
        run("ExecStop")
    assert sorted(network.run([*nft.argv, "list", "tables"]).stdout.splitlines()) == both


def _generation() -> int:
    return read_holding().generation
