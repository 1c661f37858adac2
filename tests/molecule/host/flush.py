#!/usr/bin/env python3
# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does to nftables.service what people and package scripts do, while the kernel's transactions are written down.

    flush.py ROUNDS TABLE

``TABLE`` is the name of a table of the family inet. Prints what became of it as JSON, see transactions.py. The
service's own commands flush the ruleset.
"""

from __future__ import annotations

import json
import subprocess
import sys

from transactions import watch
from units import act

SERVICE = "nftables.service"
ACTIONS = ("start", "reload", "restart", "stop", "start", "daemon-reload", "try-restart", "stop")


def main() -> None:
    rounds, table = int(sys.argv[1]), sys.argv[2]
    # So that the first start is one, whether or not this host has the service enabled.
    subprocess.run(["systemctl", "stop", SERVICE], check=True)

    def flush() -> None:
        for _round in range(rounds):
            for action in ACTIONS:
                if action == "daemon-reload":
                    subprocess.run(["systemctl", "daemon-reload"], check=True)
                else:
                    act(action, SERVICE)

    print(json.dumps(watch(table, flush)))


if __name__ == "__main__":
    main()
