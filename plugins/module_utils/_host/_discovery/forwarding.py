# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What a resolver on the host asks and where it answers, as the readers of all resolvers return it."""

from __future__ import annotations

import re
import typing as t

from ..._policy.hostfacts import DNS_PORT, DNS_PROTOCOLS, Server

#: DNS over TLS, RFC 7858.
TLS_PORT = 853

#: Whatever name server the search for a name leads to.
ANYWHERE = Server(None, DNS_PORT, DNS_PROTOCOLS)


class Forwarding(t.NamedTuple):
    """What the configuration of a resolver says.

    Attributes:
        servers: Whom it asks, those on the host included.
        ports: Where it answers itself.
    """

    servers: t.List[Server]
    ports: t.FrozenSet[int] = frozenset((DNS_PORT,))


def without_comment(line: str) -> str:
    """A comment begins at a hash after white space: servers hold hashes themselves, ``192.0.2.1#53``."""
    return re.split(r"(?:^|\s)#", line, maxsplit=1)[0]
