# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders docs/lint.md from the codes of findings; with --check only tells whether it is stale."""

from __future__ import annotations

import pathlib
import sys
import textwrap
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from plugins.module_utils._analysis.codes import CODES, Code  # noqa: E402 - after the path is set
from plugins.module_utils._analysis.lint import lint_variables  # noqa: E402 - the same
from plugins.module_utils._policy.parse import parse_firewall  # noqa: E402 - the same
from scripts.generated import main_of  # noqa: E402 - the same

PAGE = CHECKOUT / "docs" / "lint.md"
_WIDTH = 118

HEAD = """\
<!-- Written by scripts/render_lint.py; change _analysis/codes.py or that script, not this page. -->

# What lint finds

Policies can be valid and still not what was meant. `lint` finds rules that never decide a packet, rules that change
nothing, rules that contradict each other, and policies that cut a host off or open it too far. It works on the
controller and looks at no host:

```yaml
- ansible.builtin.debug:
    msg: "{{ findings | map(attribute='text') | list }}"
  vars:
    findings: "{{ firewall_policies | palisade.nftables.lint(assigned=['ssh', 'web']) }}"
```

The filter takes the keywords of `palisade.nftables.compile`, and two of its own: `ssh_port`, where administrators
reach the host (22), and `providers`, whose refusals are listed too. Each finding is a mapping with `code`, `severity`,
`direction`, `rule`, `variable`, `others` (rules concerned besides), `witness` (a packet that shows it), `message`,
`suggestion`, and all of that as one sentence in `text`.

- **warning**: probably not what was meant.
- **info**: true, and often on purpose. A policy that is shared by many hosts has rules that one of them does not need.

Only rules of assigned policies are judged, not those of the profile, of the safeguards or of built-in policies; but
these take part: a rule for packets that they decide already is dead. Disabled rules, and rules of networks that are
empty, are left out.

## In a run

The role, and with it `plan` and `deploy`, warns of the findings that are warnings; the result of the task lists them
in `findings`. Where codes are listed in `firewall_lint_fail`, a finding of one of them stops the run before anything is
changed, and `deploy` stops before the first host:

```yaml
firewall_lint_fail: [shadowed, duplicate, exposed]
```

Policies of more than 2,000 rules take seconds. A deploy looks at them only where `firewall_lint_fail` lists a code;
`plan` always does.

## How exact

What is said about rules (%(exact)s) is decided exactly over all fields, with the packets of several earlier rules
taken together: a rule without a finding decides some packet, and one with a finding decides none. The evaluator, which
says what policies mean, confirms every packet that is shown; tests put each claim to it, on random policies.

A question may take 200,000 steps (a step looks at one piece of one field), which is a fraction of a second. A rule that
takes more is `undecided`; at most one rule in a hundred of the ClassBench sets of 10,000 rules is. Of conflicts, up to
three earlier rules are named for each rule, and up to twelve looked at.

## Codes

| Code | Severity | What it is |
| --- | --- | --- |
%(rows)s
"""

_EXACT = ("shadowed", "covered", "duplicate", "redundant", "unreachable-policy")


def _section(code: str, described: Code) -> str:
    parts = ["### %s" % code, "**%s.** Severity: %s." % (described.title, described.severity.value)]
    parts.append(textwrap.fill(described.explanation, _WIDTH))
    if described.example:
        parts.append("```yaml\n%s\n```" % "\n".join(_lines(described.example)))
        firewall = parse_firewall(described.example)
        findings = lint_variables(described.example, firewall, providers=described.providers)
        texts = [textwrap.fill(str(finding), _WIDTH) for finding in findings if finding.code == code]
        parts.append("```text\n%s\n```" % "\n".join(texts))
    return "\n\n".join(parts) + "\n"


def _lines(value: t.Any, indent: str = "") -> t.Iterator[str]:
    """YAML as the documentation writes it: a rule, and a list of names, on one line."""
    for key, inner in value.items():
        if key == "rules":
            yield "%s%s:" % (indent, key)
            for rule in inner:
                yield "%s  - %s" % (indent, _flow(rule))
        elif isinstance(inner, t.Mapping):
            yield "%s%s:" % (indent, key)
            yield from _lines(inner, indent + "  ")
        else:
            yield "%s%s: %s" % (indent, key, _flow(inner))


def _flow(value: t.Any) -> str:
    if isinstance(value, t.Mapping):
        return "{%s}" % ", ".join("%s: %s" % (key, _flow(inner)) for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return "[%s]" % ", ".join(_flow(inner) for inner in value)
    return '"%s"' % value if isinstance(value, str) and "-" in value else str(value)


def render() -> str:
    rows = [
        "| [`%s`](#%s) | %s | %s |" % (code, code, described.severity.value, described.title)
        for code, described in CODES.items()
    ]
    head = HEAD % {"rows": "\n".join(rows), "exact": ", ".join("`%s`" % code for code in _EXACT)}
    return "\n".join([head, *(_section(code, described) for code, described in CODES.items())])


if __name__ == "__main__":
    sys.exit(main_of(PAGE, lambda _written: render(), str(__doc__)))
