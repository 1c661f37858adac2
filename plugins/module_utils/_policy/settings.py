# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Settings of one host beside its policies: interfaces, published ports, safeguards, logging, layout, defaults."""

from __future__ import annotations

import re
import typing as t

from .._core.errors import Path, Problems, show
from .._core.intervals import IntervalSet
from .._core.ports import PortError, parse_ports
from .model import Action, Layout, LogDropped, Published, Safeguard, Safeguards
from .networks import Networks
from .profiles import PROFILES, Profile
from .reading import (
    INTERFACE,
    as_boolean,
    as_number,
    check_keys,
    read_boolean,
    read_enum,
    read_list,
    read_mapping,
    suggestion,
)

#: Interfaces that container and virtual machine managers make; filtering them would cut what they carry.
INTERFACES_IGNORED = (
    "docker0",
    "br-*",
    "veth*",
    "virbr*",
    "lxdbr*",
    "incusbr*",
    "podman*",
    "cni*",
    "vnet*",
)

_LIMIT = re.compile(r"([1-9][0-9]{0,5})/(second|minute|hour|day)", re.ASCII | re.IGNORECASE)

#: Printable ASCII but for what nft(8) reads inside a quoted string: quotes, backslashes, and the
#: dollar sign, with which the prefix of a log statement names a variable.
_LOG_PREFIX = re.compile(r"[ !#%-\[\]-~]{0,64}", re.ASCII)
_GROUPS = range(65536)
_SAFEGUARDS = ("dns", "ntp", "dhcp", "metadata", "ssh")


def read_profile(value: object, problems: Problems) -> Profile:
    """A profile by name, in any letter case; ``host`` where the value was refused."""
    if value is None:
        return PROFILES["host"]
    if isinstance(value, str) and value.lower() in PROFILES:
        return PROFILES[value.lower()]
    problems.error(
        Path("firewall_profile"),
        "choice",
        "%s is not one of %s%s" % (show(value), ", ".join(PROFILES), suggestion(value, PROFILES, problems)),
    )
    return PROFILES["host"]


def read_default(variable: str, value: object, profile: Profile, problems: Problems) -> t.Optional[Action]:
    """A default action; None means ``auto``."""
    if value is None or (isinstance(value, str) and value.lower() == "auto"):
        return None
    for action in Action:
        if isinstance(value, str) and value.lower() == action.value:
            if action in profile.actions:
                return action
            problems.error(
                Path(variable), "profile", "the profile %s has no default action %s" % (profile.name, action.value)
            )
            return None
    problems.error(Path(variable), "choice", "%s is not one of auto, accept, drop, reject" % show(value))
    return None


def read_interfaces(variable: str, value: object, default: t.Tuple[str, ...], problems: Problems) -> t.Tuple[str, ...]:
    """Interface names; one may end in ``*``. Null means the default, an empty list none."""
    if value is None:
        return default
    if isinstance(value, (list, tuple)) and not value:
        return ()
    found: t.List[str] = []
    for place, item in read_list(value, Path(variable), problems, "interfaces") or ():
        if not isinstance(item, str) or not INTERFACE.fullmatch(item):
            problems.error(
                place,
                "interface",
                "%s is not an interface name (up to 15 characters) such as eth0 or eth*" % show(item),
            )
        elif item == "lo":
            problems.error(place, "interface", "the loopback interface 'lo' is never filtered; leave it out")
        elif item not in found:
            found.append(str(item))
    return tuple(found)


def read_log_dropped(value: object, problems: Problems) -> t.Optional[LogDropped]:
    """``true``, ``false`` or ``{limit, prefix, group}``."""
    place = Path("firewall_log_dropped")
    switched = as_boolean(value)
    if value is None or switched is not None:
        return LogDropped() if switched else None
    mapping = read_mapping(value, place, problems, "true, false or a mapping with limit, prefix and group")
    if mapping is None:
        return None
    check_keys(mapping, ("limit", "prefix", "group"), place, problems)
    rate, unit = _read_limit(mapping.get("limit"), place / "limit", problems)
    return LogDropped(
        rate=rate,
        unit=unit,
        prefix=_read_prefix(mapping.get("prefix"), place / "prefix", problems),
        group=_read_group(mapping.get("group"), place / "group", problems),
    )


