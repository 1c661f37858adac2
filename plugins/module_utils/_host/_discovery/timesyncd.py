# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""systemd-timesyncd's time sources (timesyncd.conf(5))."""

from __future__ import annotations

import typing as t

from .network_state import NetworkState
from .server_text import canonical_address
from .systemd import read_configuration, words
from .time_source import TimeSource
from .tree import Tree

#: DHCP clients (dhclient's and dhcpcd's hooks) write drop-ins here.
_FROM_LEASES = "/run/systemd/timesyncd.conf.d/"


def read_timesyncd(tree: Tree, network: NetworkState) -> t.List[TimeSource]:
    """``NTP=`` and the servers of the interfaces; without any, ``FallbackNTP=``; else the built-in ones."""
    configuration = read_configuration(tree, "systemd/timesyncd.conf")
    found = [
        TimeSource(word, path, is_leased=path.startswith(_FROM_LEASES))
        for word, path in words(configuration, "Time", "NTP")
    ]
    for word, path in network.link_ntp:
        is_fixed = canonical_address(word) in network.fixed_ntp
        found.append(TimeSource(word, path, is_leased=not is_fixed))
    if not found:
        found = [TimeSource(word, path) for word, path in words(configuration, "Time", "FallbackNTP")]
    # Every build has names compiled in; which ones, no file says.
    return found or [TimeSource("", "")]
