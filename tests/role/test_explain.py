# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook ``explain`` on the example inventory, and on hosts of the lab whose kernels are asked as well."""

from __future__ import annotations

import pathlib
import re
import shlex
import subprocess
import typing as t

import pytest

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "explain.md"

#: A command of the page and the lines below it.
_EXAMPLE = re.compile(
    r"^```console\n\$ (ansible-playbook [^\n]*palisade\.nftables\.explain[^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
_MESSAGE = re.compile(r'^ok: \[[^\]]+\] => \{\n    "msg": \[\n(.*?)\n    \]\n\}$', re.MULTILINE | re.DOTALL)

EXAMPLES = _EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))


def answer(environment: t.Mapping[str, str], command: t.Sequence[str]) -> str:
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**environment, "ANSIBLE_CONFIG": str(CHECKOUT / "examples" / "ansible.cfg")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    found = _MESSAGE.search(done.stdout)
    assert found is not None, done.stdout
    return "".join(line.strip().rstrip(",")[1:-1] + "\n" for line in found.group(1).splitlines())


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_the_page_shows_what_is_printed(ansible_environment: t.Dict[str, str], command: str, shown: str) -> None:
    assert answer(ansible_environment, shlex.split(command)) == shown


def test_it_asks_which_packet(ansible_environment: t.Dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="Say which packet, such as -e 'packet="):
        answer(ansible_environment, ["ansible-playbook", "-i", "examples/hosts.yml", "palisade.nftables.explain"])
