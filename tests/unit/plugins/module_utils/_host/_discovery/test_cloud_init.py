# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata servers, in the layouts that cloud-init leaves on clouds, on a bare host and in between."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import Server

if t.TYPE_CHECKING:
    from .conftest import Host

TCP = ("tcp",)
LINK_LOCAL = "169.254.169.254"
RESULT = "/run/cloud-init/result.json"


def at(address: str, port: int = 80) -> Server:
    return Server(address, port, TCP)


def run_cloud_init(host: Host, datasource: str, subplatform: str = "") -> None:
    """The files of a boot in which cloud-init used the data source."""
    host.write("/etc/cloud/cloud.cfg", "users:\n   - default\n")
    host.write("/var/lib/cloud/data/result.json", json.dumps({"v1": {"datasource": datasource, "errors": []}}))
    host.link(RESULT, "../../var/lib/cloud/data/result.json")
    if subplatform:
        instance = {"ds": {}, "v1": {"platform": "x", "subplatform": subplatform}}
        host.write("/run/cloud-init/instance-data.json", json.dumps(instance, indent=1))


def metadata_notes(host: Host) -> t.List[str]:
    return [note for note in host.facts().notes if note.startswith("metadata: ")]


def test_no_cloud_init(host: Host) -> None:
    assert host.facts().metadata_servers == ()
    assert metadata_notes(host) == []


