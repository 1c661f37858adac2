# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role says about its variables, in the places where it says so."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import typing as t

import yaml

from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.plugin_utils._misspelt import ROLE_VARIABLES

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
ROLE = CHECKOUT / "roles" / "firewall"


def _load(name: str) -> t.Any:
    return yaml.safe_load((ROLE / name).read_text(encoding="utf-8"))


def _options() -> t.Dict[str, t.Any]:
    options: t.Dict[str, t.Any] = _load("meta/argument_specs.yml")["argument_specs"]["deploy"]["options"]
    return options


def test_defaults_and_specification_name_the_same_variables_in_the_same_order() -> None:
    assert list(_load("defaults/main.yml")) == list(_options())


def test_the_collector_and_the_misspellings_know_exactly_these() -> None:
    assert sorted(ROLE_VARIABLES) == sorted(_options())


def test_defaults_and_specification_agree() -> None:
    defaults = _load("defaults/main.yml")
    assert {name: option.get("default") for name, option in _options().items()} == defaults


def test_defaults_mean_what_the_parser_means_without_them() -> None:
    assert parse_firewall(_load("defaults/main.yml")) == parse_firewall({})


def test_readme_has_a_row_for_each_variable() -> None:
    rows = re.findall(r"^\| `(firewall_\w+)`", (ROLE / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(_options())


def test_tasks_that_main_imports_are_the_documented_entry_point(
    ansible_environment: t.Dict[str, str],
) -> None:
    (task,) = _load("tasks/main.yml")
    assert task["ansible.builtin.import_tasks"] == "deploy.yml"
    done = subprocess.run(
        ["ansible-doc", "--json", "-t", "role", "palisade.nftables.firewall"],
        env=ansible_environment,
        capture_output=True,
        text=True,
        check=True,
    )
    documented = json.loads(done.stdout)["palisade.nftables.firewall"]["entry_points"]
    assert list(documented) == ["deploy"]
    assert sorted(documented["deploy"]["options"]) == sorted(_options())
