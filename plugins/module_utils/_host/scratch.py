# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""A network namespace in which nft text is tried out: it belongs to one thread and ends with it."""

from __future__ import annotations

import os
import threading
import typing as t

from .errors import HostError
from .nft import Nft, NftNotPermittedError

_CLONE_NEWNET = 0x40000000  # linux/sched.h

_THREAD_NAMESPACE = "/proc/thread-self/ns/net"

Found = t.TypeVar("Found")


class NoNamespaceError(Exception):
    """No network namespace may be made here; the message says what the kernel answered."""


def try_out(nft: Nft, text: str, read: t.Callable[[], Found]) -> Found:
    """What ``read`` returns after the text was loaded into an empty network namespace.

    Raises:
        NoNamespaceError: There was no namespace to do it in.
        HostError: nft refused the text, or from ``read``.
    """
    found: t.List[Found] = []
    problems: t.List[Exception] = []

    def run() -> None:
        try:
            _enter_new_network()
            nft.load(text)
            found.append(read())
        except NftNotPermittedError as exc:
            problems.append(NoNamespaceError(str(exc)))
        except (HostError, NoNamespaceError) as exc:
            problems.append(exc)

    thread = threading.Thread(target=run, name="palisade-scratch", daemon=True)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]
    return found[0]


def _enter_new_network() -> None:
    """Moves the calling thread, and what it starts, into a new network namespace.

    Raises:
        NoNamespaceError: The thread is where it was.
    """
    try:
        before = os.readlink(_THREAD_NAMESPACE)
        _unshare_network()
        after = os.readlink(_THREAD_NAMESPACE)
    except OSError as exc:
        raise NoNamespaceError(exc.strerror or str(exc)) from exc
    if before == after:
        # A sandbox may answer system calls without doing them; the host's own table is at stake.
        raise NoNamespaceError("the kernel made none")


def _unshare_network() -> None:
    unshare = getattr(os, "unshare", None)
    if unshare is not None:
        unshare(_CLONE_NEWNET)
        return
    # Python before 3.12 has no os.unshare.
    import ctypes  # noqa: PLC0415 - only loaded where it is needed

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
