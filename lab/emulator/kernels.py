# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernels that can be booted here: those of Debian releases, which ``scripts/fetch-kernels`` unpacked."""

from __future__ import annotations

import pathlib
import typing as t
from dataclasses import dataclass

_CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent
_CACHE = _CHECKOUT / ".cache" / "kernels"

#: The releases, with the series of kernels that each one carries. The list is that of ``scripts/fetch-kernels``.
SUITES: t.Mapping[str, str] = {"bullseye": "5.10", "bookworm": "6.1", "trixie": "6.12"}

#: What the lab, and rulesets on it, may ask a kernel for; everything else of a kernel stays outside.
_MODULES = (
    "kernel/net/netfilter/",
    "kernel/net/ipv4/",
    "kernel/net/ipv6/",
    "kernel/net/bridge/",
    "kernel/net/packet/",
    "kernel/drivers/net/veth.",
    "kernel/drivers/net/dummy.",
    "kernel/fs/overlayfs/",
)


@dataclass(frozen=True)
class Kernel:
    """A kernel with its modules.

    Attributes:
        suite: The Debian release that it is of.
        release: What ``uname -r`` prints on it.
        image: The file that is booted.
        modules: The folder ``/lib/modules/<release>`` of that machine.
    """

    suite: str
    release: str
    image: pathlib.Path
    modules: pathlib.Path

    @property
    def series(self) -> str:
        return SUITES[self.suite]

    def module_files(self) -> t.List[str]:
        """The modules that the lab may need, and what those depend on; relative to :attr:`modules`."""
        needs = {}
        for line in (self.modules / "modules.dep").read_text(encoding="utf-8").splitlines():
            name, _, others = line.partition(":")
            # depmod(8) lists the dependencies of the dependencies as well.
            needs[name] = others.split()
        chosen = {name for name in needs if name.startswith(_MODULES)}
        return sorted(chosen.union(*(needs[name] for name in chosen)))


def kernel(suite: str) -> t.Union[Kernel, str]:
    """The kernel of a release, or the reason why there is none here."""
    folder = _CACHE / suite
    image = folder / "vmlinuz"
    if not image.exists():
        note = folder / "reason"
        if note.exists():
            return note.read_text(encoding="utf-8").strip()
        return "Linux %s of Debian %s was not fetched: run scripts/fetch-kernels" % (SUITES[suite], suite)
    release = (folder / "release").read_text(encoding="utf-8").strip()
    return Kernel(suite, release, image, folder / "modules" / release)
