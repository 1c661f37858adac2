# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The disk of a machine, and what a kernel needs to come to it."""

from __future__ import annotations

import functools
import lzma
import os
import pathlib
import shutil
import subprocess
import typing as t
from dataclasses import dataclass

from ..emulator import image
from ..emulator.archive import Archive
from ..emulator.kernels import Kernel, kernel
from ..emulator.machine import EMULATOR
from ..reexec import in_user_namespace

_CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent

#: Longest that it may take to make a disk: with a fresh download of a release that is some minutes.
_MAKE_SECONDS = 1200.0

#: What the kernels of virtual machines do not have built in, as far as it leads to the disk.
_DRIVERS = ("virtio_pci", "virtio_blk")

_PROGRAMS = ("sh", "mount", "insmod", "switch_root")

_INIT = """\
#!/bin/sh
mount -t devtmpfs dev /dev
for module in /modules/*; do
    insmod "$module"
done
mount -n -t ext4 -o ro /dev/vda /root
mount -n -o move /dev /root/dev
exec switch_root /root /sbin/init
"""


class DiskError(RuntimeError):
    """No disk can be made here."""


@dataclass(frozen=True)
class Disk:
    """A disk as ``scripts/disk-image`` made it, which nobody may write to.

    Attributes:
        kernel: Of the same release.
        image: The disk.
        user_key: With which root logs in.
        host_key: What sshd says it is, a line of known_hosts without the name.
    """

    kernel: Kernel
    image: pathlib.Path
    user_key: pathlib.Path
    host_key: str


def why_unavailable(suite: str) -> t.Optional[str]:
    """The reason why no machine of a release can run here, None where one can."""
    if os.geteuid() != 0 or in_user_namespace():
        return "a network card for a machine, and its disk, take root"
    for tool, package in ((EMULATOR, "qemu-system-x86"), ("mke2fs", "e2fsprogs"), ("podman", "podman")):
        if shutil.which(tool, path=image.PATH) is None:
            return "%s is not installed (Debian's package: %s)" % (tool, package)
    found = kernel(suite)
    return found if isinstance(found, str) else None


@functools.cache
def disk(suite: str) -> Disk:
    """The disk of a release, made if need be.

    Raises:
        DiskError: It could not be made.
    """
    found = kernel(suite)
    if isinstance(found, str):
        raise DiskError(found)
    done = subprocess.run(
        [str(_CHECKOUT / "scripts" / "disk-image"), suite],
        capture_output=True,
        text=True,
        check=False,
        timeout=_MAKE_SECONDS,
    )
    if done.returncode != 0:
        raise DiskError("scripts/disk-image %s: %s" % (suite, done.stderr.strip()))
    folder = pathlib.Path(done.stdout.strip().splitlines()[-1])
    host_key = (folder / "host_key.pub").read_text(encoding="ascii").strip()
    return Disk(found, folder / "disk.raw", folder / "user_key", host_key)


def write_ramdisk(found: Kernel, path: pathlib.Path) -> None:
    """Writes the first root file system of a machine: it loads the drivers of its disk, and goes on there.

    Raises:
        .emulator.image.ImageError: A program is missing here.
    """
    archive = Archive()
    for folder in ("/dev", "/root"):
        archive.add_directory(folder)
    image.add_programs(archive, _PROGRAMS)
    for number, name in enumerate(_in_order(found, _DRIVERS)):
        octets = (found.modules / name).read_bytes()
        # Whether a kernel unpacks modules itself, and this machine's insmod for it, differs.
        archive.add_octets("/modules/%02d" % number, lzma.decompress(octets) if name.endswith(".xz") else octets)
    archive.add_text("/init", _INIT, 0o755)
    with open(path, "wb") as handle:
        archive.write(handle)


def _in_order(found: Kernel, drivers: t.Sequence[str]) -> t.List[str]:
    """The files of modules, each after those that it needs; what is built in has none."""
    needs: t.Dict[str, t.List[str]] = {}
    for line in (found.modules / "modules.dep").read_text(encoding="utf-8").splitlines():
        name, _, others = line.partition(":")
        needs[name] = others.split()
    wanted: t.List[str] = []
    for driver in drivers:
        for name in (name for name in needs if os.path.basename(name).split(".")[0] == driver):
            # depmod(8): what is needed first stands last.
            wanted.extend(one for one in (*reversed(needs[name]), name) if one not in wanted)
    return wanted
