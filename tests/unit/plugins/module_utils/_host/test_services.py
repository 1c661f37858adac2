# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of services, and switching them off; a program stands in for systemd."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.services import (
    Service,
    ServiceError,
    can_be_masked,
    end_daemon,
    keep_from_starting,
    read_services,
)
from tests.unit.plugins.module_utils._host.host_services import HostServices

FIREWALLD = Service("firewalld", active=True, enabled=True, path="/lib/systemd/system/firewalld.service")


@pytest.fixture
def host(tmp_path: pathlib.Path) -> HostServices:
    return HostServices(tmp_path)


def _read(host: HostServices, *names: str) -> t.Dict[str, Service]:
    return read_services(host.files, names, host.search_path)


def test_systemd_tells_of_those_that_are_installed(host: HostServices) -> None:
    host.install("firewalld", active=True, enabled=True)
    host.install("ufw")
    host.boot_systemd()
    assert _read(host, "firewalld", "csf", "ufw") == {
        "firewalld": FIREWALLD,
        "ufw": Service("ufw", path="/lib/systemd/system/ufw.service"),
    }
    assert host.questions == 1


def test_systemd_is_not_asked_where_nothing_is_installed(host: HostServices) -> None:
    host.boot_systemd()
    assert _read(host, "firewalld", "ufw") == {}
    assert host.questions == 0


def test_a_name_that_leads_to_another_unit_is_not_a_service(host: HostServices) -> None:
    host.install("netfilter-persistent", active=True)
    host.install("iptables")
    host.boot_systemd()
    host.program(
        "systemctl",
        "#!/bin/sh\n# Stands in for systemd.\nprintf 'Id=netfilter-persistent.service\\nActiveState=active\\n'\n",
    )
    assert _read(host, "iptables") == {}


@pytest.mark.parametrize(
    "text",
    [
        "echo 'System has not been booted with systemd as init system' >&2; exit 1",
        "echo garbage; echo; echo garbage",
    ],
)
def test_files_tell_where_systemd_does_not(host: HostServices, text: str) -> None:
    host.install("firewalld")
    host.install("ufw")
    host.link("/etc/systemd/system/multi-user.target.wants/ufw.service", "/lib/systemd/system/ufw.service")
    host.link("/etc/systemd/system/firewalld.service", "/dev/null")
    host.boot_systemd()
    host.program("systemctl", "#!/bin/sh\n# Stands in for systemd.\n%s\n" % text)
    found = _read(host, "firewalld", "ufw", "nftables")
    assert found["ufw"] == Service("ufw", enabled=True, path="/lib/systemd/system/ufw.service")
    assert found["firewalld"].masked
    assert not found["firewalld"].enabled
    assert sorted(found) == ["firewalld", "ufw"]


def test_a_script_of_system_v_under_systemd(host: HostServices) -> None:
    host.write("/etc/init.d/ferm")
    host.write("/etc/init.d/csf")
    host.link("/etc/rc2.d/S01ferm", "../init.d/ferm")
    host.boot_systemd()
    host.program(
        "systemctl",
        "#!/bin/sh\n# Stands in for systemd.\n"
        "printf 'Id=ferm.service\\nUnitFileState=generated\\n\\nId=csf.service\\nUnitFileState=generated\\n'\n",
    )
    assert _read(host, "ferm", "csf") == {"ferm": Service("ferm", enabled=True), "csf": Service("csf")}


def test_the_systemd_of_another_root_is_not_asked(host: HostServices) -> None:
    host.install("firewalld", active=True, enabled=True)
    host.boot_systemd()
    assert not read_services(host.files, ["firewalld"])["firewalld"].active


def test_openrc(host: HostServices) -> None:
    host.write("/etc/init.d/iptables")
    host.write("/etc/init.d/nftables")
    host.link("/etc/runlevels/default/iptables", "/etc/init.d/iptables")
    host.link("/run/openrc/started/iptables", "/etc/init.d/iptables")
    found = _read(host, "iptables", "nftables")
    assert found == {
        "iptables": Service("iptables", active=True, enabled=True, under_systemd=False),
        "nftables": Service("nftables", under_systemd=False),
    }
    host.program("rc-update", '#!/bin/sh\n# Stands in for OpenRC.\necho "$*" >%s/asked\n' % host.root)
    keep_from_starting(host.files, found["iptables"], mask=True, search_path=host.search_path)
    assert host.read("/asked") == "--all del iptables\n"


def test_a_service_is_kept_from_starting_and_not_stopped(host: HostServices) -> None:
    host.install("firewalld", active=True, enabled=True)
    host.boot_systemd()
    keep_from_starting(host.files, FIREWALLD, mask=True, search_path=host.search_path)
    assert host.calls == ["disable firewalld.service", "mask firewalld.service"]
    (service,) = _read(host, "firewalld").values()
    assert service.active
    assert service.masked


def test_what_keeps_a_service_from_starting_survives_a_power_cut(
    host: HostServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.install("firewalld", active=True, enabled=True)
    host.boot_systemd()
    host.write("/etc/systemd/system/other.service", "[Service]\n")
    flushed = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        fsync(descriptor)
        flushed.append((os.readlink("/proc/self/fd/%d" % descriptor), len(host.calls)))

    monkeypatch.setattr(os, "fsync", note)
    keep_from_starting(host.files, FIREWALLD, mask=True, search_path=host.search_path)
    assert flushed == [(host.files.locate("/etc/systemd/system"), 2)]


def test_a_unit_of_the_operator_is_not_masked(host: HostServices) -> None:
    assert can_be_masked(host.files, FIREWALLD)
    host.write("/etc/systemd/system/firewalld.service", "[Service]\n")
    assert not can_be_masked(host.files, FIREWALLD)


def test_a_daemon_is_killed_and_not_stopped(host: HostServices) -> None:
    host.install("firewalld", active=True, enabled=True)
    host.boot_systemd()
    end_daemon(host.files, FIREWALLD, host.search_path)
    assert host.calls == ["kill --signal=SIGKILL firewalld.service", "reset-failed firewalld.service"]
    assert not _read(host, "firewalld")["firewalld"].active


def test_a_refusal_is_told(host: HostServices) -> None:
    host.install("firewalld", active=True, enabled=True)
    host.boot_systemd("mask")
    with pytest.raises(ServiceError, match=r"systemctl mask firewalld\.service failed: .*Access denied"):
        keep_from_starting(host.files, FIREWALLD, mask=True, search_path=host.search_path)
