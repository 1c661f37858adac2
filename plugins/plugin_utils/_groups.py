# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""What ``group:NAME`` stands for: the addresses of the members of an inventory group.

Every host whose policy names a group needs the same answer, and finding it means building the variables
of every member. Ansible runs each host's task in a process of its own, forked from the one that holds
the inventory, so the answer is shared through files: 500 hosts that name a group of 500 cost one
resolution, not 500.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleValueOmittedError

from ..module_utils._core.addresses import AddressError, parse_range
from ..module_utils._core.errors import Path, Problem, Problems, show
from ._plain import is_bounded, to_plain

if t.TYPE_CHECKING:
    from ansible.template import Templar

#: Addresses that say how the controller reaches a host, through a tunnel for example, and not where
#: its packets come from: 0.0.0.0/8, 127.0.0.0/8 (RFC 1122, 3.2.1.3), ::, ::1 and fe80::/10 (RFC 4291).
_NOT_A_SENDER = tuple(
    found
    for found in (parse_range(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "::/127", "fe80::/10"))
    if found is not None
)


class GroupAddresses(t.NamedTuple):
    """Of one group.

    Attributes:
        addresses: Addresses, prefixes and ranges of all members, each once, in the inventory's order.
        missing: Names of members of which no address is known.
        problems: What is wrong with members' variables.
        templated: An answer that templates had a part in, so that facts may change it.
    """

    addresses: t.Tuple[str, ...]
    missing: t.Tuple[str, ...]
    problems: t.Tuple[Problem, ...] = ()
    templated: bool = False


class Groups:
    """Resolves inventory groups, each once per task however many hosts ask.

    The files live in the temporary folder of the run, which ansible-core makes for itself with mode
    0700, passes on to every worker by forking, and removes when it ends. Their names carry the task's
    identity: the same for all hosts and batches of a task, another one in another play. An answer that
    templates had a part in is also bound to the batch, because with ``serial`` the facts of the next
    batch are gathered in between.

    Args:
        task_vars: Variables of the task, as an action plugin receives them.
        templar: Of the action plugin.
        task: Identity of the task.
        folder: Where the files go.
    """

    def __init__(
        self,
        task_vars: t.Mapping[str, t.Any],
        templar: Templar,
        *,
        task: str,
        folder: t.Optional[str] = None,
    ) -> None:
        self._members: t.Mapping[str, t.Sequence[str]] = task_vars.get("groups") or {}
        self._hostvars = task_vars.get("hostvars")
        self._templar = templar
        self._batch = json.dumps([str(host) for host in task_vars.get("ansible_play_batch") or ()])
        self._task = task
        self._folder: str = C.DEFAULT_LOCAL_TMP if folder is None else folder

    def names(self) -> t.List[str]:
        """Every group of the inventory."""
        return [str(name) for name in self._members]

    def addresses(self, name: str) -> GroupAddresses:
        """The addresses of a group of the inventory."""
        files = (self._file(name), self._file(name, self._batch))
        found = _read_first(files)
        if found is not None:
            return found
        # No group has an empty name.
        with open(self._file(""), "w", encoding="utf-8") as lock:
            # Workers start at once; one computes, the others wait and read. The kernel takes the lock
            # back when a worker dies.
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = _read_first(files)
            if found is None:
                found = self._resolve(name)
                _write(files[1] if found.templated else files[0], found)
        return found

    def own_addresses(self, host: str) -> t.Dict[int, int]:
        """The first single address of a host in each family; what is wrong with its variables is left out."""
        found: t.Dict[int, int] = {}
        for text in self.all_addresses(host):
            one = parse_range(text)
            if one is not None and one.low == one.high:
                found.setdefault(one.family, one.low)
        return found

    def all_addresses(self, host: str) -> t.List[str]:
        """Addresses, prefixes and ranges of a host, as its groups have them; what is wrong with them is left out."""
        return _Member(host, self._hostvars, self._templar, Problems()).addresses()

    def _file(self, name: str, batch: str = "") -> str:
        digest = hashlib.sha256(json.dumps([self._task, name, batch]).encode()).hexdigest()
        return os.path.join(self._folder, "palisade-group-%s" % digest[:32])

    def _resolve(self, name: str) -> GroupAddresses:
        addresses: t.Dict[str, None] = {}
        missing: t.List[str] = []
        problems = Problems()
        templated = False
        for host in self._members[name]:
            member = _Member(str(host), self._hostvars, self._templar, problems)
            found = member.addresses()
            templated = templated or member.templated
            addresses.update(dict.fromkeys(found))
            if not found:
                missing.append(str(host))
        return GroupAddresses(tuple(addresses), tuple(missing), tuple(problems.errors), templated)


