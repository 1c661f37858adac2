# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way that Ansible goes over ssh: a confirmation comes the same way, over a connection that is new.

Each way is let in by a rule that fits it alone, and shut out by rules that let in others.
"""

from __future__ import annotations

import importlib.util
import typing as t

import pytest
from ansible.plugins.loader import connection_loader

from lab.site import CONTROLLER, SUDO_USER, Site, open_site

from .deploying import ACCEPTED, OPEN, SHUT, TIMEOUT, assert_nothing_waits, deploy, files_of, needs_logins, table_of

if t.TYPE_CHECKING:
    import collections.abc

_HOST, _JUMP = "web", "jump"
_PORT = 2222

pytestmark = needs_logins


class Way(t.NamedTuple):
    """One way in.

    Attributes:
        settings: Makes the variables of the connection.
        source: Where the host sees it come from: the controller, or a host by its name.
        port: Of sshd.
    """

    settings: t.Callable[[Site], t.Dict[str, t.Any]]
    source: str = ""
    port: int = 22


def _proxy_jump(site: Site) -> t.Dict[str, t.Any]:
    return {"ansible_ssh_common_args": "%s -o ProxyJump=%s" % (site.ssh_arguments, site.addresses[_JUMP])}


def _proxy_command(site: Site) -> t.Dict[str, t.Any]:
    command = "ssh %s -W %%h:%%p %s" % (site.ssh_arguments, site.addresses[_JUMP])
    return {"ansible_ssh_common_args": '%s -o ProxyCommand="%s"' % (site.ssh_arguments, command)}


def _another_port(_site: Site) -> t.Dict[str, t.Any]:
    return {"ansible_port": _PORT}


def _sudo_user(_site: Site) -> t.Dict[str, t.Any]:
    return {"ansible_user": SUDO_USER, "ansible_become": True}


def _paramiko(site: Site) -> t.Dict[str, t.Any]:
    return {
        "ansible_connection": "paramiko",
        "ansible_user": "root",
        "ansible_private_key_file": str(site.user_key),
        "ansible_host_key_checking": False,
    }


def _has_paramiko() -> bool:
    """Whether this ansible-core has the plugin, and this Python the package."""
    return connection_loader.has_plugin("paramiko_ssh") and importlib.util.find_spec("paramiko") is not None


_WAYS = {
    "ProxyJump": Way(_proxy_jump, source=_JUMP),
    "ProxyCommand": Way(_proxy_command, source=_JUMP),
    "another port": Way(_another_port, port=_PORT),
    "a user of sudo": Way(_sudo_user),
    "paramiko": Way(_paramiko),
}
_NOT_HERE = pytest.mark.skipif(
    not _has_paramiko(), reason="ansible-core has the plugin paramiko up to 2.20, and it needs the package paramiko"
)


@pytest.fixture(name="site")
def fixture_site() -> collections.abc.Iterator[Site]:
    with open_site([_HOST, _JUMP]) as site:
        yield site


def _ssh_from(source: str, port: int) -> t.Dict[str, t.Any]:
    rule = {"direction": "ingress", "protocol": "tcp", "destination_ports": port, "sources": [source]}
    return {"ssh": {"rules": [{**rule, "action": "accept"}]}}


@pytest.mark.parametrize("name", [pytest.param(name, marks=_NOT_HERE if name == "paramiko" else ()) for name in _WAYS])
def test_a_way_in_is_proved_by_itself(site: Site, name: str) -> None:
    way = _WAYS[name]
    host = site.hosts[_HOST]
    if way.port != 22:
        site.listen_on(_HOST, way.port)
    source = site.addresses.get(way.source, CONTROLLER)
    policies = {**OPEN["firewall_policies"], **_ssh_from(source, way.port)}
    let_in = {**OPEN, "firewall_policies": policies, **way.settings(site)}
    status, output = deploy(site, let_in, hosts=_HOST)
    assert status == 0, output
    assert '"state": "confirmed"' in output
    before = table_of(host), files_of(host)
    assert 'ip saddr %s tcp dport %d counter name "policy/ssh/0"' % (source, way.port) in before[0]
    ports = ACCEPTED.findall(site.log(_HOST))
    assert len(ports) == len(set(ports)) >= 2
    # The rule of another way: it lets in whoever comes directly, to the usual port.
    others = _ssh_from(site.addresses[_JUMP] if source == CONTROLLER else CONTROLLER, 22)
    shut = {**let_in, "firewall_policies": {**policies, **others}, "firewall_safeguards": {"ssh": False}}
    status, output = deploy(site, shut, hosts=_HOST)
    assert status == 2, output
    assert "no confirmation came within %d seconds" % TIMEOUT in output
    assert "the rules from before are in force" in output
    wanted = 'destination_ports: %d, sources: [\\"%s\\"]' % (way.port, source)
    assert wanted in output, output
    assert (table_of(host), files_of(host)) == before
    assert_nothing_waits(host)


@pytest.mark.parametrize("way", [_proxy_jump, _proxy_command])
def test_a_jump_host_that_wants_a_person_proves_nothing_of_the_host_behind_it(
    site: Site, way: t.Callable[[Site], t.Dict[str, t.Any]]
) -> None:
    host = site.hosts[_HOST]
    let_in = {**OPEN, **way(site)}
    assert deploy(site, let_in, hosts=_HOST)[0] == 0
    before = table_of(host), files_of(host)
    # The shared connection goes through the jump host and stays; a new one is refused there.
    site.refuse_logins(_JUMP)
    status, output = deploy(site, {**SHUT, **way(site)}, hosts=_HOST)
    assert "Permission denied" in output, output
    assert (table_of(host), files_of(host)) == before, output
    assert status == 2, output
    assert "no confirmation came within %d seconds" % TIMEOUT in output
    assert "the rules from before are in force" in output
    assert_nothing_waits(host)
