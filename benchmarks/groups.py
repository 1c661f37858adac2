# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``group:NAME`` costs on the controller: every host's policy names a group of all hosts.

Runs ``check_policy``, which contacts no host, over one inventory: with a policy that names one address,
with one that names the group, and with the template that one would write without ``group:``. The
difference to the first run is what the name costs.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

from .figures import BenchmarkError, Figure, Outcome, Say

HOSTS = 500
_FORKS = 10

_CHECKOUT = pathlib.Path(__file__).resolve().parent.parent

_PLAYBOOK = [{"hosts": "all", "gather_facts": False, "tasks": [{"palisade.nftables.check_policy": {}}]}]


class _Variant(t.NamedTuple):
    """What stands as the sources of a rule, and how often it is measured."""

    sources: object
    repeat: int


_ONE = "one address"
_GROUP = "`group:all`, resolved once per run"
_TEMPLATE = "a template, which every host resolves for itself"

_VARIANTS = {
    # The best of several tells the cost; what else the machine does only adds to it.
    _ONE: _Variant(["192.0.2.1"], 3),
    _GROUP: _Variant(["group:all"], 3),
    _TEMPLATE: _Variant("{{ groups.all | map('extract', hostvars, 'ansible_host') | list }}", 1),
}


def _inventory(sources: object) -> t.Dict[str, object]:
    hosts = {
        "host%d" % number: {"ansible_host": "198.18.%d.%d" % (number // 250, number % 250 + 1)}
        for number in range(HOSTS)
    }
    rule = {"direction": "ingress", "service": "ssh", "sources": sources, "action": "accept"}
    variables = {"firewall_assigned": ["ssh"], "firewall_policies": {"ssh": {"rules": [rule]}}}
    return {"all": {"hosts": hosts, "vars": variables}}


def _seconds(folder: pathlib.Path, sources: object) -> float:
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps(_inventory(sources)), encoding="utf-8")
    playbook = folder / "check.yml"
    playbook.write_text(json.dumps(_PLAYBOOK), encoding="utf-8")
    command = [os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), "-f", str(_FORKS)]
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(_CHECKOUT / ".cache" / "collections"),
        "ANSIBLE_CONFIG": str(_CHECKOUT / "tests" / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PATH": os.environ.get("PATH", os.defpath),
    }
    started = time.monotonic()
    done = subprocess.run(
        [*command, "-i", str(inventory), str(playbook)], env=environment, check=False, capture_output=True, text=True
    )
    seconds = time.monotonic() - started
    if done.returncode != 0 or done.stdout.count("failed=0") != HOSTS:
        raise BenchmarkError("ansible-playbook failed:\n%s\n%s" % (done.stdout[-4000:], done.stderr[-4000:]))
    return seconds


def measure(say: Say) -> Outcome:
    """Runs it.

    Raises:
        BenchmarkError: A play failed.
    """
    taken: t.Dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="palisade-groups-") as folder:
        for name, variant in _VARIANTS.items():
            taken[name] = min(_seconds(pathlib.Path(folder), variant.sources) for _ in range(variant.repeat))
            say("  %s: %.1f s" % (name, taken[name]))
    extra = {name: seconds - taken[_ONE] for name, seconds in taken.items()}
    lines = ["| sources of the rule, %d hosts | the run takes | above one address |" % HOSTS, "|---|---|---|"]
    lines += ["| %s | %.1f s | %+.1f s |" % (name, seconds, extra[name]) for name, seconds in taken.items()]
    figures = [
        Figure("group of %d hosts in %d hosts' policies" % (HOSTS, HOSTS), extra[_GROUP], "s", form="%.1f"),
        Figure("the same by a template on every host", extra[_TEMPLATE], "s", form="%.1f"),
    ]
    return Outcome(lines, figures)
