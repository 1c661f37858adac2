# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed connection proves: only the word of the host's own sshd says that the way in is open."""

from __future__ import annotations

import pytest

from ansible_collections.palisade.nftables.plugins.plugin_utils._confirmation import sshd_answered

_FAILED = "Failed to connect to the host via ssh: "
_DENIED = "root@192.0.2.9: Permission denied (publickey,keyboard-interactive)."
_TOO_MANY = "Received disconnect from {0}:2: Too many authentication failures\nDisconnected from {0}"

#: What a jump host says that refuses, and what ssh says then: versions 9.2, 8.4 and 7.9.
_JUMP_DENIED = "jump@192.0.2.1: Permission denied (publickey)."
_NOTHING_CAME = (
    "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535",
    "kex_exchange_identification: Connection closed by remote host",
    "ssh_exchange_identification: Connection closed by remote host",
)


@pytest.mark.parametrize(
    "complaint",
    [
        _DENIED,
        "root@192.0.2.9: Permission denied ().",
        "Warning: Permanently added '192.0.2.9' (ED25519) to the list of known hosts.\r\n%s\r\n" % _DENIED,
        _TOO_MANY.format("192.0.2.9 port 22"),
        # Through a jump host.
        _TOO_MANY.format("UNKNOWN port 65535"),
        # One jump host refused, and another one did not.
        "%s\n%s" % (_JUMP_DENIED, _DENIED),
    ],
)
def test_a_refusal_of_the_hosts_sshd_is_an_answer(complaint: str) -> None:
    assert sshd_answered(_FAILED + complaint)


@pytest.mark.parametrize(
    "complaint",
    [
        "ssh: connect to host 192.0.2.9 port 22: Connection timed out",
        # An ICMPv6 error "administratively prohibited" is EACCES to connect(2).
        "ssh: connect to host 2001:db8::9 port 22: Permission denied",
        "Identity file /srv/k not accessible: Permission denied.\nssh: connect to host 192.0.2.9 port 22: timed out",
        'Load key "/srv/key": Permission denied\nConnection closed by 192.0.2.9 port 22',
        *("%s\n%s" % (_JUMP_DENIED, words) for words in _NOTHING_CAME),
        *("%s\n%s" % (_TOO_MANY.format("192.0.2.1 port 22"), words) for words in _NOTHING_CAME),
        "Authentication failed.",
        "",
    ],
)
def test_any_other_failure_is_none(complaint: str) -> None:
    assert not sshd_answered(_FAILED + complaint)