class TestUsed:
    @pytest.mark.parametrize(
        ("datasource", "expected"),
        [
            ("DataSourceEc2Local", (at(LINK_LOCAL), at("fd00:ec2::254"))),
            ("DataSourceEc2", (at(LINK_LOCAL), at("fd00:ec2::254"))),
            ("DataSourceHetzner", (at(LINK_LOCAL), at("fe80::a9fe:a9fe"))),
            ("DataSourceOpenStackLocal [net,ver=2]", (at(LINK_LOCAL), at("fe80::a9fe:a9fe"))),
            ("DataSourceGCELocal", (at(LINK_LOCAL), at("fd20:ce::254"))),
            ("DataSourceAzure [seed=/dev/sr0]", (at("168.63.129.16"), at(LINK_LOCAL))),
            ("DataSourceDigitalOcean", (at(LINK_LOCAL),)),
            ("DataSourceOracle", (at(LINK_LOCAL), at("fd00:c1::a9fe:a9fe"))),
            ("DataSourceScaleway", (at("169.254.42.42"), at("fd00:42::42"))),
            ("DataSourceExoscale", (at(LINK_LOCAL), at(LINK_LOCAL, 8080))),
            ("DataSourceAliYun", (at("100.100.100.200"),)),
            ("DataSourceNWCS", (at(LINK_LOCAL),)),
        ],
    )
    def test_of_a_cloud(self, host: Host, datasource: str, expected: t.Tuple[Server, ...]) -> None:
        run_cloud_init(host, datasource)
        assert host.facts().metadata_servers == expected

    @pytest.mark.parametrize(
        "datasource",
        [
            "DataSourceNoCloud [seed=/dev/sr0]",
            "DataSourceNoCloudNet [seed=/var/lib/cloud/seed/nocloud-net]",
            "DataSourceConfigDrive [net,ver=2][source=/dev/sr0]",
            "DataSourceOpenNebula [seed=/dev/sr0][dsmode=net]",
            "DataSourceLXD",
            "DataSourceVMware [seed=None]",
            "DataSourceNone",
        ],
    )
    def test_of_a_disk_or_a_device(self, host: Host, datasource: str) -> None:
        run_cloud_init(host, datasource, "config-disk (/dev/sr0)")
        assert host.facts().metadata_servers == ()
        assert len(metadata_notes(host)) == 1
        assert "is not on the network" in metadata_notes(host)[0]

    def test_what_was_found_is_said(self, host: Host) -> None:
        run_cloud_init(host, "DataSourceHetzner")
        assert metadata_notes(host) == [
            "metadata: 169.254.169.254 port 80 (tcp), for cloud-init's data source Hetzner (%s)" % RESULT,
            "metadata: fe80::a9fe:a9fe port 80 (tcp), for cloud-init's data source Hetzner (%s)" % RESULT,
        ]

    def test_which_address_answered_changes_nothing(self, host: Host) -> None:
        run_cloud_init(host, "DataSourceEc2Local", "metadata (http://[fd00:ec2::254])")
        assert host.facts().metadata_servers == (at(LINK_LOCAL), at("fd00:ec2::254"))

    def test_a_cloud_that_speaks_the_protocol_of_another(self, host: Host) -> None:
        run_cloud_init(host, "DataSourceEc2Local", "metadata (http://192.0.2.80:8773)")
        assert host.facts().metadata_servers == (at(LINK_LOCAL), at("192.0.2.80", 8773), at("fd00:ec2::254"))

    def test_a_zone_is_dropped(self, host: Host) -> None:
        run_cloud_init(host, "DataSourceHetzner", "metadata (http://[fe80::a9fe:a9fe%25eth0]/hetzner/v1/metadata)")
        assert host.facts().metadata_servers == (at(LINK_LOCAL), at("fe80::a9fe:a9fe"))

    @pytest.mark.parametrize(
        ("datasource", "subplatform", "expected"),
        [
            ("DataSourceMAAS", "seed-dir (http://192.0.2.5:5240/MAAS/metadata/)", (at("192.0.2.5", 5240),)),
            ("DataSourceNoCloudNet [seed=https://192.0.2.5/seed/]", "", (at("192.0.2.5", 443),)),
            ("DataSourceCloudStack", "metadata (http://192.0.2.1/)", (at("192.0.2.1"), at("192.0.2.1", 8080))),
        ],
    )
    def test_an_address_that_only_the_host_knows(
        self, host: Host, datasource: str, subplatform: str, expected: t.Tuple[Server, ...]
    ) -> None:
        run_cloud_init(host, datasource, subplatform)
        assert host.facts().metadata_servers == expected

    @pytest.mark.parametrize(
        ("datasource", "subplatform"),
        [
            ("DataSourceMAAS", "seed-dir (http://maas.example:5240/MAAS/metadata/)"),
            ("DataSourceMAAS", "seed-dir (http://192.0.2.5:99999/)"),
            ("DataSourceMAAS", "seed-dir (http://[192.0.2.5/)"),
            ("DataSourceNoCloudNet [seed=http://seed.example/]", ""),
            ("DataSourceCloudStack", "unknown"),
        ],
    )
    def test_a_name_opens_nothing_and_is_said(self, host: Host, datasource: str, subplatform: str) -> None:
        run_cloud_init(host, datasource, subplatform)
        assert host.facts().metadata_servers == ()
        assert "is not known; allow it in a policy" in metadata_notes(host)[0]

    def test_before_the_end_of_the_boot_its_status_tells(self, host: Host) -> None:
        host.write("/run/cloud-init/status.json", '{"v1": {"datasource": "DataSourceVultr", "stage": "init"}}')
        host.write("/var/lib/cloud/data/result.json", '{"v1": {"datasource": "DataSourceScaleway"}}')
        assert host.facts().metadata_servers == (at(LINK_LOCAL),)

    def test_what_an_earlier_boot_used_counts_where_this_one_says_nothing(self, host: Host) -> None:
        host.write("/etc/cloud/cloud.cfg", "")
        host.write("/var/lib/cloud/data/result.json", '{"v1": {"datasource": "DataSourceVultr"}}')
        assert host.facts().metadata_servers == (at(LINK_LOCAL),)

    def test_what_a_removed_cloud_init_used_does_not_count(self, host: Host) -> None:
        host.write("/var/lib/cloud/data/result.json", '{"v1": {"datasource": "DataSourceVultr"}}')
        assert host.facts().metadata_servers == ()

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "null",
            "[]",
            "{",
            '{"v1": []}',
            '{"v1": {"datasource": null}}',
            '{"v1": {"datasource": "x"}}',
            "[" * 99999,
        ],
    )
    def test_a_result_that_is_none(self, host: Host, text: str) -> None:
        host.write(RESULT, text)
        host.write("/run/cloud-init/instance-data.json", text)
        assert host.facts().metadata_servers == ()
        host.write("/run/cloud-init/status.json", '{"v1": {"datasource": "DataSourceVultr"}}')
        assert host.facts().metadata_servers == (at(LINK_LOCAL),)


