# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine that runs: its disk, its network card, its serial lines."""

from __future__ import annotations

import pathlib
import subprocess
import time
import typing as t

from ..closing import Closing
from ..emulator.machine import EMULATOR
from ..namespaces import Host
from .disk import Disk, write_ramdisk
from .report import Report, parse_reports
from .write_log import SECTOR

#: The lab's end of the cable, and the machine's addresses, which lie on its disk.
INTERFACE = "machine0"
LAB_ADDRESSES = ("192.0.2.1/24", "2001:db8::1/64")
ADDRESSES: t.Mapping[int, str] = {4: "192.0.2.10", 6: "2001:db8::10"}
HARDWARE_ADDRESS = "52:54:00:c0:00:02"

#: The network card has the name that the kernel gives it, and not one that udev would choose. What the processor's
#: counter of cycles counts is measured at boot, and wrong where other work came between: it is no clock.
_PARAMETERS = (
    *("console=ttyS0", "loglevel=4", "panic=0", "oops=panic", "systemd.show_status=false"),
    *("mitigations=off", "random.trust_cpu=on", "tsc=unstable", "net.ifnames=0"),
)

_WITHOUT_DEVICES = ("systemd.mask=systemd-udevd.service", "systemd.mask=systemd-udev-trigger.service")

#: Longest that a machine takes until its network may come up, and to go down; ten seconds are usual.
_BOOT_SECONDS = 300.0
_END_SECONDS = 30.0
_LAST_LINES = 50


class MachineError(RuntimeError):
    """The machine did not do what every machine does."""


def plug_in(outside: Host) -> None:
    """Gives a host of the lab the other end of the cable. It stays when machines come and go."""
    outside.ip("tuntap add dev %s mode tap" % INTERFACE)
    outside.add_addresses(INTERFACE, LAB_ADDRESSES)


class Machine(Closing):
    """A machine, switched on. Leaving it pulls the plug."""

    def __init__(
        self,
        disk: Disk,
        outside: Host,
        folder: pathlib.Path,
        image: pathlib.Path,
        *,
        write_log: t.Optional[pathlib.Path] = None,
        is_connected: bool = True,
    ) -> None:
        """Switches it on.

        Args:
            outside: The host of the lab that the emulator runs in, and that the network card leads to.
            folder: For what the machine prints; of this machine alone.
            image: Its disk, which it writes to: a copy of that of ``disk``.
            is_connected: Whether it has a network card. Without one it does not look for devices either, which is
                half of the time that a boot takes.
            write_log: Where everything that it writes is written down, see :mod:`.write_log`.
        """
        self._console = folder / "console"
        self._reports = folder / "reports"
        self._problems = folder / "problems"
        for stale in (self._console, self._reports):
            # Of the machine before: it would be taken for what this one says.
            stale.unlink(missing_ok=True)
        ramdisk = folder / "ramdisk"
        parameters = _PARAMETERS if is_connected else _PARAMETERS + _WITHOUT_DEVICES
        write_ramdisk(disk.kernel, ramdisk)
        command = [
            # A machine that is rebooted ends, to be switched on again.
            *(EMULATOR, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-accel", "tcg", "-cpu", "qemu64", "-smp", "1", "-m", "512"),
            *("-kernel", str(disk.kernel.image), "-initrd", str(ramdisk), "-append", " ".join(parameters)),
            *("-chardev", "file,id=console,path=%s" % self._console, "-serial", "chardev:console"),
            *("-chardev", "file,id=reports,path=%s" % self._reports, "-serial", "chardev:reports"),
            *_drive(image, write_log),
        ]
        if is_connected:
            command += [
                *("-netdev", "tap,id=cable,ifname=%s,script=no,downscript=no" % INTERFACE),
                *("-device", "virtio-net-pci,netdev=cable,mac=%s,romfile=" % HARDWARE_ADDRESS),
            ]
        with open(self._problems, "wb") as problems:
            self._process = outside.popen(
                command, stdin=subprocess.DEVNULL, stdout=problems, stderr=problems, start_new_session=True
            )

    def await_report(self) -> Report:
        """Waits for what the machine says of itself when its network may come up.

        Raises:
            MachineError: It never did.
        """
        deadline = time.monotonic() + _BOOT_SECONDS
        while True:
            for report in parse_reports(_text(self._reports)):
                return report
            has_stopped = self._process.poll() is not None or "Kernel panic" in _text(self._console)
            if has_stopped or time.monotonic() > deadline:
                raise MachineError("the machine did not come up; last seen:\n%s" % self.last_words())
            time.sleep(0.05)

    def await_end(self) -> None:
        """Waits until the machine has switched itself off, or ended to be rebooted.

        Raises:
            MachineError: It never did.
        """
        try:
            self._process.wait(_BOOT_SECONDS)
        except subprocess.TimeoutExpired:
            raise MachineError("the machine did not go down; last seen:\n%s" % self.last_words()) from None

    def last_words(self) -> str:
        """What was last printed, by the emulator and by the machine."""
        lines = (_text(self._problems) + _text(self._console) + _text(self._reports)).splitlines()
        return "\n".join(lines[-_LAST_LINES:])

    def close(self) -> None:
        """Kills the emulator, whatever it is doing. The machine knows nothing of it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(_END_SECONDS)


def copy_disk(disk: Disk, path: pathlib.Path) -> pathlib.Path:
    """A copy to write to; only what is not empty takes room."""
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(disk.image), str(path)], check=True)
    return path


def _drive(image: pathlib.Path, write_log: t.Optional[pathlib.Path]) -> t.List[str]:
    """The disk, with a cache that the machine has to flush."""
    file = "driver=raw,file.driver=file,file.filename=%s" % image
    if write_log is None:
        # What the emulator has taken outlives it, and this machine is not to lose power.
        options = ["-blockdev", "node-name=disk,cache.no-flush=on," + file]
    else:
        write_log.touch()
        log = "log.driver=file,log.filename=%s,log-sector-size=%d" % (write_log, SECTOR)
        options = [
            *("-blockdev", "node-name=file,cache.no-flush=on," + file),
            *("-blockdev", "driver=blklogwrites,node-name=disk,file=file," + log),
        ]
    return [*options, "-device", "virtio-blk-pci,drive=disk,write-cache=on"]


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
    except FileNotFoundError:
        return ""
