# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""From the inventory variables of a host to the plain data that the core reads.

Only what the host needs is templated: its settings, its assigned policies, and the networks, services
and groups that these refer to. ansible-core hands an action plugin the variables as they were written,
so a catalogue can be taken apart before anything in it is looked at. Of the rest only the names go
along, with null for a definition: they are what a clash and a suggestion are about.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError, AnsibleValueOmittedError

from ..module_utils._analysis.codes import CODES_OF_HOSTS
from ..module_utils._core.errors import Path, PolicyError, Problem, Problems, show
from ..module_utils._core.ports import PortError, parse_service
from ..module_utils._policy.assertion_reader import TESTS
from ..module_utils._policy.assignments import read_assignments
from ..module_utils._policy.definitions import variables_named
from ..module_utils._policy.networks import GROUP_PREFIX
from ..module_utils._policy.parse import MERGED_VARIABLES, SINGLE_VARIABLES, parse_firewall
from ..module_utils._policy.reading import read_boolean, suggestion
from ._catalogue import Catalogue, listed, rules_of, safeguard_addresses
from ._misspelt import misspelt
from ._plain import is_bounded, to_plain

if t.TYPE_CHECKING:
    from ansible.template import Templar

    from ._groups import Groups

#: Merged variables that hold definitions by name, and what one of them is called.
_CATALOGUES = {"firewall_policies": "policy", "firewall_networks": "network", "firewall_services": "service"}

_ON_CONFLICT = ("fail", "disable", "ignore")
_RUN_VARIABLES = (
    "firewall_state",
    "firewall_persist",
    "firewall_on_conflict",
    "firewall_confirm_timeout",
    "firewall_must_reach",
    "firewall_lint_fail",
    "firewall_verify_kernel",
)
_READ = frozenset((*SINGLE_VARIABLES, *MERGED_VARIABLES, *_RUN_VARIABLES))
_READ_PREFIXES = tuple(base + "_" for base in MERGED_VARIABLES)

_STATES = ("present", "absent")
_PERSIST = {
    "auto": "auto",
    "true": "true",
    "yes": "true",
    "on": "true",
    "false": "false",
    "no": "false",
    "off": "false",
}


#: Seconds. Shorter, and a slow connection comes too late; longer, and who is locked out waits too long.
_LONGEST_NUMBER = 9
_CONFIRM_DEFAULT, _CONFIRM_LEAST, _CONFIRM_MOST = 60, 10, 3600


class Tested(t.NamedTuple):
    """What the tests of a host are about, for ``parse_firewall``: its policies and, besides, what only tests name."""

    variables: t.Dict[str, t.Any]
    groups: t.Dict[str, t.Any]


class Collected(t.NamedTuple):
    """What a host asks for, in plain types.

    Attributes:
        variables, groups: For ``parse_firewall``. Tests are not among them: the host has no use for them.
        state: ``present`` or ``absent``.
        persist: ``auto``, ``true`` or ``false``.
        on_conflict: ``fail``, ``disable`` or ``ignore``.
        confirm_timeout: Seconds until a change that nobody confirmed is taken back; 0: never.
        must_reach: ``HOST:PORT``, as :func:`.._core.ports.parse_service` reads it.
        lint_fail: Codes of findings that are errors.
        tested: None where the host has no tests, or they were not asked for.
        verify_kernel: Whether a kernel is to be asked about the tests too.
    """

    variables: t.Dict[str, t.Any]
    groups: t.Dict[str, t.Any]
    state: str
    persist: str
    on_conflict: str
    confirm_timeout: int
    must_reach: t.List[str]
    lint_fail: t.List[str]
    tested: t.Optional[Tested] = None
    verify_kernel: bool = False


def collect(
    task_vars: t.Mapping[str, t.Any],
    templar: Templar,
    groups: Groups,
    *,
    state: t.Optional[str] = None,
    everything: bool = False,
    tests: bool = False,
) -> Collected:
    """Collects what a host's firewall needs.

    Args:
        task_vars: Variables of the task, as an action plugin receives them: not templated.
        templar: Of the action plugin.
        state: Instead of the host's ``firewall_state``.
        everything: Take also what nothing refers to, and that of a host whose firewall shall be absent.
        tests: Take its tests too.

    Raises:
        PolicyError: Something could not be had: a template failed, a name is defined twice, a variable
            is misspelt. It holds these problems and everything that the parser finds in the rest.
    """
    return _Collector(task_vars, templar, groups).collect(state, everything=everything, tests=tests)


