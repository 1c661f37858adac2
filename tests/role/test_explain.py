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

if t.TYPE_CHECKING:
    from .fleet import Fleet, Run

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
    with pytest.raises(AssertionError, match="Say which packet, such as -e 'palisade_packet="):
        answer(ansible_environment, ["ansible-playbook", "-i", "examples/hosts.yml", "palisade.nftables.explain"])


POLICIES = """
firewall_assigned: [ssh]
firewall_policies:
  ssh: {rules: [{direction: ingress, service: ssh, sources: [198.51.100.0/24], action: accept}]}
"""


def ask(fleet: Fleet, packet: str, *arguments: str) -> Run:
    return fleet.run(
        "palisade.nftables.explain", "-e", 'palisade_packet="%s"' % packet, "-e", "palisade_live=true", *arguments
    )


def live(run: Run, host: str) -> t.Dict[str, t.Any]:
    """What the kernel of a host does, by the result of the task."""
    assert run.status == 0, run.output
    return next(data["live"] for _word, name, data in run.results if name == host and "live" in data)


def test_the_kernels_answer(fleet: Fleet) -> None:
    """Wanted and live are the same, then differ in what a packet of no interest meets, then in its verdict."""
    host = fleet.add("web1", "192.0.2.1")
    fleet.write("group_vars/all.yml", POLICIES)
    nothing = live(ask(fleet, "tcp from 203.0.113.7 to port 22"), "web1")
    assert (nothing["verdict"], nothing["equal"]) == ("accept", False)
    assert nothing["warning"] == "the host has no ruleset of ours: the policies are not in force there"
    assert fleet.deploy().status == 0
    before = fleet.table("web1")

    run = ask(fleet, "tcp from 198.51.100.7 to port 22")
    same = live(run, "web1")
    assert (same["verdict"], same["origin"], same["variable"]) == ("accept", "ssh[0]", "firewall_policies")
    assert (same["equal"], same["warning"]) == (True, "")
    assert "live: accept, by ssh[0] of firewall_policies" in run.output
    assert "the live ruleset is the wanted one" in run.output
    assert live(ask(fleet, "tcp from 203.0.113.7 to port 22"), "web1")["origin"] == "default-ingress"
    assert fleet.table("web1") == before

    rule = "insert rule inet palisade input ip saddr 198.51.100.7 tcp dport 22 drop comment byhand"
    host.run(["nft", rule])
    elsewhere = live(ask(fleet, "tcp from 198.51.100.8 to port 22"), "web1")
    assert (elsewhere["verdict"], elsewhere["equal"]) == ("accept", False)
    assert "although this packet gets the same verdict" in elsewhere["warning"]
    run = ask(fleet, "tcp from 198.51.100.7 to port 22")
    differing = live(run, "web1")
    assert (differing["verdict"], differing["origin"]) == ("drop", "byhand")
    assert "this packet's verdict is drop there, and accept is wanted" in differing["warning"]
    assert "[WARNING]" in run.output
    text = next(data["text"] for _word, _name, data in run.results if "live" in data)
    assert "```\n%s\n```" % text[text.index("live: ") :] in PAGE.read_text(encoding="utf-8")

    host.run(["nft", "insert rule inet palisade input meta mark 1 drop"])
    unknown = live(ask(fleet, "tcp from 198.51.100.7 to port 22"), "web1")
    assert unknown["verdict"] == "unknown"
    assert unknown["reason"] == "rule 1 of the chain input was not understood: the expression 'meta mark'"


def test_a_packet_that_is_none_reaches_no_host(fleet: Fleet) -> None:
    fleet.add("web1", "192.0.2.1")
    fleet.write("group_vars/all.yml", POLICIES)
    run = ask(fleet, "tcp from nowhere")
    assert run.status != 0
    assert run.executions == {"web1": 0}
    assert "'nowhere' is not an address" in run.output
