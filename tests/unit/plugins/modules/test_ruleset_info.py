# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as Ansible runs it, on a lab host with a network, /etc and /run of its own."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.palisade.nftables.plugins.modules import ruleset_info
from lab.namespaces import Lab
from lab.reexec import LabUnavailableError, ensure_privileges
from tests.unit.plugins.module_utils.conftest import OFFICE_AND_WEB

from .test_ruleset import Ansible

if t.TYPE_CHECKING:
    from lab.namespaces import Host


class Info(Ansible):
    module = "palisade.nftables.ruleset_info"


@pytest.fixture(name="host")
def fixture_host() -> t.Iterator[Host]:
    try:
        ensure_privileges()
    except LabUnavailableError as exc:
        pytest.skip(str(exc))
    with Lab() as lab:
        yield lab.host("host")


def documented(contains: t.Mapping[str, t.Any], prefix: str = "") -> t.Iterator[str]:
    """The paths of everything that is returned, by the documentation."""
    for name, entry in contains.items():
        yield prefix + name
        yield from documented(entry.get("contains", {}), "%s%s." % (prefix, name))


def returned(value: object, prefix: str = "") -> t.Iterator[str]:
    """The paths of what is there; what is below ``networks`` has names of the user's own."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield prefix + name
            if name != "networks":
                yield from returned(item, "%s%s." % (prefix, name))
    elif isinstance(value, list):
        for item in value:
            yield from returned(item, prefix)


RETURN = yaml.safe_load(ruleset_info.RETURN)


@pytest.mark.slow
def test_what_is_returned_is_what_is_documented(host: Host, ansible_environment: t.Dict[str, str]) -> None:
    info, ruleset = Info(host, ansible_environment), Ansible(host, ansible_environment)
    nothing = info.run(variables=None)
    assert nothing.word == "SUCCESS", nothing.result
    assert not nothing.result["ruleset"]["present"]
    assert ruleset.run().word == "CHANGED"
    found = info.run("--check")
    assert (found.word, found.result["changed"]) == ("SUCCESS", False)
    assert found.result["ruleset"]["wanted"] == {"equal": True, "changes": []}
    assert found.result["ruleset"]["drift"]["state"] == "none"
    paths = set(returned(found.result["ruleset"], "ruleset."))
    assert paths <= set(documented(RETURN))
    assert {"ruleset.%s" % name for name in RETURN["ruleset"]["contains"]} <= paths
    rules = {path for path in documented(RETURN) if path.startswith("ruleset.rules.")}
    assert rules <= paths


@pytest.mark.slow
def test_failures_are_messages(host: Host, ansible_environment: t.Dict[str, str]) -> None:
    info = Info(host, ansible_environment)
    wrong = info.run(variables={**OFFICE_AND_WEB, "firewall_assigned": ["nothing"]})
    assert wrong.word == "FAILED"
    assert "the policy 'nothing' is not in firewall_policies" in wrong.result["msg"]
    both = info.run(from_inventory=True)
    assert both.word == "FAILED"
    assert "leave out variables" in both.result["msg"]


def test_the_examples_use_documented_options_only() -> None:
    options = yaml.safe_load(ruleset_info.DOCUMENTATION)["options"]
    for task in yaml.safe_load(ruleset_info.EXAMPLES):
        assert set(task.get("palisade.nftables.ruleset_info") or ()) <= set(options)
