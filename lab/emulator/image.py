# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The root file system of a machine in the emulator: what is installed here, at the same places."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import typing as t

from . import boot
from .archive import Archive
from .kernels import Kernel

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent

#: What the lab and its tests run, and what helps to look around in a machine.
_PROGRAMS = (
    *("sh", "env", "mount", "umount", "unshare", "nsenter", "ip", "modprobe", "sysctl"),
    *("cat", "dmesg", "false", "grep", "head", "ls", "sleep", "timeout", "true", "uname"),
)

#: Used where they are installed.
_EXTRAS = ("conntrack", "ping", "strace")

_FILES = ("/etc/group", "/etc/nsswitch.conf", "/etc/passwd", "/etc/protocols", "/etc/services")

#: Of the checkout; the rest is no program.
_FOLDERS = ("lab", "plugins", "tests", "benchmarks")

#: Distributions whose files go along, with what they depend on.
_DISTRIBUTIONS = ("pytest",)

#: Large parts of Python's library that no test of the lab touches.
_NOT_NEEDED = frozenset(
    ("site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3")
)

_PACKAGES = "/usr/local/lib/palisade/packages"
_NFT = "/usr/local/lib/palisade/nft"
_COLLECTIONS = "/usr/local/lib/palisade/collections"
_CLASSBENCH = "/usr/local/lib/palisade/classbench"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ImageError(RuntimeError):
    """Something that every machine needs is not installed here."""


def build(
    kernel: Kernel, command: t.Sequence[str], seconds: int, nft: str = "", files: t.Sequence[str] = ()
) -> Archive:
    """The root file system in which ``command`` runs, from the checkout's folder, for so many seconds at most.

    ``python3`` is this Python; the collection, ``lab``, ``tests`` and pytest can be imported.

    Args:
        nft: The release whose nft is used, where not that of the kernel.
        files: Absolute paths of more files that the command reads, at the same places.

    Raises:
        ImageError: A program is missing here.
    """
    archive = Archive()
    for folder in ("/dev", "/proc", "/sys", "/run", "/root", "/var/lib", "/etc"):
        archive.add_directory(folder)
    archive.add_directory("/tmp", 0o1777)
    for path in _FILES:
        if os.path.exists(path):
            archive.add_same(path)
    python = _add_python(archive)
    add_programs(archive, _PROGRAMS, _EXTRAS)
    # What the kernel itself calls.
    if "/sbin/modprobe" not in archive:
        archive.add_link("/sbin/modprobe", t.cast("str", shutil.which("modprobe", path=PATH)))
    _add_nft(archive, nft or kernel.suite)
    _add_modules(archive, kernel)
    _add_checkout(archive)
    for path in files:
        archive.add_same(path)
    archive.add_text("/init", "#!%s -IS\n%s" % (python, pathlib.Path(boot.__file__).read_text(encoding="utf-8")), 0o755)
    order = {
        "command": list(command),
        "folder": str(CHECKOUT),
        "seconds": seconds,
        "host_name": kernel.suite,
        "environment": {
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "PATH": PATH,
            "PYTHONPATH": ":".join((_PACKAGES, _COLLECTIONS, str(CHECKOUT))),
            # Nothing that is compiled here is kept.
            "PYTHONDONTWRITEBYTECODE": "1",
            # A serial line is a terminal, but nobody looks at it.
            "NO_COLOR": "1",
            "PALISADE_CLASSBENCH": _CLASSBENCH,
        },
    }
    archive.add_text(boot.ORDER, json.dumps(order))
    return archive


def _add_python(archive: Archive) -> str:
    """Python where it is here, past the virtual environment; returns the place."""
    # A virtual environment leads to it by links.
    python = os.path.realpath(sys.executable)
    archive.add_same(python)
    archive.add_link("/usr/local/bin/python3", python)
    objects = [python]
    for name in ("stdlib", "platstdlib"):
        folder = sysconfig.get_path(name, vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix})
        archive.add_tree(folder, folder, _is_needed)
        dynamic = os.path.join(folder, "lib-dynload")
        if os.path.isdir(dynamic):
            objects += [os.path.join(dynamic, file) for file in sorted(os.listdir(dynamic)) if file.endswith(".so")]
    _add_libraries(archive, objects)
    for distribution in _with_requirements(_DISTRIBUTIONS):
        for file in distribution.files or ():
            source = os.path.normpath(str(distribution.locate_file(file)))
            # What lies above are commands, which name the virtual environment.
            if not str(file).startswith("..") and os.path.isfile(source):
                archive.add_file("%s/%s" % (_PACKAGES, file), source)
    return python


