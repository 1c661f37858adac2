# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook ``verify`` as it is without variables: the controller asks, and looks at hosts over ssh."""

from __future__ import annotations

import json
import re
import typing as t

from lab.connections import Server
from lab.site import CONTROLLER, SUDO_USER, open_site

from .deploying import OPEN, deploy, needs_logins

pytestmark = needs_logins

_COMPARED = re.compile(r'^ok: \[one\] => (\{.*"rows".*\})$', re.MULTILINE)

#: Somebody else's, behind ours.
_LATER = """
table inet later {
  chain input {
    type filter hook input priority 10;
    tcp dport 443 drop
  }
}
"""


def rows(output: str) -> t.Dict[t.Tuple[str, t.Optional[int]], t.Dict[str, t.Any]]:
    last = json.loads(_COMPARED.findall(output)[-1])
    return {(row["protocol"], row["port"]): row for row in last["rows"]}


def test_r104_the_controller_asks_and_looks_with_sudo() -> None:
    with open_site(["one"]) as site:
        status, printed = deploy(site, OPEN, hosts="all")
        assert status == 0, printed
        site.write_inventory({**OPEN, "ansible_user": SUDO_USER})
        with Server(site.hosts["one"], tcp=[443]):
            done = site.run_playbook("palisade.nftables.verify", "-v")
            assert done.returncode == 0, done.stdout
            found = rows(done.stdout)
            assert {row["result"] for row in found.values()} == {"as expected"}
            assert {row["source"] for row in found.values()} == {CONTROLLER}
            assert (found["tcp", 22]["seen"], found["tcp", 443]["seen"]) == ("connected", "connected")
            assert found["tcp", 5432]["seen"] == "filtered"

            # Whoever asks needs no root, whatever the inventory says of its hosts.
            broken = {"ansible_become": True, "ansible_become_user": SUDO_USER, "ansible_become_exe": "/bin/false"}
            site.write_inventory({**OPEN, **broken})
            done = site.run_playbook("palisade.nftables.verify", "-v", "-e", "palisade_look=false")
            assert done.returncode == 0, done.stdout
            asked_as_root = ["-e", "palisade_look=false", "-e", "palisade_become=true"]
            done = site.run_playbook("palisade.nftables.verify", *asked_as_root)
            assert done.returncode == 2
            assert "localhost did not ask" in done.stdout
            site.write_inventory({**OPEN, "ansible_user": SUDO_USER})

            site.hosts["one"].nft(_LATER)
            done = site.run_playbook("palisade.nftables.verify", "-v")
        assert done.returncode == 2
        row = rows(done.stdout)["tcp", 443]
        assert (row["result"], row["layer"]) == ("different", "another table of the host"), done.stdout
        assert "chain input of table inet later (input, priority 10) refuses it" in row["because"]
