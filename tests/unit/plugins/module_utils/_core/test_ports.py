# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports as they are written."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.palisade.nftables.plugins.module_utils._core.ports import PortError, format_ports, parse_ports
from tests.properties.strategies import anything, deterministic

ACCEPTED = [
    (0, "0"),
    (22, "22"),
    (65535, "65535"),
    ("22", "22"),
    ("0", "0"),
    ("65535", "65535"),
    ("1000-11000", "1000-11000"),
    ("0-65535", "0-65535"),
    ("22-22", "22"),
]
REFUSED = [
    (True, "port", "the boolean 'true' is not a port"),
    (False, "port", "the boolean 'false' is not a port"),
    (-1, "port", "'-1' is not a port (0-65535)"),
    (65536, "port", "'65536' is not a port (0-65535)"),
    ("70000", "port", "'70000' is not a port (0-65535)"),
    ("1-65536", "port", "'1-65536' is not a port (0-65535)"),
    (10**5000, "port", "a number of more than 30 digits"),
    (22.0, "port", "'22.0' is not a port"),
    (float("nan"), "port", "'nan' is not a port"),
    (None, "port", "nothing is not a port"),
    ([22], "port", "a list is not a port"),
    ({"port": 22}, "port", "a mapping is not a port"),
    (b"22", "port", "'bytes' is not a port"),
    (datetime.date(2026, 1, 1), "port", "'date' is not a port"),
    ("", "port", "'' is not a port"),
    ("ssh", "port", "'ssh' is not a port"),
    ("22,80", "port", 'several ports; write a list: ["80", "443"]'),
    ("022", "port", "'022' is not a port"),
    ("0x16", "port", "'0x16' is not a port"),
    ("+22", "port", "'+22' is not a port"),
    ("22 ", "port", "'22 ' is not a port"),
    ("22\n", "port", "'22\\x0a' is not a port"),
    ("٢٢", "port", "'٢٢' is not a port"),
    ("22-", "port", "'22-' is not a port"),
    ("-22", "port", "'-22' is not a port"),
    ("1-2-3", "port", "'1-2-3' is not a port"),
    ("80:90", "port", "'80:90' is not a port"),
    ("9" * 1000, "port", "'9999"),
    ("2000-1000", "port-order", "'2000-1000' is reversed; write '1000-2000'"),
]


@pytest.mark.parametrize(("written", "normal"), ACCEPTED)
def test_accepted(written: object, normal: str) -> None:
    found = parse_ports(written)
    assert format_ports(found) == normal
    assert parse_ports(normal) == found


@pytest.mark.parametrize(("written", "code", "message"), REFUSED, ids=[one[2] for one in REFUSED])
def test_refused(written: object, code: str, message: str) -> None:
    with pytest.raises(PortError) as caught:
        parse_ports(written)
    assert caught.value.code == code
    assert message in str(caught.value)


@deterministic
@given(written=st.one_of(anything(), st.from_regex(r"[0-9]{1,6}(-[0-9]{1,6})?", fullmatch=True)))
def test_anything_is_a_port_or_a_port_error(written: object) -> None:
    message = ""
    try:
        low, high = parse_ports(written)
    except PortError as exc:
        message = str(exc)
    if message:
        assert message.isprintable()
        assert len(message) < 300
        return
    assert 0 <= low <= high <= 65535
    assert str(written) in (str(low), "%d-%d" % (low, high))
