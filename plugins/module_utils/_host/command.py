# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Running a program: no shell, text in, text out, within a time."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t

from .errors import HostError

#: Where system programs lie; the path of an unprivileged login leaves these out.
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")

#: Longest piece of a program's complaint that is repeated. nft shows the line that it refuses, and a
#: line with a large set runs to megabytes.
_SHOWN_CHARACTERS = 2000
_SHOWN_LINES = 20
_SHOWN_LINE_CHARACTERS = 240


class CommandTimeoutError(HostError):
    """A program did not end in time, and was killed."""


class Finished(t.NamedTuple):
    """How a program ended: its exit status, what it printed, and its complaint, shortened for a reader."""

    status: int
    output: str
    complaint: str


def find_program(name: str, search_path: t.Optional[str] = None) -> t.Optional[str]:
    """The absolute path of a program: in PATH, or where system programs lie."""
    folders = (os.environ.get("PATH", os.defpath) if search_path is None else search_path).split(os.pathsep)
    # An empty or relative entry means the working directory, which is anybody's.
    absolute = [folder for folder in (*folders, *_SYSTEM_FOLDERS) if os.path.isabs(folder)]
    return shutil.which(name, path=os.pathsep.join(absolute))


def run_program(arguments: t.Sequence[str], *, text: str = "", seconds: float) -> Finished:
    """Runs a program with ``text`` on its standard input.

    Raises:
        CommandTimeoutError: It did not end within ``seconds``.
        HostError: It could not be started.
    """
    try:
        done = subprocess.run(
            arguments,
            input=text,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            # Messages are compared with their untranslated texts.
            env={**os.environ, "LC_ALL": "C", "LANGUAGE": ""},
        )
    except subprocess.TimeoutExpired as exc:
        raise CommandTimeoutError("%s did not end within %d seconds" % (arguments[0], seconds)) from exc
    except OSError as exc:
        raise HostError("%s cannot be run: %s" % (arguments[0], exc.strerror)) from exc
    return Finished(done.returncode, done.stdout, shorten(done.stderr))


def shorten(text: str) -> str:
    """The beginning of a text that is fit for a message; unprintable characters are replaced."""
    lines = [
        "".join(char if char.isprintable() else " " for char in line[:_SHOWN_LINE_CHARACTERS]).rstrip()
        for line in text[:_SHOWN_CHARACTERS].splitlines()[:_SHOWN_LINES]
    ]
    return "\n".join(line for line in lines if line)