def _is_needed(name: str) -> bool:
    return name.split(os.sep, maxsplit=1)[0] not in _NOT_NEEDED and not name.startswith("config-")


def _with_requirements(names: t.Iterable[str]) -> t.Iterator[importlib.metadata.Distribution]:
    """Installed distributions, and those that they depend on as far as they are installed."""
    waiting, seen = list(names), set()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            # Of another system, another Python, or an extra.
            continue
        yield found
        waiting += [
            re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
            for requirement in found.requires or ()
            if "extra ==" not in requirement
        ]


def add_programs(archive: Archive, names: t.Iterable[str], extras: t.Iterable[str] = ()) -> None:
    """Puts programs of this machine where they are here, with the libraries that they are loaded with.

    Args:
        extras: Left out where they are not installed.

    Raises:
        ImageError: One of the others is not installed here.
    """
    found = []
    for name in names:
        place = shutil.which(name, path=PATH)
        if place is None:
            raise ImageError("%s is not installed here" % name)
        found.append(place)
    found.extend(place for place in (shutil.which(name, path=PATH) for name in extras) if place is not None)
    for place in found:
        archive.add_same(place)
    _add_libraries(archive, found)


def _add_nft(archive: Archive, suite: str) -> None:
    """The nft of a release, which lies in the cache unless that is the release of this machine."""
    cached = CHECKOUT / ".cache" / "nft" / suite
    if (cached / "nft").exists():
        archive.add_tree(_NFT, str(cached), _is_of_nft)
        archive.add_text("/usr/local/sbin/nft", '#!/bin/sh\nexec %s/nft "$@"\n' % _NFT, 0o755)
        return
    own = shutil.which("nft", path=PATH)
    if own is None:
        raise ImageError("nft is not installed here")
    archive.add_same(own)
    _add_libraries(archive, [own])


def _is_of_nft(name: str) -> bool:
    return name not in ("root/etc", "root/usr/share", "root/usr/bin") and not name.endswith(("/gconv", "/perl-base"))


def _add_modules(archive: Archive, kernel: Kernel) -> None:
    folder = "/lib/modules/%s" % kernel.release
    # Where /lib leads to /usr/lib here, it does so in the machine.
    if os.path.islink("/lib"):
        archive.add_link("/lib", os.readlink("/lib"))
        folder = "/usr" + folder
    chosen = kernel.module_files()
    for name in [*chosen, *(file.name for file in kernel.modules.glob("modules.*"))]:
        archive.add_file("%s/%s" % (folder, name), str(kernel.modules / name))


def _add_checkout(archive: Archive) -> None:
    for name in _FOLDERS:
        archive.add_tree(str(CHECKOUT / name), str(CHECKOUT / name), lambda name: name != "output")
    archive.add_same(str(CHECKOUT / "pyproject.toml"))
    archive.add_link("%s/ansible_collections/palisade/nftables" % _COLLECTIONS, str(CHECKOUT))
    data = os.environ.get("PALISADE_CLASSBENCH") or str(CHECKOUT.parent / "shared" / "data" / "classbench")
    if os.path.isdir(data):
        archive.add_tree(_CLASSBENCH, data)


@functools.cache
def _libraries(objects: t.Tuple[str, ...]) -> t.FrozenSet[str]:
    """The shared libraries that programs and other libraries are loaded with, and the loader itself."""
    done = subprocess.run(["ldd", *objects], capture_output=True, text=True, check=False)
    return frozenset(re.findall(r"^\t(?:\S+ => )?(/\S+) \(0x", done.stdout, re.MULTILINE))


def _add_libraries(archive: Archive, objects: t.Sequence[str]) -> None:
    # glibc opens some libraries only when they are needed; which ones, no program says.
    for path in sorted(_libraries(tuple(objects))):
        archive.add_same(path)
        if os.path.basename(path) == "libc.so.6":
            for name in ("libnss_files.so.2", "libgcc_s.so.1"):
                beside = os.path.join(os.path.dirname(path), name)
                if os.path.exists(beside):
                    archive.add_same(beside)
