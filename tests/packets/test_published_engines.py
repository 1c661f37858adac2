# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports next to Docker and Podman themselves: they run in a lab host, with userland proxy and without."""

from __future__ import annotations

import contextlib
import pathlib
import typing as t

import pytest

from lab import reexec
from lab.connections import ANSWERED, CONNECTED, FILTERED
from lab.namespaces import Lab

from . import docker, podman
from .docker import Docker
from .podman import Podman
from .published import HOST, POLICY, Scene

#: How Docker's daemon is told to publish. Without IPv6 rules of its own, its proxy alone serves IPv6.
_DOCKER: t.Mapping[str, t.Sequence[str]] = {
    "Docker with the userland proxy": ("--userland-proxy=true", "--experimental", "--ip6tables"),
    "Docker without the userland proxy": ("--userland-proxy=false", "--experimental", "--ip6tables"),
    "Docker, IPv6 by the proxy alone": ("--userland-proxy=true",),
}
_PODMAN = "Podman"
_ADDRESSES = ("--bip=192.0.2.1/24", "--ipv6", "--fixed-cidr-v6=2001:db8:c::/64")


class Docked(t.NamedTuple):
    scene: Scene
    engine: t.Union[Docker, Podman]

    def foreign(self) -> str:
        """The tables of others, without what they count."""
        tables = self.scene.host.run(["nft", "list", "tables"]).stdout.splitlines()
        return "".join(
            self.scene.host.run(["nft", "-s", "list", *table.split()]).stdout
            for table in tables
            if table != "table inet palisade"
        )


@pytest.fixture(scope="module", params=[*_DOCKER, _PODMAN])
def docked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Docked]:
    reason = reexec.why_unavailable()
    if reason is not None:
        pytest.skip("no lab can be built: %s" % reason)
    reexec.ensure_privileges()
    module = podman if request.param == _PODMAN else docker
    reason = module.why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    with Lab() as lab:
        # One address of each family: the proxy answers UDP over IPv6 from whichever the kernel prefers.
        scene = Scene(lab, module.PRIVATE, tuple(HOST.values()))
        data = tmp_path_factory.mktemp("engine")
        with contextlib.closing(scene), _engine(scene, request.param, data) as engine:
            engine.publish("shop", [8080, 8443, 9090, 5353])
            yield Docked(scene, engine)


def _engine(scene: Scene, name: str, data: pathlib.Path) -> t.Union[Docker, Podman]:
    if name == _PODMAN:
        return Podman(scene.host, data)
    return Docker(scene.host, data, (*_ADDRESSES, *_DOCKER[name]))


@pytest.mark.parametrize("family", [4, 6])
def test_without_a_policy_the_port_is_open_to_everybody(docked: Docked, family: int) -> None:
    docked.scene.load({})
    scene = docked.scene
    assert scene.probe(scene.stranger, "tcp", HOST[family], 9090) == CONNECTED
    assert scene.probe(scene.stranger, "udp", HOST[family], 9090) == ANSWERED


@pytest.mark.parametrize("family", [4, 6])
def test_the_policy_decides_who_reaches_a_published_port(docked: Docked, family: int) -> None:
    scene = docked.scene
    scene.load(POLICY)
    seen = [
        scene.probe(client, protocol, address[family], port)
        for client, protocol, address, port in (
            (scene.stranger, "tcp", HOST, 8080),
            (scene.stranger, "tcp", HOST, 8443),
            (scene.office, "tcp", HOST, 8443),
            (scene.office, "tcp", HOST, 9090),
            (scene.stranger, "udp", HOST, 5353),
            (scene.stranger, "udp", HOST, 9090),
        )
    ]
    assert seen == [CONNECTED, FILTERED, CONNECTED, FILTERED, ANSWERED, FILTERED]
    assert scene.packets("policy/shop/0") == 1
    assert scene.packets("policy/shop/1") == 1


@pytest.mark.parametrize("family", [4, 6])
def test_leave_exempts_what_is_forwarded_and_not_what_a_proxy_takes(docked: Docked, family: int) -> None:
    scene = docked.scene
    scene.load({**POLICY, "firewall_published": "leave"})
    tables = scene.host.run(["nft", "list", "tables"]).stdout
    forwarded = {4: "table ip nat", 6: "table ip6 nat"}[family] in tables
    seen = scene.probe(scene.stranger, "tcp", HOST[family], 9090)
    assert seen == (CONNECTED if forwarded else FILTERED)


def test_a_container_that_starts_under_a_policy_is_filtered_and_finds_its_way_out(docked: Docked) -> None:
    scene = docked.scene
    scene.load(POLICY)
    docked.engine.publish("late", [9091])
    try:
        assert scene.probe(scene.stranger, "tcp", HOST[4], 9091) == FILTERED
        scene.load({**POLICY, "firewall_published": "leave"})
        assert scene.probe(scene.stranger, "tcp", HOST[4], 9091) == CONNECTED
    finally:
        docked.engine.run("rm", "--force", "late")


def test_the_rules_of_others_stay_as_they_are(docked: Docked) -> None:
    docked.scene.host.nft("table inet palisade\ndelete table inet palisade\n")
    before = docked.foreign()
    assert "dnat to" in before
    docked.scene.load(POLICY)
    docked.scene.load({**POLICY, "firewall_published": "leave"})
    assert docked.foreign() == before
