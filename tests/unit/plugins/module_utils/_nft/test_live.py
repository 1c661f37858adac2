# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listings of the kernel's table, as nft prints them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._nft.live import ListingError, LiveTable, parse_listing
from ansible_collections.palisade.nftables.plugins.module_utils._nft.parts import keys_of
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from tests.nft_versions import NftVersion, nft_parameters

if t.TYPE_CHECKING:
    from ansible_collections.palisade.nftables.plugins.module_utils._compile.table import Table
    from lab.namespaces import Host

LISTING = """\
table inet palisade {
	counter policy/web/0 {
		packets 3 bytes 180
	}

	ct helper sip {
		type "sip" protocol udp
		l3proto inet
	}

	set ports_1 {
		type inet_service
		flags interval
		elements = { 80 comment "web, and { more }", 443,
				8000-8100 }
	}

	chain managed_by_palisade {
	}

	chain input {
		type filter hook input priority filter; policy drop;
		iifname "lo" accept
		goto ingress
	}

	chain ingress {
		comment "by hand"
		tcp dport @ports_1 counter packets 5 bytes 6 accept
	}
}
"""


def test_reads_every_kind_of_block() -> None:
    live = parse_listing(LISTING)
    assert set(live.blocks) == {
        ("counter", "policy/web/0"),
        ("ct helper", "sip"),
        ("set", "ports_1"),
        ("chain", "managed_by_palisade"),
        ("chain", "input"),
        ("chain", "ingress"),
    }
    assert live.declaration == ()
    assert list(live.blocks) == sorted(live.blocks)
    assert live.blocks["chain", "ingress"].lines == (
        'comment "by hand"',
        "tcp dport @ports_1 counter packets 5 bytes 6 accept",
    )


def test_values_of_counters_make_no_difference() -> None:
    counted = LISTING.replace("packets 3 bytes 180", "packets 0 bytes 0")
    stateless = LISTING.replace("\t\tpackets 3 bytes 180\n", "")
    # nft 0.9.8 prints the brace on the line of the values.
    old = LISTING.replace("\t\tpackets 3 bytes 180\n\t}", "\t\tpackets 0 bytes 0\t}")
    assert parse_listing(LISTING) == parse_listing(counted) == parse_listing(stateless) == parse_listing(old)


def test_values_inside_a_rule_do_make_a_difference() -> None:
    assert parse_listing(LISTING) != parse_listing(LISTING.replace("packets 5 bytes 6 ", ""))


def test_the_order_of_creation_makes_no_difference() -> None:
    head, marker, rest = LISTING.partition("\tchain managed_by_palisade {\n\t}\n\n")
    moved = head + rest[: -len("}\n")] + "\n" + marker.rstrip("\n") + "\n}\n"
    assert moved != LISTING
    assert parse_listing(moved) == parse_listing(LISTING)
    assert parse_listing(moved).text() == parse_listing(LISTING).text()


def test_the_normal_form_reads_as_itself() -> None:
    live = parse_listing(LISTING)
    assert parse_listing(live.text()) == live


def test_what_is_said_of_the_table_itself_is_kept() -> None:
    dormant = LISTING.replace("palisade {\n", 'palisade {\n\tflags dormant\n\tcomment "x"\n', 1)
    assert parse_listing(dormant).declaration == ("flags dormant", 'comment "x"')


def test_our_own_words_of_explanation_are_no_part_of_the_table() -> None:
    explained = LISTING.replace("\tchain input {\n", "\t# Where packets come in\n\tchain input {\n\t\t# First\n")
    assert parse_listing(explained) == parse_listing(LISTING)


@pytest.mark.parametrize("comment", ["x\n\t}\n}\n", "x\n}\n", "x\n\tchain y {\n\t}\n", "x\n\t}\n\n\tchain ingress {\n"])
def test_line_breaks_in_a_comment_hide_nothing(comment: str) -> None:
    rule = '\t\ttcp dport 23 accept comment "%s"\n' % comment
    assert parse_listing(LISTING.replace("\t\tgoto ingress\n", "\t\tgoto ingress\n" + rule)) != parse_listing(LISTING)


@pytest.mark.parametrize("text", ["", "table inet other {\n}\n", "table inet palisade {\n\tchain x {\n"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ListingError):
        parse_listing(text)


@pytest.mark.parametrize("nft", nft_parameters())
def test_a_loaded_table_is_read_back(network: Host, table: Table, nft: NftVersion) -> None:
    network.run([*nft.argv, "-f", "-"], input=render_load(table))
    live = parse_listing(network.run([*nft.argv, "-s", "list", "table", "inet", "palisade"]).stdout)
    assert set(live.blocks) == keys_of(table)
    assert {chain.name: len(chain.rules) for chain in table.chains} == {
        chain.name: len(live.blocks["chain", chain.name].lines) - bool(chain.hook) for chain in table.chains
    }
    assert parse_listing(live.text()) == live


@pytest.mark.parametrize("nft", nft_parameters())
def test_the_normal_form_loads_as_what_it_shows(network: Host, table: Table, nft: NftVersion) -> None:
    def listed() -> LiveTable:
        return parse_listing(network.run([*nft.argv, "-s", "list", "table", "inet", "palisade"]).stdout)

    network.run([*nft.argv, "-f", "-"], input=render_load(table))
    live = listed()
    network.run([*nft.argv, "delete", "table", "inet", "palisade"])
    network.run([*nft.argv, "-f", "-"], input=live.text())
    assert listed() == live
