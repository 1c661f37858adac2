# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables: by Palisade, by hand, by ``nft -o`` and by Aerleon."""

from __future__ import annotations

import functools
import json
import pathlib
import subprocess
import tempfile
import typing as t

from ansible_collections.palisade.nftables.plugins.module_utils._compile.compile import compile_program
from ansible_collections.palisade.nftables.plugins.module_utils._nft.text import render_load
from ansible_collections.palisade.nftables.plugins.module_utils._policy.model import Layout
from ansible_collections.palisade.nftables.plugins.module_utils._policy.parse import parse_firewall
from ansible_collections.palisade.nftables.plugins.module_utils._policy.program import build_program
from lab.namespaces import Host

from .contender import Contender, UnableError, run, summary
from .policy import Prefix, Rule, role_variables

_CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
_AERLEON = _CHECKOUT / ".cache" / "venvs" / "aerleon" / "bin" / "aclgen"
_NEWER_NFT = _CHECKOUT / ".cache" / "nft" / "trixie" / "nft"
_AERLEON_SECONDS = 90.0

_BY_HAND = """\
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    ct state invalid drop
    iif lo accept
    icmp type echo-request accept
    icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
%s
  }
}
"""


def palisade_text(rules: t.Sequence[Rule], layout: Layout, *, counters: bool) -> str:
    """What the role loads."""
    program = build_program(parse_firewall(role_variables(rules)))
    return render_load(compile_program(program, layout=layout, counters=counters))


def by_hand_text(rules: t.Sequence[Rule]) -> str:
    """One rule after another, as one would write them."""
    return _BY_HAND % "\n".join("    " + _by_hand_rule(rule) for rule in rules)


def _by_hand_rule(rule: Rule) -> str:
    source = "" if rule.source is None else "ip saddr %s " % rule.source
    return "%s%s dport %s %s" % (source, rule.protocol, rule.ports(), "accept" if rule.accept else "drop")


def _load_palisade(layout: Layout, counters: bool, host: Host, rules: t.Sequence[Rule]) -> float:
    return run(host, ["nft", "-f", "-"], palisade_text(rules, layout, counters=counters))


def _load_by_hand(options: t.Sequence[str], host: Host, rules: t.Sequence[Rule]) -> float:
    return run(host, [*options, "-f", "-"], by_hand_text(rules))


def _load_newer(host: Host, rules: t.Sequence[Rule]) -> float:
    if not _NEWER_NFT.exists():
        note = _NEWER_NFT.with_name("reason")
        raise UnableError(note.read_text(encoding="utf-8").strip() if note.exists() else "nft 1.1.3 was not fetched")
    return _load_by_hand([str(_NEWER_NFT), "-o"], host, rules)


def _aerleon_text(rules: t.Sequence[Rule]) -> str:
    """What aclgen makes of the policy.

    A filter for IPv4, and one for IPv6 with what names no address: a filter for both would have each rule twice.

    Raises:
        UnableError: It is not there, refused the policy, or took too long.
    """
    if not _AERLEON.exists():
        raise UnableError("Aerleon is not installed; `make bench` installs it")
    services = {_port_name(rule): [{"protocol": rule.protocol, "port": rule.ports()}] for rule in rules}
    sources = {rule.source for rule in rules if rule.source is not None}
    networks = {_network_name(source): {"values": [{"address": source.cidr}]} for source in sources}
    numbered = [(rule, _term(number, rule)) for number, rule in enumerate(rules)]
    filters = [
        _filter("inet", [term for _rule, term in numbered]),
        _filter("inet6", [term for rule, term in numbered if rule.source is None]),
    ]
    with tempfile.TemporaryDirectory(prefix="palisade-bench-") as name:
        folder = pathlib.Path(name)
        for part in ("definitions", "policies/pol", "output"):
            (folder / part).mkdir(parents=True)
        # JSON is YAML.
        _write(folder / "definitions" / "networks.yaml", {"networks": networks})
        _write(folder / "definitions" / "services.yaml", {"services": services})
        _write(folder / "policies" / "pol" / "server.yaml", {"filters": [one for one in filters if one["terms"]]})
        _run_aclgen(folder)
        return (folder / "output" / "server.nft").read_text(encoding="utf-8")


def _run_aclgen(folder: pathlib.Path) -> None:
    command = [str(_AERLEON), "--base_directory", "policies", "--definitions_directory", "definitions"]
    try:
        done = subprocess.run(
            [*command, "--output_directory", "output"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_AERLEON_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise UnableError("aclgen took more than %.0f s" % _AERLEON_SECONDS) from exc
    if done.returncode != 0 or not (folder / "output" / "server.nft").exists():
        raise UnableError("aclgen: %s" % summary(done.stderr))


def _filter(family: str, terms: t.List[t.Dict[str, object]]) -> t.Dict[str, object]:
    return {"header": {"targets": {"nftables": family + " input"}}, "terms": terms}


def _term(number: int, rule: Rule) -> t.Dict[str, object]:
    term: t.Dict[str, object] = {
        "name": "rule-%d" % number,
        "protocol": rule.protocol,
        "destination-port": _port_name(rule),
        "action": "accept" if rule.accept else "deny",
    }
    if rule.source is not None:
        term["source-address"] = _network_name(rule.source)
    return term


def _port_name(rule: Rule) -> str:
    return "PORT_%s_%s" % (rule.protocol.upper(), rule.ports("_"))


def _network_name(source: Prefix) -> str:
    return "NET_" + source.cidr.replace(".", "_").replace("/", "_")


def _write(path: pathlib.Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _load_aerleon(host: Host, rules: t.Sequence[Rule]) -> float:
    return run(host, ["nft", "-f", "-"], _aerleon_text(rules))


AUTO = Contender(
    "auto",
    "Palisade",
    functools.partial(_load_palisade, Layout.AUTO, True),
    "The role's variables, layout `auto`, a counter for each rule.",
)

CONTENDERS = (
    AUTO,
    Contender(
        "auto-uncounted",
        "Palisade without counters",
        functools.partial(_load_palisade, Layout.AUTO, False),
        "The same with `firewall_counters: false`.",
    ),
    Contender(
        "ordered",
        "Palisade, layout ordered",
        functools.partial(_load_palisade, Layout.ORDERED, True),
        "The same with `firewall_layout: ordered`: one nft rule after another.",
    ),
    Contender(
        "nft",
        "nft by hand",
        functools.partial(_load_by_hand, ["nft"]),
        "One rule after another in one chain, without counters.",
    ),
    Contender(
        "nft-o",
        "nft -o",
        functools.partial(_load_by_hand, ["nft", "-o"]),
        "`nft -o -f` of the same text.",
    ),
    Contender("nft-o-newer", "nft 1.1.3 -o", _load_newer, "`nft -o -f` of the same text, by the nft of Debian 13."),
    Contender(
        "aerleon", "Aerleon", _load_aerleon, "A term for each rule; `aclgen` makes nftables of it, `nft -f` loads it."
    ),
)
