# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often a run looks up the members of a group that all of its hosts name."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t

import pytest
import yaml

HOSTS = 8

CHECK = [{"palisade.nftables.check_policy": None}]


def lookups(folder: pathlib.Path, environment: t.Dict[str, str], *plays: t.Dict[str, t.Any]) -> int:
    """How many times a template of a member was evaluated; each evaluation leaves a line in a file."""
    seen = folder / "seen"
    inventory = {
        "all": {
            "hosts": {"host%d" % number: {"number": number + 1} for number in range(HOSTS)},
            "vars": {
                "firewall_addresses": "{{ lookup('pipe', 'echo >>%s; echo 192.0.2.' ~ number) }}" % seen,
                "firewall_assigned": ["ssh"],
                "firewall_policies": {
                    "ssh": {"rules": [{"direction": "ingress", "sources": ["group:all"], "action": "accept"}]}
                },
            },
        }
    }
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    playbook = [{"hosts": "all", "gather_facts": False, "tasks": CHECK, **play} for play in plays]
    (folder / "site.yml").write_text(yaml.safe_dump(playbook), encoding="utf-8")
    done = subprocess.run(
        ["ansible-playbook", "-i", "hosts.yml", "-f", "4", "site.yml"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return len(seen.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    ("plays", "expected"),
    [
        ([{}], HOSTS),
        ([{"strategy": "free"}], HOSTS),
        ([{"tasks": [{**CHECK[0], "throttle": 1}]}], HOSTS),
        ([{"tasks": [{**CHECK[0], "run_once": True, "delegate_to": "host3"}]}], HOSTS),
        # The next batch, and the next play, may have gathered facts that make the answer another one.
        ([{"serial": 4}], 2 * HOSTS),
        ([{}, {}], 2 * HOSTS),
    ],
    ids=["linear", "free", "throttle", "run_once and delegate_to", "serial", "two plays"],
)
def test_members_are_looked_up_once(
    tmp_path: pathlib.Path, ansible_environment: t.Dict[str, str], plays: t.List[t.Dict[str, t.Any]], expected: int
) -> None:
    assert lookups(tmp_path, ansible_environment, *plays) == expected
