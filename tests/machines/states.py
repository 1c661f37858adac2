# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine has to be like after a boot: as before a run, or as after it."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from lab.machines.controller import Controller
from lab.machines.report import Report, parse_reports

#: What an interrupted run leaves beside a file, for the next run to remove.
_LEFT = re.compile(r"/\.[^/]+\.[0-9a-f]{16}\.new", re.ASCII)

#: Loads the saved ruleset where it harms nothing, as a boot does, and reports.
_SCRIPT = """\
unshare --net sh -c 'test ! -e /etc/palisade/ruleset.nft || nft -f /etc/palisade/ruleset.nft; lab-report'
"""


def state(controller: Controller) -> Report:
    """What a boot of the machine will lead to, if it is switched off properly."""
    (report,) = parse_reports(controller.ssh(_SCRIPT))
    return report


def left_over(report: Report) -> t.List[str]:
    """What interrupted runs have left."""
    return [path for path in report.files if _LEFT.search(path)]


def without_history(report: Report) -> Report:
    """What is kept to go back to has the time of the run in its name, so no two runs leave the same."""
    files = {path: digest for path, digest in report.files.items() if not path.startswith("/etc/palisade/history/")}
    return dataclasses.replace(report, files=files)


def faults(report: Report, allowed: t.Sequence[Report]) -> t.List[str]:
    """What is wrong with a machine that has booted.

    Args:
        allowed: States that it may be in. If it is one only, everything has to be as there.
    """
    found = []
    if report.table not in [one.table for one in allowed]:
        found.append("the table is neither of %d:\n%s" % (len(allowed), report.listing))
    unit = report.units["palisade.service"]
    if unit["Result"] != "success" or (unit["ActiveState"] == "active") != bool(report.table):
        found.append("palisade.service: %s" % unit)
    if report.units["palisade-safeguard.service"]["ExecMainStartTimestampMonotonic"] not in ("", "0"):
        found.append("the safeguard set was loaded")
    for path in sorted(set(report.files) - set(left_over(report))):
        digests = [one.files.get(path) for one in allowed]
        found += [] if report.files[path] in digests else ["%s is of no run" % path]
    for path, target in report.links.items():
        targets = [one.links.get(path) for one in allowed]
        found += [] if _LEFT.search(path) or target in targets else ["%s leads to %s" % (path, target)]
    if len(allowed) == 1:
        found += ["%s is gone" % path for path in {**allowed[0].files, **allowed[0].links} if not _has(report, path)]
    return found


def _has(report: Report, path: str) -> bool:
    return path in report.files or path in report.links
