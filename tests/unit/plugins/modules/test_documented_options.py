# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module documents is what it takes, and what its action plugin takes before it."""

from __future__ import annotations

import importlib
import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.palisade.nftables.plugins.action import verify as verify_action
from ansible_collections.palisade.nftables.plugins.modules import verify

_MODULES = sorted(
    path.stem
    for path in pathlib.Path(str(verify.__file__)).parent.glob("*.py")
    if path.stem != "__init__" and "ARGUMENT_SPEC = " in path.read_text(encoding="utf-8")
)


def _documented(module: t.Any) -> t.Dict[str, t.Any]:
    return _specified(yaml.safe_load(module.DOCUMENTATION)["options"])


def _specified(options: t.Mapping[str, t.Mapping[str, t.Any]]) -> t.Dict[str, t.Any]:
    """Documented options as a specification has them."""
    found = {}
    for name, option in options.items():
        found[name] = {key: value for key, value in option.items() if key not in ("description", "suboptions")}
        if "suboptions" in option:
            found[name]["options"] = _specified(option["suboptions"])
    return found


@pytest.mark.parametrize("name", _MODULES)
def test_the_documentation_has_the_options_of_the_specification(name: str) -> None:
    module = importlib.import_module("ansible_collections.palisade.nftables.plugins.modules." + name)
    assert _documented(module) == module.ARGUMENT_SPEC


def test_verify_takes_on_the_controller_what_is_documented() -> None:
    documented = _documented(verify)
    assert {name: documented[name] for name in verify_action._ARGUMENTS} == verify_action._ARGUMENTS
