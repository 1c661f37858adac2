# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection and can change without notice.

"""Policy tests as JUnit XML, the form that continuous integration reads.

One file for each host, because hosts are judged by processes of their own, and each written in one step: whoever reads
finds a whole file or none. The elements are those that Jenkins, GitLab and GitHub's readers know: one ``testsuite``,
``testcase`` with ``failure``, ``error`` or ``skipped``.
"""

from __future__ import annotations

import os
import re
import typing as t
import urllib.parse
from xml.etree import ElementTree

from ansible.errors import AnsibleActionFail

from ..module_utils._analysis.assertion_text import describe_assertion, details, title
from ..module_utils._analysis.policy_tests import Outcome, Status
from ..module_utils._core.errors import Problem
from ._replacing import replace_file

#: What XML 1.0 has no way to say (section 2.2, Char).
_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: Names of files are bounded; names of hosts are not.
_LONGEST_NAME = 200


def render_suite(host: str, outcomes: t.Sequence[Outcome], problems: t.Sequence[Problem] = ()) -> bytes:
    """The file of one host, in UTF-8.

    Args:
        problems: Of the variables, where no test could be judged for them.
    """
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": _text("firewall of %s" % host),
            "hostname": _text(host),
            "tests": str(len(outcomes) + len(problems)),
            "failures": str(sum(outcome.status is Status.FAILED for outcome in outcomes)),
            "errors": str(len(problems)),
            "skipped": str(sum(outcome.status is Status.SKIPPED for outcome in outcomes)),
        },
    )
    for problem in problems:
        case = _case(suite, host, problem.place)
        error = ElementTree.SubElement(case, "error", {"type": _text(problem.code), "message": _text(problem.message)})
        error.text = _text(str(problem))
    for outcome in outcomes:
        assertion = outcome.assertion
        case = _case(suite, host, "%s: %s" % (assertion.place, title(assertion)))
        if outcome.status is Status.SKIPPED:
            ElementTree.SubElement(case, "skipped", {"message": _text(outcome.reason)})
        elif outcome.status is Status.FAILED:
            message = "%s: %s" % (describe_assertion(assertion), outcome.reason)
            attributes = {"type": outcome.cause.value, "message": _text(message)}
            ElementTree.SubElement(case, "failure", attributes).text = _text("\n".join(details(outcome)))
    ElementTree.indent(suite)
    rendered: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return rendered + b"\n"


def write_suite(folder: str, host: str, content: bytes) -> str:
    """Puts a file of the host into the folder, which is made where it is missing; its path.

    Raises:
        AnsibleActionFail: It cannot be written.
    """
    folder = os.path.abspath(os.path.expanduser(folder))
    path = os.path.join(folder, file_name(host))
    try:
        os.makedirs(folder, exist_ok=True)
        # As readable as open() would have made it.
        replace_file(path, content, 0o666 & ~_umask())
    except OSError as exc:
        # Ansible would add the cause, which says it another time.
        raise AnsibleActionFail("palisade_junit: %s cannot be written: %s" % (path, exc.strerror or exc)) from None
    return path


def file_name(host: str) -> str:
    """``TEST-web1.xml``; whatever a host is called, this is one file in one folder, and no other host's."""
    quoted = urllib.parse.quote(host, safe="")
    if len(quoted) > _LONGEST_NAME:
        import hashlib  # noqa: PLC0415 - for names that hardly exist

        quoted = "%s-%s" % (quoted[:_LONGEST_NAME], hashlib.sha256(host.encode()).hexdigest()[:16])
    return "TEST-%s.xml" % quoted


def _umask() -> int:
    """This process's; the kernel tells it only to who sets it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _case(suite: ElementTree.Element, host: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", {"classname": _text(host), "name": _text(name)})


def _text(text: str) -> str:
    return _NO_CHARACTER.sub(lambda found: "\\x%02x" % ord(found.group()), text)
