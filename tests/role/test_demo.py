# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration does what it shows: it compares for itself, and fails where something differs."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

from lab.reexec import why_unavailable

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]

#: The demonstration as somebody who is not root: no capability, and another user number.
_WITHOUT_ROOT = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "setpriv", "--bounding-set=-all"]


@pytest.mark.carried
@pytest.mark.parametrize("prefix", [[], _WITHOUT_ROOT], ids=["as-is", "without-root"])
def test_demo(prefix: list[str]) -> None:
    reason = why_unavailable()
    if reason is not None:
        pytest.skip(reason)
    if prefix and subprocess.run([*prefix, "unshare", "--user", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespace can be made inside another one here")
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache" / "collections"),
        "PYTHONPATH": "%s:%s" % (CHECKOUT / ".cache" / "collections", CHECKOUT),
    }
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "demo"],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b(\d{2,}) connections tried: \1 as expected, 0 not", done.stdout)
    assert "Everything is gone again" in done.stdout
