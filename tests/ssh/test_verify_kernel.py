# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy tests put to the kernel of a host, by a controller that can make no network namespace itself."""

from __future__ import annotations

import typing as t

from lab.site import open_site

from .deploying import OPEN, files_of, needs_logins, table_of

pytestmark = needs_logins

_HOST = "web"
_WITHOUT_NAMESPACES = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
_TESTS: t.Sequence[t.Dict[str, t.Any]] = (
    {"service": ["ssh", "https"], "expect": "accept"},
    {"protocol": "tcp", "port": "8000-8100", "expect": "refused"},
)


def test_the_kernel_of_the_host_is_asked_and_nothing_on_it_changes() -> None:
    with open_site([_HOST]) as site:
        site.write_inventory({**OPEN, "firewall_tests": list(_TESTS)})
        host = site.hosts[_HOST]
        before = files_of(host)

        done = site.run_playbook(
            "palisade.nftables.validate", "-v", "-e", "firewall_verify_kernel=true", prefix=_WITHOUT_NAMESPACES
        )

        assert done.returncode == 0, done.stdout + done.stderr
        for number in range(2):
            line = next(text for text in done.stderr.splitlines() if "firewall_tests[%d]" % number in text)
            assert line.startswith("ok "), line
            assert "the kernel agrees on" in line
        assert table_of(host) == ""
        assert files_of(host) == before
        assert host.run(["nft", "list", "ruleset"]).stdout == ""
