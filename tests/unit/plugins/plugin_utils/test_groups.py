# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``group:NAME``: whose addresses, and how often they are looked up."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import stat
import typing as t

import pytest
from ansible import constants as C

from ansible_collections.palisade.nftables.plugins.plugin_utils._groups import GroupAddresses, Groups
from tests.unit.plugins.plugin_utils.controller import Controller

HOSTS = """
all:
  vars:
    vpn: {db1: 198.51.100.21}
  children:
    web:
      hosts:
        explicit: {ansible_host: 192.0.2.1, firewall_addresses: [192.0.2.11, "2001:db8::11"]}
        one: {firewall_addresses: 192.0.2.12}
        parts: {firewall_addresses: [198.51.100.0/28, 203.0.113.5-203.0.113.9]}
        templated: {number: 14, firewall_addresses: ["192.0.2.{{ number }}"]}
        others: {firewall_addresses: "{{ [hostvars['plain'].ansible_host] }}"}
        plain: {ansible_host: 192.0.2.15}
        "2001:db8::16": {}
        named: {ansible_host: web.example.org}
        bare: {}
        tunnelled: {ansible_host: 127.0.0.1, ansible_port: 2222}
        leased: {firewall_addresses: []}
        nulled: {ansible_host: 192.0.2.17, firewall_addresses: null}
    again:
      hosts: {plain: {}, twice: {ansible_host: 192.0.2.15}}
    wrong:
      hosts:
        undefined: {firewall_addresses: ["{{ nowhere }}"]}
        mistaken: {firewall_addresses: [192.0.2.300, web.example.org, 5]}
        mapped: {firewall_addresses: "::ffff:192.0.2.1"}
"""


@pytest.fixture(name="controller")
def fixture_controller(tmp_path: pathlib.Path) -> Controller:
    return Controller(tmp_path / "inventory", {"hosts.yml": HOSTS})


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: pathlib.Path) -> str:
    folder = tmp_path / "run"
    folder.mkdir()
    return str(folder)


def groups_of(controller: Controller, folder: str, *, task: str = "1", batch: t.Sequence[str] = ()) -> Groups:
    variables = controller.task_vars("plain", batch)
    return Groups(variables, controller.templar(variables), task=task, folder=folder)


def test_addresses_of_every_kind_of_member(controller: Controller, folder: str) -> None:
    found = groups_of(controller, folder).addresses("web")
    assert found.addresses == (
        "192.0.2.11",
        "2001:db8::11",
        "192.0.2.12",
        "198.51.100.0/28",
        "203.0.113.5-203.0.113.9",
        "192.0.2.14",
        "192.0.2.15",
        "2001:db8::16",
        "192.0.2.17",
    )
    assert found.missing == ("named", "bare", "tunnelled", "leased")
    assert found.problems == ()


def test_an_address_counts_once(controller: Controller, folder: str) -> None:
    assert groups_of(controller, folder).addresses("again") == GroupAddresses(("192.0.2.15",), ())


def test_problems_name_the_member(controller: Controller, folder: str) -> None:
    problems = [str(problem) for problem in groups_of(controller, folder).addresses("wrong").problems]
    assert problems == [
        "hostvars.undefined.firewall_addresses: 'nowhere' is undefined",
        "hostvars.mistaken.firewall_addresses[0]: '192.0.2.300' is not an address, a prefix or a range",
        "hostvars.mistaken.firewall_addresses[1]: 'web.example.org' is not an address, a prefix or a range",
        "hostvars.mistaken.firewall_addresses[2]: '5' is not an address, a prefix or a range",
        problems[4],
    ]
    assert problems[4].startswith("hostvars.mapped.firewall_addresses: '::ffff:192.0.2.1': an IPv4-mapped IPv6 address")


class Watched(Groups):
    """Counts how often a group is really looked up."""

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self.looked_up: t.List[str] = []

    def _resolve(self, name: str) -> GroupAddresses:
        self.looked_up.append(name)
        return super()._resolve(name)


def watched(controller: Controller, folder: str, **options: t.Any) -> Watched:
    variables = controller.task_vars("plain", options.pop("batch", ()))
    return Watched(variables, controller.templar(variables), folder=folder, **options)


def test_the_second_host_of_a_task_looks_nothing_up(controller: Controller, folder: str) -> None:
    first, second = (watched(controller, folder, task="1", batch=[host]) for host in "ab")
    assert first.addresses("again") == second.addresses("again")
    assert (first.looked_up, second.looked_up) == (["again"], [])


def test_problems_are_shared_too(controller: Controller, folder: str) -> None:
    first, second = (watched(controller, folder, task="1") for _host in "ab")
    assert first.addresses("wrong") == second.addresses("wrong")
    assert second.looked_up == []


def test_another_task_looks_again(controller: Controller, folder: str) -> None:
    assert groups_of(controller, folder, task="1").addresses("again").addresses == ("192.0.2.15",)
    controller.variables.set_nonpersistent_facts("plain", {"firewall_addresses": ["192.0.2.99"]})
    assert groups_of(controller, folder, task="2").addresses("again").addresses == ("192.0.2.99", "192.0.2.15")


def test_what_templates_had_a_part_in_is_looked_up_again_for_the_next_batch(
    controller: Controller, folder: str
) -> None:
    first, same, following = (
        watched(controller, folder, task="1", batch=batch) for batch in (["plain"], ["plain"], ["one"])
    )
    assert first.addresses("web").templated
    same.addresses("web")
    following.addresses("web")
    assert (first.looked_up, same.looked_up, following.looked_up) == (["web"], [], ["web"])


def test_workers_that_start_together_look_up_once(controller: Controller, folder: str) -> None:
    # Ansible's workers are forks too.
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(8), context.Queue()

    def work() -> None:
        groups = watched(controller, folder, task="1")
        barrier.wait()
        answers.put((groups.addresses("web").addresses, groups.looked_up))

    workers = [context.Process(target=work) for _worker in range(8)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=60) for _worker in workers]
    for worker in workers:
        worker.join()
    assert len({addresses for addresses, _looked_up in found}) == 1
    assert sum(len(looked_up) for _addresses, looked_up in found) == 1


def test_a_group_may_have_any_name(controller: Controller, folder: str) -> None:
    for name in ("../x", "a/b", "lock", " "):
        controller.inventory.add_group(name)
        controller.inventory.add_host("plain", group=name)
        assert groups_of(controller, folder).addresses(name).addresses == ("192.0.2.15",)
    assert {os.path.dirname(file) for file in map(os.path.realpath, _files(folder))} == {os.path.realpath(folder)}


def test_files_are_for_the_owner_alone(controller: Controller, folder: str) -> None:
    groups_of(controller, folder).addresses("web")
    (file,) = (name for name in _files(folder) if os.path.getsize(name))
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600


def test_the_runs_own_temporary_folder_is_private() -> None:
    assert stat.S_IMODE(os.stat(C.DEFAULT_LOCAL_TMP).st_mode) == 0o700


def _files(folder: str) -> t.List[str]:
    return [os.path.join(folder, name) for name in os.listdir(folder)]
