# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""What a host said of itself, as ``ruleset_info`` returned it: taken key by key, because it comes from the host."""

from __future__ import annotations

import typing as t

#: Longest list of a host, and longest text in it, that goes into a report: no host may swamp the others.
_MOST_ITEMS = 20_000
_LONGEST_TEXT = 2000

_DRIFTS = ("none", "changed", "absent", "foreign", "unknown")
_FINDINGS = ("exposed", "blocked", "local")


class Live(t.NamedTuple):
    """What was found out on a host.

    Attributes:
        about: Everything but the rules; ``state`` is ``read``, ``unreachable``, ``failed`` or ``not asked``.
        rules: As :func:`.policies.Policies.judge` has them, but without ``ports``; with ``packets``, ``bytes``,
            ``never_hit`` and ``counting_since``. None where no ruleset of ours was read.
    """

    about: t.Dict[str, t.Any]
    rules: t.Optional[t.List[t.Dict[str, t.Any]]]


def read_live(result: object) -> Live:
    """What the result of the task on the host tells; None: there was no such task."""
    if not isinstance(result, dict) or result.get("skipped"):
        return Live(_not_read("not asked", ""), None)
    if result.get("unreachable") or result.get("failed"):
        state = "unreachable" if result.get("unreachable") else "failed"
        return Live(_not_read(state, _text(result.get("msg")) or ""), None)
    found = _mapping(result.get("ruleset"))
    if not found:
        return Live(_not_read("failed", "the host said nothing of its ruleset"), None)
    about = {
        "state": "read",
        "message": "",
        "present": bool(found.get("present")),
        "layout": _text(found.get("layout")),
        "changed_at": _text(found.get("changed_at")),
        "counting_since": _text(found.get("counting_since")),
        "drift": _drift(_mapping(found.get("drift"))),
        "wanted": _wanted(_mapping(found.get("wanted"))),
        "listeners": [_listener(one) for one in _mappings(found.get("listeners"))],
        "open_without_listener": [
            {"protocol": _text(one.get("protocol")), "ports": _text(one.get("ports")), "rule": _text(one.get("rule"))}
            for one in _mappings(found.get("open_without_listener"))
        ],
        "talks_to": [_connection(one) for one in _mappings(found.get("talks_to"))],
        "notes": _texts(found.get("notes")),
    }
    return Live(about, [_rule(one) for one in _mappings(found.get("rules"))] if about["present"] else None)


def _not_read(state: str, message: str) -> t.Dict[str, t.Any]:
    return {
        "state": state,
        "message": message,
        "present": None,
        "layout": None,
        "changed_at": None,
        "counting_since": None,
        "drift": _drift({}),
        "wanted": None,
        "listeners": [],
        "open_without_listener": [],
        "talks_to": [],
        "notes": [],
    }


def _drift(found: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return {
        "state": _word(found.get("state"), _DRIFTS) or "unknown",
        **{key: _texts(found.get(key)) for key in ("missing", "foreign", "changed")},
    }


def _wanted(found: t.Mapping[str, t.Any]) -> t.Optional[t.Dict[str, t.Any]]:
    """Whether what is live is what the policies want; None where that was not asked."""
    equal = found.get("equal")
    return {"equal": equal, "changes": _texts(found.get("changes"))} if isinstance(equal, bool) else None


def _listener(found: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    networks = _mapping(found.get("networks"))
    words = ("protocol", "address", "interface", "process", "user", "outside", "rule")
    return {
        **{key: _text(found.get(key)) for key in words},
        "finding": _word(found.get("finding"), _FINDINGS),
        "port": _count(found.get("port")),
        "pid": _count(found.get("pid")),
        "published": found.get("published") is True,
        "networks": {
            str(name)[:_LONGEST_TEXT]: _text(verdict) for name, verdict in list(networks.items())[:_MOST_ITEMS]
        },
    }


def _connection(found: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return {
        **{key: _text(found.get(key)) for key in ("protocol", "address", "process", "verdict", "rule")},
        **{key: _count(found.get(key)) for key in ("port", "connections", "pid")},
    }


def _rule(found: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    words = ("name", "policy", "variable", "stage", "direction", "action", "text", "description")
    return {
        **{key: _text(found.get(key)) or "" for key in words},
        **{key: _count(found.get(key)) for key in ("index", "packets", "bytes")},
        "never_hit": found.get("never_hit") is True,
        "counting_since": _text(found.get("counting_since")),
    }


def _mapping(value: object) -> t.Mapping[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> t.List[t.Mapping[str, t.Any]]:
    return [one for one in value[:_MOST_ITEMS] if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: object) -> t.List[str]:
    return (
        [one[:_LONGEST_TEXT] for one in value[:_MOST_ITEMS] if isinstance(one, str)] if isinstance(value, list) else []
    )


def _text(value: object) -> t.Optional[str]:
    if isinstance(value, (bool, int)):
        return str(value)
    return value[:_LONGEST_TEXT] if isinstance(value, str) else None


def _word(value: object, words: t.Collection[str]) -> t.Optional[str]:
    return value if isinstance(value, str) and value in words else None


def _count(value: object) -> t.Optional[int]:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