class _Collector:
    def __init__(self, task_vars: t.Mapping[str, t.Any], templar: Templar, groups: Groups) -> None:
        self._raw = {str(name): value for name, value in task_vars.items() if _is_ours(name)}
        self._misspelt = misspelt(task_vars)
        self._templar = templar
        self._groups = groups
        self._problems = Problems()
        self._failed: t.List[str] = []
        self._variables: t.Dict[str, t.Any] = {}
        self._catalogues: t.List[Catalogue] = []
        self._group_data: t.Dict[str, t.Any] = {}

    def collect(self, state: t.Optional[str], *, everything: bool, tests: bool) -> Collected:
        for name, meant in self._misspelt:
            self._problems.error(Path(name), "misspelt", "no such role variable; did you mean '%s'?" % meant)
        chosen = self._choice("firewall_state", {name: name for name in _STATES})
        state = state or chosen
        persist = self._choice("firewall_persist", _PERSIST)
        on_conflict = self._choice("firewall_on_conflict", {name: name for name in _ON_CONFLICT})
        confirm_timeout = self._confirm_timeout()
        must_reach = self._must_reach()
        lint_fail = self._lint_fail()
        verify_kernel = self._verify_kernel()
        # What a host had must be removable whatever has become of its policies.
        if state == "present" or everything:
            self._take_settings()
            self._take_catalogues(everything=everything)
        variables, groups = _copied(self._variables), dict(self._group_data)
        tested = None
        if tests and state == "present" and self._take_tests():
            tested = Tested(self._variables, self._group_data)
        if self._problems.errors:
            raise PolicyError(self._all_problems(everything=everything))
        return Collected(
            variables,
            groups,
            state,
            persist,
            on_conflict,
            confirm_timeout,
            must_reach,
            lint_fail,
            tested,
            verify_kernel,
        )

    def _choice(self, variable: str, choices: t.Mapping[str, str]) -> str:
        """A setting that only the role reads; the first choice is the default."""
        default = next(iter(choices))
        place = Path(variable)
        value = self._template(self._raw.get(variable), place)
        if value is None:
            return default
        text = ("true" if value else "false") if isinstance(value, bool) else value
        if isinstance(text, str) and text.lower() in choices:
            return choices[text.lower()]
        wanted = dict.fromkeys(choices.values())
        self._problems.error(
            place, "choice", "%s is not one of %s%s" % (show(value), ", ".join(wanted), suggestion(value, wanted))
        )
        return default

    def _confirm_timeout(self) -> int:
        place = Path("firewall_confirm_timeout")
        value = self._template(self._raw.get(str(place)), place)
        if value is None:
            return _CONFIRM_DEFAULT
        if isinstance(value, str) and value.isdecimal() and value.isascii():
            # What a template or -e gives.
            value = int(value[:_LONGEST_NUMBER])
        known = value if isinstance(value, int) and not isinstance(value, bool) else -1
        if known == 0 or _CONFIRM_LEAST <= known <= _CONFIRM_MOST:
            return known
        self._problems.error(
            place, "range", "%s is not 0, nor %d to %d seconds" % (show(value), _CONFIRM_LEAST, _CONFIRM_MOST)
        )
        return _CONFIRM_DEFAULT

    def _must_reach(self) -> t.List[str]:
        place = Path("firewall_must_reach")
        value = self._template(self._raw.get(str(place)), place)
        found = []
        for index, item in enumerate(listed(value)):
            try:
                parse_service(item)
            except PortError as exc:
                self._problems.error(place / index, "service", str(exc))
            else:
                found.append(item)
        return found

    def _lint_fail(self) -> t.List[str]:
        place = Path("firewall_lint_fail")
        value = self._template(self._raw.get(str(place)), place)
        found = []
        for index, item in enumerate(listed(value)):
            if isinstance(item, str) and item in CODES_OF_HOSTS:
                found.append(item)
            else:
                said = "%s is not a code of lint (docs/lint.md)%s" % (show(item), suggestion(item, CODES_OF_HOSTS))
                self._problems.error(place / index, "choice", said)
        return found

    def _verify_kernel(self) -> bool:
        place = Path("firewall_verify_kernel")
        return read_boolean(self._template(self._raw.get(str(place)), place), place, self._problems, default=False)

    def _take_settings(self) -> None:
        names = [name for name in SINGLE_VARIABLES if name in self._raw]
        for name in (*names, *variables_named(self._raw, "firewall_assigned")):
            value = self._template(self._raw[name], Path(name))
            if value is not None:
                self._variables[name] = value

    def _take_catalogues(self, *, everything: bool) -> None:
        policies, networks, services = self._catalogues = [
            Catalogue(base, what, self._open(base), self._problems) for base, what in _CATALOGUES.items()
        ]
        for catalogue in self._catalogues:
            self._variables.update(catalogue.variables)
        # Problems of the assignments are the parser's to report.
        assigned = [one.policy for one in read_assignments(self._variables, Problems())]
        addresses = list(safeguard_addresses(self._variables.get("firewall_safeguards")))
        for name in policies.names() if everything else assigned:
            for rule in rules_of(self._take(policies, name)):
                addresses.extend(item for side in ("sources", "destinations") for item in listed(rule.get(side)))
                self._take_services(rule)
        if everything:
            addresses.extend(networks.names())
            for name in services.names():
                self._take(services, name)
        self._take_addresses(addresses)

    def _take_tests(self) -> bool:
        """Whether there are tests; now they and what they name are among the variables."""
        names = variables_named(self._raw, TESTS)
        addresses: t.List[object] = []
        for name in names:
            value = self._variables[name] = self._template(self._raw[name], Path(name))
            for test in (item for item in listed(value) if isinstance(item, dict)):
                for side in (test.get("from"), test.get("to")):
                    addresses.extend(listed(side.get("outside") if isinstance(side, dict) else side))
                self._take_services(test)
        self._take_addresses(addresses)
        # What is empty and no list is a mistake, for the parser to report.
        return any(self._variables[name] not in (None, []) for name in names)

    def _take_services(self, rule: t.Mapping[t.Any, t.Any]) -> None:
        services = self._catalogues[-1]
        for item in listed(rule.get("service")):
            self._take(services, item)

    def _take_addresses(self, addresses: t.List[object]) -> None:
        """The networks and groups among these, and what they name themselves."""
        networks = self._catalogues[1]
        groups: t.Dict[str, None] = {}
        # Networks may refer to networks, and to themselves: each is looked at once.
        while addresses:
            item = addresses.pop()
            if isinstance(item, str) and item.startswith(GROUP_PREFIX):
                groups[item[len(GROUP_PREFIX) :]] = None
            else:
                addresses.extend(listed(self._take(networks, item)))
        self._take_groups(groups)

    def _open(self, base: str) -> t.Dict[str, t.Any]:
        """The variables of a catalogue, their entries as they were written.

        A variable that is a template itself has to be templated as a whole.
        """
        opened = {}
        for variable in variables_named(self._raw, base):
            value = self._raw[variable]
            opened[variable] = value if isinstance(value, dict) else self._template(value, Path(variable))
        return opened

    def _take(self, catalogue: Catalogue, name: object) -> t.Any:
        """The definition of that name in plain types, now also among the variables; None where there is none."""
        found = catalogue.take(name)
        if found is None:
            return None
        variable, key, raw = found
        value = self._template(raw, Path(variable) / key)
        self._variables[variable][key] = value
        return value

    def _take_groups(self, names: t.Iterable[str]) -> None:
        known = self._groups.names()
        for name in sorted(names):
            if name not in known:
                # The parser reports it, and suggests one of these.
                self._group_data = {**dict.fromkeys(known, ()), **self._group_data}
                continue
            found = self._groups.addresses(name)
            self._problems.errors.extend(found.problems)
            self._group_data[name] = {"addresses": list(found.addresses), "missing": list(found.missing)}

    def _template(self, raw: object, place: Path) -> t.Any:
        """The value in plain types; None where templating failed, with a problem at each failing part."""
        if raw is None:
            return None
        if not is_bounded(raw, place, self._problems):
            self._failed.append(self._problems.errors[-1].place)
            return None
        try:
            value = self._templar.template(raw)
        except AnsibleValueOmittedError:
            return None
        except AnsibleError as exc:
            return self._template_parts(raw, place, exc)
        errors = len(self._problems.errors)
        plain = to_plain(value, place, self._problems)
        self._failed.extend(problem.place for problem in self._problems.errors[errors:])
        return plain

    def _template_parts(self, raw: object, place: Path, error: AnsibleError) -> t.Any:
        errors = len(self._problems.errors)
        plain: t.Any = None
        if isinstance(raw, dict):
            plain = {str(key): self._template(item, place / key) for key, item in raw.items()}
        elif isinstance(raw, (list, tuple)):
            plain = [self._template(item, place / index) for index, item in enumerate(raw)]
        if len(self._problems.errors) == errors:
            self._problems.error(place, "template", error.message)
            self._failed.append(str(place))
        return plain

    def _all_problems(self, *, everything: bool) -> t.List[Problem]:
        """The problems of collecting, and what the parser finds in what could be collected.

        Where templating failed there is no value to judge, so the parser's problems with that place, or
        with what encloses it, are left out; where a whole catalogue is missing, so are missing names.
        """
        found = list(self._problems.errors)
        names_known = not any(
            place.startswith(base) and place in self._raw for base in _CATALOGUES for place in self._failed
        )
        try:
            parse_firewall(self._variables, groups=self._group_data, everything=everything)
        except PolicyError as exc:
            found.extend(
                problem
                for problem in exc.problems
                if problem not in found
                and (names_known or problem.code != "undefined")
                and not any(
                    _encloses(problem.place, place) or _encloses(place, problem.place) for place in self._failed
                )
            )
        return found


def _is_ours(name: object) -> bool:
    return isinstance(name, str) and (name in _READ or name.startswith(_READ_PREFIXES))


def _copied(variables: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Variables that do not change with the others when more definitions are taken."""
    return {name: dict(value) if isinstance(value, dict) else value for name, value in variables.items()}


def _encloses(place: str, inner: str) -> bool:
    return inner == place or inner.startswith((place + ".", place + "["))