def _read_limit(value: object, place: Path, problems: Problems) -> t.Tuple[int, str]:
    if value is None:
        return LogDropped.rate, LogDropped.unit
    matched = _LIMIT.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        problems.error(place, "limit", "%s is not a rate such as 10/second (second, minute, hour or day)" % show(value))
        return LogDropped.rate, LogDropped.unit
    return int(matched.group(1)), matched.group(2).lower()


def _read_prefix(value: object, place: Path, problems: Problems) -> str:
    if value is None:
        return LogDropped.prefix
    if isinstance(value, str) and _LOG_PREFIX.fullmatch(value):
        return str(value)
    problems.error(
        place,
        "prefix",
        "%s is not up to 64 printable ASCII characters without quotes, backslashes and dollar signs" % show(value),
    )
    return LogDropped.prefix


def _read_group(value: object, place: Path, problems: Problems) -> t.Optional[int]:
    if value is None:
        return None
    group = as_number(value, _GROUPS)
    if group is None:
        problems.error(place, "group", "%s is not an nflog group (0-65535)" % show(value))
    return group


def read_layout(value: object, problems: Problems) -> Layout:
    """A layout by name, in any letter case; null means ``auto``."""
    if value is None:
        return Layout.AUTO
    return read_enum(value, Layout, Path("firewall_layout"), problems) or Layout.AUTO


def read_published(value: object, problems: Problems) -> Published:
    """What happens to packets for published ports, in any letter case; null means ``filter``."""
    if value is None:
        return Published.FILTER
    return read_enum(value, Published, Path("firewall_published"), problems) or Published.FILTER


def read_counters(value: object, problems: Problems) -> bool:
    """Whether rules are counted; null means that they are."""
    return read_boolean(value, Path("firewall_counters"), problems, default=True)


def read_safeguards(value: object, networks: Networks, problems: Problems) -> Safeguards:
    """``{dns, ntp, dhcp, metadata, ssh}``, each ``auto`` where it is not given."""
    if value is None:
        return Safeguards()
    place = Path("firewall_safeguards")
    mapping = read_mapping(value, place, problems, "a mapping with dns, ntp, dhcp, metadata and ssh")
    if mapping is None:
        return Safeguards()
    check_keys(mapping, _SAFEGUARDS, place, problems)
    read = {name: _read_safeguard(name, mapping.get(name), networks, place / name, problems) for name in _SAFEGUARDS}
    return Safeguards(**read)


def _read_safeguard(name: str, value: object, networks: Networks, place: Path, problems: Problems) -> Safeguard:
    if value is None or (isinstance(value, str) and value.lower() == "auto"):
        return Safeguard()
    switched = as_boolean(value)
    if switched is not None and (name != "metadata" or not switched):
        return Safeguard(mode="on" if switched else "off")
    if name == "metadata" and switched:
        # Metadata holds secrets, so where it is asked for has to be said.
        problems.error(place, "choice", "%s is not one of auto, false or a list of addresses" % show(value))
        return Safeguard()
    if name == "dhcp":
        problems.error(place, "choice", "%s is not one of auto, true, false" % show(value))
        return Safeguard()
    if isinstance(value, dict):
        if name == "ssh":
            return _read_ssh(value, networks, place, problems)
        problems.error(place, "type", "a mapping is not one of auto, true, false or a list of addresses")
        return Safeguard()
    if isinstance(value, (str, list, tuple)):
        return Safeguard(mode="on", addresses=networks.read_addresses(value, place))
    problems.error(place, "choice", "%s is not one of auto, true, false or a list of addresses" % show(value))
    return Safeguard()


def _read_ssh(value: t.Mapping[object, object], networks: Networks, place: Path, problems: Problems) -> Safeguard:
    check_keys(value, ("ports", "sources"), place, problems)
    ports: t.Optional[IntervalSet] = None
    if value.get("ports") is not None:
        found = []
        for item_place, item in read_list(value["ports"], place / "ports", problems, "ports") or ():
            try:
                found.append(parse_ports(item))
            except PortError as exc:
                problems.error(item_place, exc.code, str(exc))
        ports = IntervalSet(found) if found else None
    sources = value.get("sources")
    addresses = None if sources is None else networks.read_addresses(sources, place / "sources")
    return Safeguard(mode="on", addresses=addresses, ports=ports)
