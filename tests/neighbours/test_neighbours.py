# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others keep in the kernel stays byte for byte, over all that a run of ours does."""

from __future__ import annotations

import difflib
import pathlib
import re
import shlex
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.nftables_service import drop_in_for
from tests.neighbours.neighbour import BANNED, NEIGHBOURS, RULES, CannotRunError, Neighbour, ban
from tests.neighbours.scene import FIRST, SECOND, VISITOR, Knocking, Scene

#: Banned once our table is there.
_LATER = {"by-nftables": "203.0.113.76", "by-iptables": "203.0.113.77"}


def _assert_untouched(before: t.Mapping[str, str], scene: Scene, when: str) -> None:
    after = scene.rules_of_others()
    for name, text in before.items():
        difference = difflib.unified_diff(text.splitlines(), after[name].splitlines(), lineterm="")
        assert text == after[name], "%s, %s:\n%s" % (when, name, "\n".join(difference))


def _move_in(scene: Scene, neighbours: t.Iterable[Neighbour]) -> t.List[str]:
    """Starts all that can live here, and returns why others cannot."""
    missing = []
    for neighbour in neighbours:
        before = scene.rules_of_others()
        try:
            neighbour.move_in(scene.machine)
        except CannotRunError as exc:
            missing.append("%s: %s" % (neighbour.name, exc))
        else:
            assert scene.rules_of_others() != before, "%s has no rules" % neighbour.name
    return missing


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_rules_of_others_stay_byte_for_byte(scene: Scene, name: str) -> None:
    """Over everything that a run does, and while a change waits."""
    missing = _move_in(scene, NEIGHBOURS[name])
    if len(missing) == len(NEIGHBOURS[name]):
        pytest.skip("; ".join(missing))
    before = scene.rules_of_others()
    token = scene.begin(FIRST)
    first = scene.ours()
    assert first
    _assert_untouched(before, scene, "while the first deployment waits")
    scene.confirm(FIRST, token)
    _assert_untouched(before, scene, "after the first deployment")
    scene.change(SECOND)
    assert scene.ours() != first
    _assert_untouched(before, scene, "after a change")
    scene.shut_and_wait()
    _assert_untouched(before, scene, "after a change that was taken back")
    scene.run(restore="previous")
    assert scene.ours() == first
    _assert_untouched(before, scene, "after going back")
    scene.run(state="absent")
    assert not scene.ours()
    _assert_untouched(before, scene, "after ours was removed")
    scene.shut_and_wait()
    _assert_untouched(before, scene, "after a first deployment that was taken back")
    if missing:
        pytest.skip("passed, without %s" % "; ".join(missing))


def test_who_is_banned_stays_banned(scene: Scene) -> None:
    """By fail2ban, with nftables and with iptables, at every instant of a run; and it goes on banning."""
    missing = _move_in(scene, [one for one in NEIGHBOURS["containers, machines and bans"] if one.name == "fail2ban"])
    if missing:
        pytest.skip(missing[0])
    scene.outside.add_addresses("eth0", ["%s/24" % address for address in (*BANNED.values(), *_LATER.values())])
    with Knocking(scene, [VISITOR, *BANNED.values(), *_LATER.values()]) as knocking:
        knocking.await_one_more(VISITOR)
        scene.change(FIRST)
        for jail, address in _LATER.items():
            knocking.await_one_more(address)
            ban(scene.machine, jail, address)
        knocking.await_one_more(VISITOR)
        heard = dict(knocking.arrived)
        scene.change(SECOND)
        scene.shut_and_wait()
        scene.run(restore="previous")
        scene.run(state="absent")
        knocking.await_one_more(VISITOR)
        knocking.await_rounds(500)
    for address in BANNED.values():
        assert knocking.arrived[address] == 0
    for address in _LATER.values():
        assert knocking.arrived[address] == heard[address] > 0


@pytest.mark.parametrize("key", ["ExecStart", "ExecReload", "ExecStop"])
def test_nftables_service_does_to_others_what_it_did(scene: Scene, tmp_path: pathlib.Path, key: str) -> None:
    """Its commands flush the tables of others, as without us; ours comes on top of what they leave."""
    configuration = tmp_path / "nftables.conf"
    configuration.write_text(
        "flush ruleset\n" + (RULES / "kube-proxy.nft").read_text(encoding="utf-8"), encoding="utf-8"
    )
    theirs = {
        "ExecStart": ["nft", "-f", str(configuration)],
        "ExecReload": ["nft", "-f", str(configuration)],
        "ExecStop": ["nft", "flush", "ruleset"],
    }
    unit = tmp_path / "usr/lib/systemd/system/nftables.service"
    unit.parent.mkdir(parents=True)
    lines = ["%s=/usr/sbin/%s" % (name, shlex.join(command)) for name, command in theirs.items()]
    unit.write_text("\n".join(["[Service]", "Type=oneshot", *lines, ""]), encoding="utf-8")
    loaded = tmp_path / "loaded.nft"
    made = drop_in_for(str(tmp_path), "/usr/sbin/nft", str(loaded))
    assert made is not None
    ours = next(line for line in made.text.splitlines() if line.startswith(key + "=/")).partition("=")[2]

    def left(command: t.Sequence[str]) -> t.Dict[str, str]:
        scene.machine.run(command)
        # What is loaded anew has new handles.
        return {name: re.sub(" # handle [0-9]+", "", text) for name, text in scene.rules_of_others().items()}

    assert not _move_in(scene, NEIGHBOURS["tables by hand"])
    alone = left(theirs[key])
    scene.run(variables=FIRST)
    loaded.write_text("table inet palisade\ndelete table inet palisade\n" + scene.ours(), encoding="utf-8")
    table = scene.ours()
    assert left(shlex.split(ours)) == alone
    assert scene.ours() == table
