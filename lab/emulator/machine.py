# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulator: one machine, one command, and nothing left over."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import selectors
import shutil
import subprocess
import tempfile
import time
import types
import typing as t
from dataclasses import dataclass

from . import image
from .archive import Archive
from .kernels import Kernel

EMULATOR = "qemu-system-x86_64"

#: A kernel that stops, or says that it went wrong, ends the machine (kernel-parameters.txt of the kernel).
_PARAMETERS = (
    *("console=ttyS0", "loglevel=5", "panic=-1", "oops=panic", "reboot=t"),
    *("mitigations=off", "random.trust_cpu=on", "tsc=reliable", "8250.nr_uarts=3"),
)

#: Longest that a machine takes to begin with its command, and to end after it; some seconds are usual.
_BOOT_SECONDS = 120.0

#: Longest that hardware help may take to prove itself; where it works that is about two seconds.
_PROBE_SECONDS = 30.0

#: Of the console, in an error: a kernel that stops says why above two dozen lines of addresses.
_LAST_LINES = 50

#: TAINT_WARN of the kernel's panic.h: it has printed a warning about itself.
_TAINT_WARNING = 1 << 9


class MachineError(RuntimeError):
    """The machine itself failed, whatever the command would have done."""


@dataclass(frozen=True)
class Outcome:
    """What came of a machine.

    Attributes:
        status: Exit status of the command; 124 where it took too long, as from timeout(1).
        output: What it printed.
        console: What the kernel printed.
        has_warned: The kernel printed a warning about a fault of its own.
        boot_seconds: From power on to the command, by the machine's clock.
        seconds: How long the command took, by the machine's clock.
    """

    status: int
    output: str
    console: str
    has_warned: bool
    boot_seconds: float
    seconds: float


def why_unavailable() -> t.Optional[str]:
    """The reason why no machine can run here, None where one can."""
    for tool, package in ((EMULATOR, "qemu-system-x86"), ("setpriv", "util-linux"), ("ldd", "libc-bin")):
        if shutil.which(tool) is None:
            return "%s is not installed (Debian's package: %s)" % (tool, package)
    return None


def run(
    kernel: Kernel,
    command: t.Sequence[str],
    *,
    seconds: int = 120,
    acceleration: str = "tcg",
    without: t.Sequence[str] = (),
    nft: str = "",
    files: t.Sequence[str] = (),
    processors: int = 2,
    megabytes: int = 1536,
    show: t.Callable[[str], t.Any] = lambda _text: None,
) -> Outcome:
    """Boots a machine, runs a command in it, and ends it.

    Args:
        command: Runs in the checkout's folder; ``python3`` is this Python with what the tests need.
        seconds: Longest that the command may take, by the machine's clock.
        acceleration: ``kvm`` or ``tcg``; :func:`best_acceleration` finds out.
        without: Features that the processor is not to have, such as ``avx2``.
        nft: The release whose nft is used, where not that of the kernel.
        files: Absolute paths of more files that the command reads, at the same places.
        show: Gets the command's output as it comes.

    Raises:
        MachineError: The emulator or the kernel gave up, or the machine did not end in time.
        .image.ImageError: Something that a machine needs is not installed here.
    """
    archive = image.build(kernel, command, seconds, nft, files)
    hardware = _Hardware(acceleration, tuple(without), processors, megabytes)
    return _run(kernel, archive, hardware, seconds + _BOOT_SECONDS, show)


@functools.cache
def best_acceleration(kernel: Kernel) -> str:
    """``kvm`` where a machine with it boots this kernel, else ``tcg``, which needs nothing.

    A device file that opens proves little: inside another machine it may be there and fail.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    archive = image.build(kernel, ["true"], 10)
    try:
        outcome = _run(kernel, archive, _Hardware("kvm"), _PROBE_SECONDS, lambda _text: None)
    except MachineError:
        return "tcg"
    return "kvm" if outcome.status == 0 else "tcg"


@dataclass(frozen=True)
class _Hardware:
    acceleration: str
    without: t.Tuple[str, ...] = ()
    processors: int = 2
    megabytes: int = 1536

    def options(self) -> t.List[str]:
        processor = ",".join(["max", *("%s=off" % name for name in self.without)])
        return [
            *("-accel", self.acceleration, "-cpu", processor),
            *("-smp", str(self.processors), "-m", str(self.megabytes)),
        ]


def _run(
    kernel: Kernel, archive: Archive, hardware: _Hardware, seconds: float, show: t.Callable[[str], t.Any]
) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="palisade-machine-") as folder:
        work = pathlib.Path(folder)
        with open(work / "root", "wb") as handle:
            archive.write(handle)
        with _Machine(kernel, hardware, work) as machine:
            output = machine.wait(seconds, show)
        return _outcome(work, output)


class _Machine:
    """A running emulator. A context manager: leaving it ends the emulator, whatever it is doing."""

    def __init__(self, kernel: Kernel, hardware: _Hardware, work: pathlib.Path) -> None:
        command = [
            # Also when this process is killed, nothing stays behind.
            *("setpriv", "--pdeathsig", "KILL", "--"),
            *(EMULATOR, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *hardware.options(),
            *("-kernel", str(kernel.image), "-initrd", str(work / "root"), "-append", " ".join(_PARAMETERS)),
            *("-chardev", "file,id=console,path=%s" % (work / "console"), "-serial", "chardev:console"),
            *("-chardev", "stdio,id=output,signal=off", "-serial", "chardev:output"),
            *("-chardev", "file,id=report,path=%s" % (work / "report"), "-serial", "chardev:report"),
        ]
        self._problems = open(work / "problems", "wb")  # noqa: SIM115 - closed with the machine
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._problems, start_new_session=True
        )

    def __enter__(self) -> _Machine:
        return self

    def __exit__(
        self,
        kind: t.Optional[t.Type[BaseException]],
        problem: t.Optional[BaseException],
        trace: t.Optional[types.TracebackType],
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        t.cast("t.IO[bytes]", self._process.stdout).close()
        self._problems.close()

    def wait(self, seconds: float, show: t.Callable[[str], t.Any]) -> str:
        """Waits for the end, and returns the command's output. After so many seconds the machine is ended."""
        deadline = time.monotonic() + seconds
        stdout = t.cast("t.IO[bytes]", self._process.stdout)
        pieces = []
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    self._process.kill()
                    break
                if not selector.select(left):
                    continue
                piece = os.read(stdout.fileno(), 1 << 16)
                if not piece:
                    break
                pieces.append(piece)
                show(piece.decode(errors="replace"))
        self._process.wait()
        return b"".join(pieces).decode(errors="replace")


def _outcome(work: pathlib.Path, output: str) -> Outcome:
    def read(name: str) -> str:
        path = work / name
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    console = read("console")
    try:
        report = json.loads(read("report"))
    except ValueError:
        shown = (read("problems") + console).strip() or "the kernel printed nothing"
        raise MachineError(
            "the machine ended without a word about the command; last seen:\n%s"
            % "\n".join(shown.splitlines()[-_LAST_LINES:])
        ) from None
    return Outcome(
        status=report["status"],
        output=output,
        console=console,
        has_warned=bool(report["taint"] & _TAINT_WARNING),
        boot_seconds=report["booted"],
        seconds=report["ended"] - report["booted"],
    )
