# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Between the module ``probe`` and the network: targets in, answers out."""

from __future__ import annotations

import collections
import typing as t

from ._archive_imports import compiled_once

with compiled_once():
    from ._host._probe.probe import Pace, probe
    from ._host._probe.target import Target, TargetError, answer_to_plain, read_target

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

#: More is a scan, and there are better programs for that.
_MOST_TARGETS = 4096

_BOUNDS: t.Mapping[str, t.Tuple[float, float]] = {
    "timeout": (0.1, 60),
    # Each has a descriptor, and processes have 1024 of them as a rule.
    "at_once": (1, 500),
    "rate": (1, 1000),
}


def run_probe(module: AnsibleModule) -> None:
    """Runs ``palisade.nftables.probe`` and exits."""
    parameters = module.params
    for name, (least, most) in _BOUNDS.items():
        if not least <= parameters[name] <= most:
            module.fail_json(msg="%s: %s is not from %g to %g" % (name, parameters[name], least, most))
    if len(parameters["targets"]) > _MOST_TARGETS:
        module.fail_json(msg="targets: %d are more than %d" % (len(parameters["targets"]), _MOST_TARGETS))
    targets = _read(module)
    answers = probe(targets, Pace(parameters["timeout"], parameters["at_once"], parameters["rate"]))
    counts = collections.Counter(answer.outcome.value for answer in answers)
    module.exit_json(
        changed=False,
        answers=[answer_to_plain(*pair) for pair in zip(targets, answers)],
        counts=dict(sorted(counts.items())),
    )


def _read(module: AnsibleModule) -> t.List[Target]:
    """The targets; all that are none are reported together."""
    parameters = module.params
    targets: t.List[Target] = []
    problems: t.List[str] = []
    for position, data in enumerate(parameters["targets"]):
        try:
            targets.append(read_target(data, parameters["source"] or "", parameters["source_port"]))
        except TargetError as exc:
            problems.append("targets[%d].%s" % (position, exc))
    if problems:
        module.fail_json(msg="\n".join(problems))
    return targets
