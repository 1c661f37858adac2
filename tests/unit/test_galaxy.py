# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection says about itself, in the files that Galaxy and ansible-core read."""

from __future__ import annotations

import pathlib
import re
import typing as t

import yaml

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


def _load(name: str) -> t.Any:
    return yaml.safe_load((CHECKOUT / name).read_text(encoding="utf-8"))


def test_name_and_licence() -> None:
    galaxy = _load("galaxy.yml")
    assert (galaxy["namespace"], galaxy["name"]) == ("palisade", "nftables")
    assert galaxy["license"] == ["GPL-3.0-or-later"]
    licence = (CHECKOUT / "LICENSE").read_text(encoding="utf-8")
    assert licence.lstrip().startswith("GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007")


def test_version_is_semantic() -> None:
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?", _load("galaxy.yml")["version"])


def test_ansible_core_2_19_is_required() -> None:
    assert _load("meta/runtime.yml") == {"requires_ansible": ">=2.19.0"}


def test_execution_environment_gets_what_validate_needs() -> None:
    name = _load("meta/execution-environment.yml")["dependencies"]["python"]
    lines = [line for line in (CHECKOUT / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert [re.split(r"[<>=]", line)[0] for line in lines] == ["jsonschema"]
    # A cap or an exact version would clash with other collections of the same image.
    assert not any("==" in line or "<" in line for line in lines)


def test_nothing_is_needed_from_other_collections() -> None:
    assert _load("galaxy.yml")["dependencies"] == {}


def test_every_file_of_code_names_its_licence() -> None:
    files = [path for folder in ("plugins", "lab", "tests", "benchmarks") for path in (CHECKOUT / folder).rglob("*.py")]
    marker = "SPDX-License-Identifier: GPL-3.0-or-later"
    texts = {str(path.relative_to(CHECKOUT)): path.read_text(encoding="utf-8") for path in files}
    without = [name for name, text in texts.items() if text and marker not in text]
    assert without == []


def test_what_is_private_says_so() -> None:
    files = [
        path for folder in ("module_utils", "plugin_utils") for path in (CHECKOUT / "plugins" / folder).rglob("*.py")
    ]
    public = [path for path in files if not any(part.startswith("_") for part in path.relative_to(CHECKOUT).parts)]
    assert public == []
    silent = [str(path.relative_to(CHECKOUT)) for path in files if "PRIVATE" not in path.read_text(encoding="utf-8")]
    assert silent == []
