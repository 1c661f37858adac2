# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""nft, the program: the only way by which anything reaches the kernel."""

from __future__ import annotations

import re
import typing as t

from .._compile.table import TABLE_NAME
from .command import CommandTimeoutError, find_program, run_program
from .errors import HostError

#: A ruleset with a set of 50,000 elements loads in under a second; this bounds a hang, not a load.
_SECONDS = 120.0

#: Names that nft takes without quotes (the token "string" of its scanner).
_WORD = re.compile(r"[A-Za-z_.][A-Za-z0-9/_.-]*", re.ASCII)

_NOT_THERE = "No such file or directory"
_NOT_PERMITTED = "Operation not permitted"


class NftError(HostError):
    """nft did not do what was asked."""


class NftMissingError(NftError):
    """nft is not installed."""


class NftNotPermittedError(NftError):
    """The kernel did not let us."""


class NftUnknownError(NftError):
    """nft did not end by itself; of a transaction it is unknown whether the kernel took it."""


class NftRefusedError(NftError):
    """nft or the kernel refused the text. A transaction takes effect as a whole, so nothing happened."""


def not_permitted(answer: str) -> NftNotPermittedError:
    return NftNotPermittedError(
        "the kernel does not let this process use nftables (%s); root is needed, or CAP_NET_ADMIN in the user "
        "namespace that owns the network" % answer
    )


class Nft:
    """One nft on one kernel: that of the network namespace in which the calling thread is."""

    def __init__(self, arguments: t.Sequence[str]) -> None:
        """``arguments`` begin its command line: a path, as a rule."""
        self._arguments = tuple(arguments)

    @property
    def path(self) -> str:
        return self._arguments[0]

    def load(self, text: str, *, seconds: t.Optional[float] = None) -> None:
        """Runs nft text as one transaction.

        Args:
            seconds: How long it may take, if less than always.

        Raises:
            NftError: It was refused, or not permitted, or nft did not end.
        """
        self._run(("-f", "-"), text, seconds=seconds)

    def check(self, text: str) -> None:
        """Whether nft and the kernel would take the text; nothing is changed.

        Raises:
            NftError: As for :meth:`load`.
        """
        self._run(("-c", "-f", "-"), text)

    def list_table(self) -> t.Optional[str]:
        """The listing of our table without counter values; None where there is no such table."""
        return self._list("-s", "list", "table", "inet", TABLE_NAME)

    def list_chain(self, name: str) -> str:
        """A chain of our table, as a table that holds nothing else; without counter values.

        Raises:
            NftError: There is none, or as for :meth:`load`.
        """
        return self._run(("-s", "list", "chain", "inet", TABLE_NAME, name))

    def list_json(self, family: str, name: str) -> str:
        """A table as JSON; empty where it is gone, has a name that is no word, or this nft knows no JSON."""
        if not _WORD.fullmatch(name):
            return ""
        try:
            return self._run(("-j", "list", "table", family, name))
        except NftRefusedError:
            return ""

    def list_rules_json(self) -> str:
        """Our table as JSON, protocols as numbers; empty where it is gone, or this nft knows no JSON."""
        try:
            return self._run(("-j", "-p", "list", "table", "inet", TABLE_NAME))
        except NftRefusedError:
            return ""

    def _list(self, *arguments: str) -> t.Optional[str]:
        try:
            return self._run(arguments)
        except NftRefusedError as exc:
            if _NOT_THERE in str(exc):
                return None
            raise

    def _run(self, arguments: t.Sequence[str], text: str = "", *, seconds: t.Optional[float] = None) -> str:
        limit = _SECONDS if seconds is None else min(_SECONDS, seconds)
        try:
            done = run_program((*self._arguments, *arguments), text=text, seconds=limit)
        except CommandTimeoutError as exc:
            raise NftUnknownError(str(exc)) from exc
        except HostError as exc:
            raise NftError(str(exc)) from exc
        if done.status == 0:
            return done.output
        if done.status < 0:
            raise NftUnknownError("%s was ended by the signal %d" % (self.path, -done.status))
        complaint = done.complaint or "exit status %d" % done.status
        if _NOT_PERMITTED in complaint:
            raise not_permitted(complaint.splitlines()[0])
        raise NftRefusedError("nft refused:\n%s" % complaint)


def find_nft(search_path: t.Optional[str] = None) -> Nft:
    """The nft of this host.

    Raises:
        NftMissingError: There is none.
    """
    path = find_program("nft", search_path)
    if path is None:
        raise NftMissingError(
            "nft is not installed on this host: install the package nftables (the role palisade.nftables.firewall does)"
        )
    return Nft((path,))
