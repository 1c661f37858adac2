# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests over ssh deploy, and what they look at on a host afterwards."""

from __future__ import annotations

import os
import re
import time
import typing as t

import pytest

from lab.namespaces import Host
from lab.reexec import in_user_namespace
from lab.site import Site, role_play

TIMEOUT = 10

OPEN: t.Dict[str, t.Any] = {
    "firewall_policies": {
        "ssh": {"rules": [{"direction": "ingress", "service": "ssh", "action": "accept"}]},
        "web": {"rules": [{"direction": "ingress", "service": "https", "action": "accept"}]},
    },
    "firewall_assigned": ["ssh", "web"],
    "firewall_confirm_timeout": TIMEOUT,
}
#: The way in is missing, and the safeguard that would have refused the run is off.
SHUT: t.Dict[str, t.Any] = {**OPEN, "firewall_assigned": ["web"], "firewall_safeguards": {"ssh": False}}

#: Connections of ssh, each with the port that its TCP connection came from.
ACCEPTED = re.compile(r"^Accepted publickey for \w+ from \S+ port ([0-9]+)", re.MULTILINE)

needs_logins = pytest.mark.skipif(
    os.geteuid() != 0 or in_user_namespace(), reason="sshd has to change to another user for a login, which takes root"
)


def table_of(host: Host) -> str:
    """What the kernel holds, without the values of counters; empty where there is no table."""
    return host.run(["nft", "-s", "list", "table", "inet", "palisade"], check=False).stdout


def files_of(host: Host) -> str:
    """Every file of ours with its content, and what waits or was left in /run."""
    script = "cd / && find etc/palisade run/palisade -type f 2>/dev/null | sort | xargs -r sha256sum"
    return host.run(["sh", "-c", script]).stdout


def assert_nothing_waits(host: Host) -> None:
    assert host.run(["ls", "-A", "/run/palisade"], check=False).stdout == ""
    assert "take_back.py" not in host.run(["ps", "-eo", "args"]).stdout


def await_table(host: Host, wanted: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while table_of(host) != wanted:
        assert time.monotonic() < deadline, table_of(host)
        time.sleep(0.1)


def deploy(site: Site, variables: t.Mapping[str, t.Any], *arguments: str, hosts: str) -> t.Tuple[int, str]:
    """The exit status of a deploy to hosts, and all that it printed."""
    site.write_inventory(variables)
    done = site.run([role_play(hosts)], "-v", *arguments)
    return done.returncode, done.stdout + done.stderr
