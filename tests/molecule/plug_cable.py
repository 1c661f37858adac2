# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OCI hook: puts a network card into a container before its first process starts, at every start.

A container that reboots gets a new network namespace. With the card in place before systemd runs, and
without an address until systemd-networkd gives it one, the container boots as a machine does, and
whether a firewall is loaded before the network comes up can be seen.

The container's annotation ``palisade.cable`` is ``NAMESPACE/MAC``: the network namespace (as in
``ip netns``) whose bridge ``lan`` the card is connected to, and the card's address. The other end of
the cable is named after the MAC address's last two digits.
"""

from __future__ import annotations

import json
import subprocess
import sys

#: A hook is run without the environment's search path.
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, env=_ENVIRONMENT)


def main() -> None:
    """Reads the container's state, as OCI describes it, from standard input."""
    state = json.load(sys.stdin)
    namespace, address = state["annotations"]["palisade.cable"].split("/")
    plug = "port-%s" % address[-2:]
    # The kernel may not be done yet with taking away the card of the container's last life.
    subprocess.run(
        ["ip", "-netns", namespace, "link", "delete", plug],
        check=False,
        env=_ENVIRONMENT,
        stderr=subprocess.DEVNULL,
    )
    _ip(
        *("link", "add", "name", "eth0", "address", address, "netns", str(state["pid"])),
        *("type", "veth", "peer", "name", plug, "netns", namespace),
    )
    _ip("-netns", namespace, "link", "set", plug, "master", "lan", "up")


if __name__ == "__main__":
    main()
