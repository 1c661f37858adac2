# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON Schema beside the parser, and a controller without jsonschema."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.plugin_utils import _jsonschema
from ansible_collections.palisade.nftables.plugins.plugin_utils._jsonschema import check_schema, load_schema


def test_what_the_parser_takes_passes() -> None:
    variables: t.Dict[str, t.Any] = {
        "firewall_policies_web": {
            "web": {"rules": [{"direction": "ingress", "service": "https", "sources": ["office"], "action": "accept"}]}
        },
        "firewall_assigned": ["web"],
        "firewall_networks": {"office": ["198.51.100.0/24"]},
        "firewall_state": "present",
    }
    assert check_schema(variables) == []


def test_what_it_refuses_has_a_place_and_a_bounded_message() -> None:
    rules = [{"direction": "ingress", "destination_ports": ["80-70"], "protocol": "tcp", "action": "x" * 100_000}]
    found = check_schema({"firewall_policies": {"web": {"rules": rules}}})
    assert found
    assert all(one.place.startswith("firewall_policies.web") for one in found)
    assert all(one.message.startswith("the JSON Schema refuses") and len(one.message) < 250 for one in found)


def test_formats_are_checked() -> None:
    assert check_schema({"firewall_networks": {"office": ["198.51.100.9-198.51.100.1"]}})


def test_without_jsonschema_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jsonschema, "HAS_JSONSCHEMA", False)
    assert check_schema({"firewall_policies": 5}) is None


def test_the_schema_ships_with_the_plugins() -> None:
    assert load_schema()["type"] == "object"
