# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may change the ruleset."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host.privileges import (
    PrivilegeError,
    check_privileges,
)


def _status(tmp_path: pathlib.Path, capabilities: int) -> str:
    path = tmp_path / "status"
    path.write_text("Name:\tpython\nCapPrm:\tffff\nCapEff:\t%016x\nCapBnd:\tffff\n" % capabilities, encoding="ascii")
    return str(path)


ALL = (1 << 41) - 1
NET_ADMIN = 1 << 12


def test_root_with_all_capabilities_may(tmp_path: pathlib.Path) -> None:
    check_privileges(_status(tmp_path, ALL), user=0)


def test_a_user_with_the_capability_may(tmp_path: pathlib.Path) -> None:
    check_privileges(_status(tmp_path, NET_ADMIN), user=1000)


def test_a_user_without_is_told_to_become_root(tmp_path: pathlib.Path) -> None:
    with pytest.raises(PrivilegeError, match="become: true"):
        check_privileges(_status(tmp_path, 0), user=1000)


def test_root_in_a_container_without_is_told_what_the_container_needs(tmp_path: pathlib.Path) -> None:
    with pytest.raises(PrivilegeError, match="CAP_NET_ADMIN, which a container has to be given"):
        check_privileges(_status(tmp_path, ALL & ~NET_ADMIN), user=0)


def test_where_the_kernel_does_not_tell_root_may(tmp_path: pathlib.Path) -> None:
    check_privileges(str(tmp_path / "nowhere"), user=0)
    with pytest.raises(PrivilegeError):
        check_privileges(str(tmp_path / "nowhere"), user=1000)


def test_root_of_a_user_namespace_may(collections_path: pathlib.Path) -> None:
    script = "import sys; sys.path.insert(0, %r)\n" % str(collections_path) + (
        "from ansible_collections.palisade.nftables.plugins.module_utils._host.privileges import check_privileges\n"
        "check_privileges()\nprint('may')\n"
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip("this machine makes no user namespace: %s" % done.stderr.strip())
    assert done.stdout == "may\n", done.stderr


def test_who_only_asks_is_not_told_of_a_change(tmp_path: pathlib.Path) -> None:
    """The modules that read say the same words."""
    with pytest.raises(PrivilegeError, match=r"^reading and changing the ruleset needs root"):
        check_privileges(_status(tmp_path, 0), user=1000)
