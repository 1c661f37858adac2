# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example inventory is right, and its README tells of every file."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._analysis.codes import CODES
from ansible_collections.palisade.nftables.plugins.module_utils._analysis.findings import Severity

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = CHECKOUT / "examples"


def run(environment: t.Dict[str, str], *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=EXAMPLES,
        env={**environment, "ANSIBLE_CONFIG": str(EXAMPLES / "ansible.cfg")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_valid(ansible_environment: t.Dict[str, str]) -> None:
    output = run(ansible_environment, "ansible-playbook", "palisade.nftables.validate")
    assert '"4 host(s) checked, 0 with problems"' in output
    assert "WARNING" not in output


@pytest.mark.parametrize(
    ("host", "policies"),
    [
        ("web1", "mail-block ping ssh monitoring web web-to-databases server-egress"),
        ("db1", "mail-block ping ssh monitoring postgres replication server-egress"),
        ("shop1", "mail-block ping block ssh monitoring postgres replication web web-to-databases server-egress"),
    ],
)
def test_policies_of_a_host(ansible_environment: t.Dict[str, str], host: str, policies: str) -> None:
    output = run(ansible_environment, "ansible", host, "-m", "palisade.nftables.check_policy")
    listed = re.search(r'"policies": \[([^\]]*)\]', output)
    assert listed is not None
    assert re.findall(r'"([^"]+)"', listed.group(1)) == policies.split()


def test_lint_has_nothing_to_warn_of(ansible_environment: t.Dict[str, str]) -> None:
    warnings = [code for code in CODES if CODES[code].severity is Severity.WARNING]
    more = ["-e", json.dumps({"firewall_lint_fail": [*warnings, "mergeable", "exposed-ssh"]})]
    output = run(ansible_environment, "ansible", "all", "-m", "palisade.nftables.check_policy", *more)
    assert output.count("SUCCESS") == 4


def test_readme_tells_of_every_file() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*") if path.is_file()}
    assert set(re.findall(r"^\| \[[^\]]+\]\(([^)]+)\)", text, re.MULTILINE)) == files - {"README.md"}


def test_the_play_with_the_role_is_right(ansible_environment: t.Dict[str, str]) -> None:
    run(ansible_environment, "ansible-playbook", "site.yml", "--syntax-check")