class TestSwitchedOff:
    @pytest.mark.parametrize("path", ["/etc/cloud/cloud-init.disabled", "/run/cloud-init/disabled"])
    def test_by_a_file(self, host: Host, path: str) -> None:
        run_cloud_init(host, "DataSourceHetzner")
        host.write(path, "")
        assert host.facts().metadata_servers == ()
        assert metadata_notes(host) == ["metadata: none, because cloud-init is switched off"]

    def test_at_boot(self, host: Host) -> None:
        run_cloud_init(host, "DataSourceHetzner")
        host.write("/proc/cmdline", "root=/dev/vda1 ro cloud-init=disabled quiet\n")
        assert host.facts().metadata_servers == ()


class TestNotRunYet:
    HETZNER = (at(LINK_LOCAL), at("fe80::a9fe:a9fe"))

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("datasource_list: [ Hetzner, None ]\n", HETZNER),
            ("datasource_list: ['Hetzner']  # ours\n", HETZNER),
            ("datasource_list:\n  - Hetzner\n\n  - None\nusers:\n  - default\n", HETZNER),
            ("datasource_list: [\n  Hetzner,\n  None\n]\nusers: [ default ]\n", HETZNER),
            ("datasource_list: [ Hetzner, Ec2 ]\n", ()),
            ("datasource_list: [ NoCloud, None ]\n", ()),
            ("datasource_list: [ ]\n", ()),
            ("#datasource_list: [ Hetzner ]\n", ()),
            ("datasource:\n  Hetzner:\n    retries: 60\n", ()),
        ],
    )
    @pytest.mark.parametrize("path", ["/run/cloud-init/cloud.cfg", "/etc/cloud/cloud.cfg.d/90_dpkg.cfg"])
    def test_a_list_with_one_that_is_meant(
        self, host: Host, path: str, text: str, expected: t.Tuple[Server, ...]
    ) -> None:
        host.write("/etc/cloud/cloud.cfg", "datasource_list: [ Ec2, Vultr ]\n")
        host.write(path, text)
        assert host.facts().metadata_servers == expected

    def test_later_files_count_and_those_that_ds_identify_wrote_more(self, host: Host) -> None:
        host.write("/etc/cloud/cloud.cfg", "datasource_list: [ Ec2 ]\n")
        host.write("/etc/cloud/cloud.cfg.d/10.cfg", "datasource_list: [ Vultr ]\n")
        host.write("/etc/cloud/cloud.cfg.d/20.cfg", "datasource_list: [ Scaleway ]\n")
        host.write("/etc/cloud/cloud.cfg.d/30.cfg.dpkg-old", "datasource_list: [ Ec2 ]\n")
        assert host.facts().metadata_servers == (at("169.254.42.42"), at("fd00:42::42"))
        host.write("/etc/cloud/ds-identify.cfg", "policy: search\ndatasource: AliYun\n")
        assert host.facts().metadata_servers == (at("100.100.100.200"),)
        host.write("/run/cloud-init/cloud.cfg", "datasource_list: [ NoCloud, None ]\n")
        assert host.facts().metadata_servers == ()

    def test_unknown(self, host: Host) -> None:
        host.write("/etc/cloud/cloud.cfg", "users:\n   - default\n")
        assert host.facts().metadata_servers == ()
        assert metadata_notes(host) == [
            "metadata: none, because cloud-init has not run, and its data source is not known"
        ]
