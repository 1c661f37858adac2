# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Which chains and maps of a table ask for certain fields of a packet, or lead to one that does."""

from __future__ import annotations

import typing as t

from .table import Field, Lookup, NamedMap, Statement, Table, TableRule, Verdict


class Asking:
    """What of a table asks for fields, seen from one chain.

    Args:
        entry: The chain that packets enter.
        fields: Those asked for.

    Attributes:
        size: How many rules and elements the chains and maps have that ask, of those that the entry leads to.
    """

    def __init__(self, table: Table, entry: str, fields: t.AbstractSet[Field]) -> None:
        self._chains = {chain.name: chain for chain in table.chains}
        self._maps = {named.name: named for named in table.maps}
        self._fields = fields
        self._known_chains: t.Dict[str, bool] = {}
        self._known_maps: t.Dict[str, bool] = {}
        self.size = 0
        self.chain(entry)

    def chain(self, name: str) -> bool:
        """Whether a rule of the chain asks, or leads to one that does."""
        known = self._known_chains.get(name)
        if known is None:
            rules = self._chains[name].rules
            # Every rule is looked at, also behind one that asks: what it leads to counts.
            asking = [rule for rule in rules if self.rule(rule)]
            known = self._known_chains[name] = bool(asking)
            self.size += len(rules) if known else 0
        return known

    def map(self, name: str) -> bool:
        """Whether the map leads to a chain that asks, or has a destination port before another field.

        See :mod:`.published` for the order of ports.
        """
        known = self._known_maps.get(name)
        if known is None:
            named = self._maps[name]
            led = {element.verdict.chain for element in named.elements if element.verdict.chain}
            asking = [chain for chain in led if self.chain(chain)]
            known = self._known_maps[name] = bool(asking) or _moves(named)
            self.size += len(named.elements) if known else 0
        return known

    def rule(self, rule: TableRule) -> bool:
        """Whether the rule asks, or leads to one that does."""
        asking = [statement for statement in rule.statements if self._leads(statement)]
        return bool(asking) or any(match.field in self._fields for match in rule.matches)

    def _leads(self, statement: Statement) -> bool:
        if isinstance(statement, Verdict):
            return bool(statement.chain) and self.chain(statement.chain)
        if isinstance(statement, Lookup):
            leads = self.map(statement.map_name)
            return leads or any(field in self._fields for field in statement.fields)
        return False


def _moves(named: NamedMap) -> bool:
    fields = named.fields
    return Field.SOURCE_PORT in fields and Field.DESTINATION_PORT in fields[:-1]
