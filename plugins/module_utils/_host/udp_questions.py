# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Questions over UDP that a server of the port's usual service answers, whatever it answers.

UDP has no handshake: only an answer of the service shows that a packet got through.
"""

from __future__ import annotations

import os
import struct
import typing as t

DNS_PORT, NTP_PORT = 53, 123

_NTP_CLIENT = 0x23  # version 4, mode 3 (RFC 5905, section 7.3)
NTP_OCTETS = 48
_DNS_HEADER = struct.Struct("!HHHHHH")
DNS_HEADER_OCTETS = _DNS_HEADER.size
_RECURSION_DESIRED = 0x0100
_TYPE_NS, _CLASS_IN = 2, 1
#: Response codes of a resolver that has found out: there is such a name, or there is none.
_FOUND_OUT = (0, 3)
#: A domain for documentation (RFC 2606), which exists.
_DOMAIN = ("example", "com")


def dns_question(*labels: str) -> bytes:
    """A question for the name servers of a name, or of the root (RFC 1035, section 4); its first two octets return."""
    number = int.from_bytes(os.urandom(2), "big")
    header = _DNS_HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0)
    name = b"".join(bytes([len(label)]) + label.encode("ascii") for label in labels)
    return header + name + b"\0" + struct.pack("!HH", _TYPE_NS, _CLASS_IN)


def new_dns_question() -> bytes:
    """A question that no resolver can answer from memory."""
    return dns_question(os.urandom(8).hex(), *_DOMAIN)


def is_dns_answer(question: bytes, answer: bytes) -> bool:
    """Whether it is an answer to the question, whatever it says."""
    return answer[:2] == question[:2] and len(answer) >= DNS_HEADER_OCTETS


def is_found_out(question: bytes, answer: bytes) -> bool:
    """Whether the resolver has asked somebody who knows."""
    return is_dns_answer(question, answer) and answer[3] & 0x0F in _FOUND_OUT


def ntp_question() -> bytes:
    """A client's request (RFC 5905)."""
    return bytes([_NTP_CLIENT]) + bytes(NTP_OCTETS - 1)


#: What is asked at the ports of services that answer strangers; elsewhere an empty packet is as good as any.
_QUESTIONS: t.Mapping[int, t.Callable[[], bytes]] = {DNS_PORT: dns_question, NTP_PORT: ntp_question}


def question_for(port: int) -> bytes:
    """What the usual service of a port answers; empty where there is no such question."""
    return _QUESTIONS.get(port, bytes)()
