# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook ``info`` on a host of the lab: deployed, called, asked, edited by hand and asked again."""

from __future__ import annotations

import contextlib
import pathlib
import re
import socket
import typing as t

if t.TYPE_CHECKING:
    from lab.namespaces import Host

    from .fleet import Fleet, Run

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "live.md"

_EXAMPLE = re.compile(
    r"^```console\n\$ ansible-playbook [^\n]*nftables\.info[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL
)

POLICIES = """
firewall_networks:
  office: [198.51.100.0/24]
firewall_policies:
  ssh: {rules: [{direction: ingress, service: ssh, sources: [office], action: accept}]}
  web: {rules: [{direction: ingress, protocol: tcp, destination_ports: [80, 443], action: accept}]}
firewall_assigned: [ssh, web]
"""

#: What differs from one time to the next: times, digests, processes and what else a host counted.
_VARIES = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"ruleset [0-9a-f]{12}", "ruleset DIGEST"),
    (r"(:\d+ +)\S+( +(?:outside|local))", r"\1PROCESS\2"),
    # Of the first packets of three connections; the kernel chooses the options of TCP.
    (r"\d+ bytes", "N bytes"),
    (r" +", " "),
)


def listen(sockets: contextlib.ExitStack, host: Host, address: str, port: int) -> None:
    made = sockets.enter_context(host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
    made.bind((address, port))
    made.listen()


def text(run: Run, host: str) -> str:
    assert run.status == 0, run.output
    return next(str(data["text"]) for _word, name, data in run.results if name == host and "text" in data)


def without_what_varies(shown: str) -> t.List[str]:
    for pattern, word in _VARIES:
        shown = re.sub(pattern, word, shown)
    return [line.strip() for line in shown.splitlines()]


def test_what_is_live_as_the_page_shows_it(fleet: Fleet) -> None:
    host, caller = fleet.add("web1", "192.0.2.1"), fleet.add("other1", "192.0.2.7")
    fleet.write("group_vars/all.yml", POLICIES)
    assert fleet.deploy("--limit", "web1").status == 0
    with contextlib.ExitStack() as sockets:
        for address, port in (("0.0.0.0", 22), ("::", 80), ("0.0.0.0", 6379), ("127.0.0.1", 25)):
            listen(sockets, host, address, port)
        for _time in range(3):
            calling = sockets.enter_context(caller.socket())
            calling.settimeout(10)
            calling.connect(("192.0.2.1", 80))
            calling.close()
        host.run(["nft", 'insert rule inet palisade input ip saddr 203.0.113.9 drop comment "byhand"'])
        before = fleet.table("web1")
        run = fleet.run("palisade.nftables.info", "--limit", "web1", "-e", "palisade_compare=true")
        shown = text(run, "web1")
    assert run.changed() == {"web1": 0}
    assert fleet.table("web1") == before
    example = _EXAMPLE.search(PAGE.read_text(encoding="utf-8"))
    assert example is not None
    assert without_what_varies(shown) == without_what_varies(example.group(1))


def test_a_host_without_a_ruleset_and_variables_that_are_wrong(fleet: Fleet) -> None:
    fleet.add("web1", "192.0.2.1")
    fleet.write("group_vars/all.yml", POLICIES.replace("[ssh, web]", "[shh]"))
    assert text(fleet.run("palisade.nftables.info"), "web1").startswith("no ruleset of Palisade\ndrift: none\n")
    wrong = fleet.run("palisade.nftables.info", "-e", "palisade_compare=true")
    assert wrong.status != 0
    assert "firewall_assigned[0]: the policy 'shh' is not in firewall_policies" in wrong.output


def test_a_firewall_that_is_to_go_and_is_still_there(fleet: Fleet) -> None:
    fleet.add("web1", "192.0.2.1")
    fleet.write("group_vars/all.yml", POLICIES)
    assert fleet.deploy().status == 0
    asking = ("palisade.nftables.info", "-e", "palisade_compare=true", "-e", "firewall_state=absent")
    shown = text(fleet.run(*asking), "web1").splitlines()
    assert shown[2:4] == ["as the variables want it: no", "  delete the table inet palisade"]
    assert fleet.run("palisade.nftables.absent").status == 0
    assert "as the variables want it: yes" in text(fleet.run(*asking), "web1")
