# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders docs/services.md from the built-in catalogue; with --check only tells whether it is stale."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from scripts.generated import main_of  # noqa: E402 - after the path is set

if t.TYPE_CHECKING:
    import types

CATALOGUE = CHECKOUT / "plugins" / "module_utils" / "_policy" / "catalogue.py"
PAGE = CHECKOUT / "docs" / "services.md"

HEAD = """\
<!-- Written by scripts/render_services.py; change the catalogue, not this page. -->

# Built-in services

A rule names a service instead of its protocol and ports: `service: ssh`, or several with
`service: [http, https]`. There are %(services)d services, and %(aliases)d other names for some of them.

An entry holds what a server of that kind listens on by default. Where yours listens elsewhere, say so in
`firewall_services`; an entry there overrides the built-in one of exactly that name (the service's other
names keep their built-in meaning):

```yaml
firewall_services:
  ssh:
    - {protocol: tcp, destination_ports: 2222}
```

- `https` is TCP only; allow `http3` too where the web server speaks HTTP/3.
- Where IANA registered both TCP and UDP but servers use one of them, only that one is listed.
- Ports that a daemon picks at run time are not included: FTP data, TFTP transfers, RTP media.
- Where a provider limits the number of rules, each item of the second column counts as one.

| Service | Protocol and ports | What it is | Other names |
| --- | --- | --- | --- |
"""


def load_catalogue() -> types.ModuleType:
    """The catalogue, loaded by its path: the checkout may lie in any folder, outside of any collection path."""
    spec = importlib.util.spec_from_file_location("catalogue", CATALOGUE)
    if spec is None or spec.loader is None:
        raise SystemExit("%s cannot be loaded" % CATALOGUE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def describe(entry: t.Any) -> str:
    return " ".join([entry.protocol, *map(str, entry.destination_ports), *entry.icmp_types])


def render() -> str:
    catalogue = load_catalogue()
    aliases: t.Dict[str, t.List[str]] = {}
    for alias, name in catalogue.SERVICE_ALIASES.items():
        aliases.setdefault(name, []).append(alias)
    rows = [
        "| `%s` | %s | %s | %s |\n"
        % (
            name,
            ", ".join(describe(entry) for entry in service.entries),
            service.title,
            ", ".join("`%s`" % alias for alias in aliases.get(name, ())),
        )
        for name, service in catalogue.SERVICES.items()
        if name not in catalogue.SERVICE_ALIASES
    ]
    counts = {"services": len(rows), "aliases": len(catalogue.SERVICE_ALIASES)}
    return HEAD % counts + "".join(rows).replace("|  |\n", "| |\n")


if __name__ == "__main__":
    sys.exit(main_of(PAGE, lambda _written: render(), str(__doc__)))
