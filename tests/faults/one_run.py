# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the module's core on this host, as a process of its own that can be killed.

one_run.py ROOT OPTIONS    OPTIONS: JSON: variables, state, phase, timeout, token; seconds: how long a program that is
                           run may take, patience: how long another run is waited for, each 0 for as long as always
"""

from __future__ import annotations

import json
import sys

from ansible_collections.palisade.nftables.plugins.module_utils._host import lock, nft, persistence, services, watchdog
from ansible_collections.palisade.nftables.plugins.module_utils._host.apply import run
from ansible_collections.palisade.nftables.plugins.module_utils._host.confirm import Confirm, Phase
from ansible_collections.palisade.nftables.plugins.module_utils._host.errors import HostError
from ansible_collections.palisade.nftables.plugins.module_utils._host.options import Host, Options


def main() -> int:
    """Prints the result as JSON, or the error."""
    asked = json.loads(sys.argv[2])
    confirm = Confirm(Phase(asked["phase"]), asked["timeout"], token=asked["token"])
    options = Options(
        state=asked["state"], variables=asked["variables"], connection="podman", diff=False, confirm=confirm
    )
    if asked["seconds"]:
        nft._SECONDS = watchdog._SECONDS = services._SECONDS = persistence._SYSTEMCTL_SECONDS = asked["seconds"]
    if asked["patience"]:
        lock.WAIT_SECONDS = asked["patience"]
    # What comes before is the interpreter's; a fault there is no fault of a run.
    sys.stderr.write("begin\n")
    try:
        result = run(options, Host(sys.argv[1]))
    except HostError as exc:
        sys.stdout.write(json.dumps({"failed": str(exc)}))
        return 1
    sys.stdout.write(json.dumps({name: result.get(name) for name in ("changed", "warnings", "notes", "confirmation")}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
