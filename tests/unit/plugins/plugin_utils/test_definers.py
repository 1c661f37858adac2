# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who defines a variable: real inventories, with variables in every place that Ansible looks at."""

from __future__ import annotations

import json
import pathlib
import subprocess
import textwrap
import typing as t

import pytest

POLICY = "{ssh: {rules: [{direction: ingress, service: ssh, action: accept}]}}"
OTHER = "{ssh: {rules: [{direction: ingress, protocol: tcp, destination_ports: 22, action: accept}]}}"

HOSTS = """
all:
  hosts:
    web1: {ansible_host: 192.0.2.1}
  children:
    site: {children: {web: {hosts: {web1: }}}}
    blue: {hosts: {web1: }}
"""


class Inventory:
    """An inventory in a folder of its own; playbooks are in another."""

    def __init__(self, folder: pathlib.Path, environment: t.Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self.write("inventory/hosts.yml", HOSTS)
        self.write("inventory/group_vars/all.yml", "firewall_assigned: [ssh]\n")
        (folder / "plays").mkdir()

    def write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def ask(self, *arguments: str) -> t.Dict[str, t.Any]:
        command = ["ansible", "web1", "-i", "inventory/hosts.yml", "--playbook-dir", "plays", *arguments]
        done = subprocess.run(
            [*command, "-m", "palisade.nftables.explain", "-a", json.dumps({"packet": "tcp to port 22"})],
            cwd=self._folder,
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        answer = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index(" => ") + 4 :])[0]
        return t.cast("t.Dict[str, t.Any]", answer)


@pytest.fixture(name="inventory")
def fixture_inventory(tmp_path: pathlib.Path, ansible_environment: t.Dict[str, str]) -> Inventory:
    return Inventory(tmp_path, ansible_environment)


@pytest.mark.parametrize(
    ("file", "definer"),
    [
        ("inventory/group_vars/all.yml", "group all"),
        ("inventory/group_vars/site.yml", "group site"),
        ("inventory/group_vars/web/firewall.yml", "group web"),
        ("inventory/host_vars/web1.yml", "host web1"),
        ("plays/group_vars/blue.yml", "group blue"),
        ("plays/host_vars/web1/main.yml", "host web1"),
    ],
)
def test_each_place_of_files(inventory: Inventory, file: str, definer: str) -> None:
    inventory.write(file, "firewall_policies: %s\nfirewall_assigned: [ssh]\n" % POLICY)
    answer = inventory.ask()
    assert (answer["defined_by"], answer["assigned_by"]) == (definer, definer)
    assert (
        "because: ssh[0] of firewall_policies (%s), assigned at firewall_assigned[0] (%s)"
        % (
            definer,
            definer,
        )
        in answer["text"]
    )


def test_the_inventory_itself(inventory: Inventory) -> None:
    hosts = HOSTS.replace("site: {", "site: {vars: {firewall_policies: %s}, " % POLICY)
    inventory.write("inventory/hosts.yml", hosts)
    assert inventory.ask()["defined_by"] == "group site"
    inventory.write(
        "inventory/hosts.yml", HOSTS.replace("{ansible_host", "{firewall_policies: %s, ansible_host" % POLICY)
    )
    assert inventory.ask()["defined_by"] == "host web1"


def test_the_one_that_takes_precedence_is_named(inventory: Inventory) -> None:
    inventory.write("inventory/group_vars/site.yml", "firewall_policies: %s\n" % OTHER)
    inventory.write("inventory/group_vars/web.yml", "firewall_policies: %s\n" % POLICY)
    inventory.write("plays/group_vars/all.yml", "firewall_policies: %s\n" % OTHER)
    answer = inventory.ask()
    assert (answer["rule"], answer["defined_by"]) == ("accept tcp port 22", "group web")


def test_of_what_comes_from_elsewhere_only_the_variable_is_said(inventory: Inventory) -> None:
    inventory.write("inventory/group_vars/web.yml", "firewall_policies: %s\n" % OTHER)
    answer = inventory.ask("-e", json.dumps({"firewall_policies": {"ssh": {"rules": []}}, "firewall_assigned": []}))
    assert answer["defined_by"] == ""
    assert "(group" not in answer["text"]
    extra = inventory.ask("-e", "{firewall_policies: %s}" % POLICY)
    assert (extra["variable"], extra["defined_by"], extra["assigned_by"]) == ("firewall_policies", "", "group all")
    assert "ssh[0] of firewall_policies, assigned at firewall_assigned[0] (group all)" in extra["text"]


def test_a_variable_with_a_template(inventory: Inventory) -> None:
    inventory.write(
        "inventory/group_vars/web.yml", "port: 22\nfirewall_policies: %s\n" % OTHER.replace(" 22", ' "{{ port }}"')
    )
    assert inventory.ask()["defined_by"] == "group web"