class _Member:
    """One host of a group, seen with its own variables."""

    def __init__(self, host: str, hostvars: t.Any, templar: Templar, problems: Problems) -> None:
        self.templated = False
        self._host = host
        self._problems = problems
        self._place = Path("hostvars") / host
        self._variables: t.Dict[str, t.Any] = hostvars.raw_get(host)
        self._hostvars = hostvars
        self._templar = templar

    def addresses(self) -> t.List[str]:
        """``firewall_addresses``, else the first name that Ansible has for the host which is an address."""
        wanted = self._value("firewall_addresses")
        if wanted is not None:
            return self._checked(wanted)
        for variable in ("ansible_host", "inventory_hostname"):
            value = self._value(variable)
            if isinstance(value, str) and _is_sender(value):
                return [value]
        return []

    def _checked(self, wanted: t.Any) -> t.List[str]:
        place = self._place / "firewall_addresses"
        listed = wanted if isinstance(wanted, list) else [wanted]
        addresses = []
        for index, item in enumerate(listed):
            item_place = place / index if listed is wanted else place
            try:
                known = isinstance(item, str) and parse_range(item) is not None
            except AddressError as exc:
                self._problems.error(item_place, "address", "%s: %s" % (show(item), exc))
                continue
            if known:
                addresses.append(item)
            else:
                self._problems.error(item_place, "address", "%s is not an address, a prefix or a range" % show(item))
        return addresses

    def _value(self, variable: str) -> t.Any:
        """The variable in plain types; None where there is none or it cannot be had."""
        value = self._variables.get(variable)
        if isinstance(value, str) and not self._templar.is_possibly_template(value):
            return str.__str__(value)
        place = self._place / variable
        if value is None or not is_bounded(value, place, self._problems):
            return None
        variables = {**self._variables, "hostvars": self._hostvars}
        try:
            self.templated = self.templated or self._templar.is_template(value)
            value = self._templar.copy_with_new_env(available_variables=variables).template(value)
        except AnsibleValueOmittedError:
            return None
        except AnsibleError as exc:
            self._problems.error(place, "template", exc.message)
            return None
        return to_plain(value, place, self._problems)


def _is_sender(text: str) -> bool:
    try:
        found = parse_range(text)
    except AddressError:
        return False
    return (
        found is not None
        and found.low == found.high
        and not any(one.family == found.family and one.low <= found.low <= one.high for one in _NOT_A_SENDER)
    )


def _read_first(files: t.Iterable[str]) -> t.Optional[GroupAddresses]:
    for file in files:
        try:
            with open(file, encoding="utf-8") as stream:
                addresses, missing, problems, templated = json.load(stream)
        except FileNotFoundError:
            continue
        return GroupAddresses(tuple(addresses), tuple(missing), tuple(Problem(*one) for one in problems), templated)
    return None


def _write(file: str, found: GroupAddresses) -> None:
    """In one step, because another worker may look at any time."""
    handle, partial = tempfile.mkstemp(dir=os.path.dirname(file), prefix="palisade-group-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(found, stream)
    os.replace(partial, file)
