# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chains that surround a ruleset under test; :mod:`.verdicts` says what they are for."""

from __future__ import annotations

import typing as t

TABLE = "lab_verdicts"

#: Ranges of packet numbers: tracked; tracked, translated and forwarded; tracked and refused by the lab, so
#: that the kernel sends a reset; not tracked; marks in the order of arrival.
TRACKED, PUBLISHED, RESET, UNTRACKED, FENCES = (
    (1, 24576),
    (24576, 32768),
    (32768, 49152),
    (49152, 65000),
    (65000, 65536),
)

#: Numbers of packets that came before the ruleset with state and interface, in the reply direction of a
#: flow, behind the ruleset, and that were answered with a refusal.
SETS = ("early", "reply", "late", "answered")

_CHAINS = """
table inet %(table)s {
  set early {
    typeof ip id . ct state . meta iif
    size 65535
    flags dynamic
  }
  set reply {
    typeof ip id
    size 65535
    flags dynamic
  }
  set late {
    typeof ip id
    size 65535
    flags dynamic
  }
  set answered {
    typeof ip id
    size 65535
    flags dynamic
  }
  counter early { }
  counter late { }
  counter answered { }
  counter foreign { }

  chain track {
    meta nfproto ipv4 ip id >= %(untracked)d notrack return
    meta nfproto ipv6 @nh,16,16 >= %(untracked)d notrack return
    meta nfproto ipv4 ip id > 0 ct zone set ip id
    meta nfproto ipv6 @nh,16,16 > 0 ct zone set @nh,16,16
  }
  chain note_reset {
    tcp flags & ack == ack @th,80,16 >= %(reset)d @th,80,16 < %(untracked)d goto note_reset_early_ack
    tcp flags & ack == 0 @th,48,16 >= %(reset)d @th,48,16 < %(untracked)d goto note_reset_early
    counter name answered
    tcp flags & ack == ack add @answered { @th,80,16 } drop
    add @answered { @th,48,16 } drop
  }
  chain note_reset_early_ack {
    counter name early
    add @early { @th,80,16 . ct state . meta oif }
    ct direction reply add @reply { @th,80,16 }
  }
  chain note_reset_early {
    counter name early
    add @early { @th,48,16 . ct state . meta oif }
    ct direction reply add @reply { @th,48,16 }
  }
  chain note_error4 {
    counter name answered
    @th,96,16 > 0 add @answered { @th,96,16 } drop
    @th,328,8 & 16 == 16 add @answered { @th,304,16 } drop
    add @answered { @th,272,16 } drop
  }
  chain note_error6 {
    counter name answered
    @th,80,16 > 0 add @answered { @th,80,16 } drop
    @th,488,8 & 16 == 16 add @answered { @th,464,16 } drop
    add @answered { @th,432,16 } drop
  }

  chain prerouting_raw {
    type filter hook prerouting priority -450; policy accept;
%(arrival_marks)s
    jump track
  }
  chain prerouting_early {
    type filter hook prerouting priority -190; policy accept;
    meta nfproto ipv4 ip id >= %(fences)d add @early { ip id . ct state . meta iif } drop
    meta nfproto ipv6 @nh,16,16 >= %(fences)d add @early { @nh,16,16 . ct state . meta iif } drop
    meta nfproto ipv4 ip id 0 counter name foreign drop
    meta nfproto ipv6 @nh,16,16 0 counter name foreign drop
    meta nfproto ipv4 ip id >= %(reset)d ip id < %(untracked)d accept
    meta nfproto ipv6 @nh,16,16 >= %(reset)d @nh,16,16 < %(untracked)d accept
    counter name early
    meta nfproto ipv4 add @early { ip id . ct state . meta iif }
    meta nfproto ipv6 add @early { @nh,16,16 . ct state . meta iif }
    meta nfproto ipv4 ct direction reply add @reply { ip id }
    meta nfproto ipv6 ct direction reply add @reply { @nh,16,16 }
  }
  chain input_refuse {
    type filter hook input priority -400; policy accept;
    meta nfproto ipv4 ip id >= %(reset)d ip id < %(untracked)d jump refuse
    meta nfproto ipv6 @nh,16,16 >= %(reset)d @nh,16,16 < %(untracked)d jump refuse
    meta mark set 0
  }
  chain refuse {
%(answer_marks)s
    meta l4proto tcp reject with tcp reset
  }
  chain input_late {
    type filter hook input priority 900; policy accept;
    counter name late
    meta nfproto ipv4 add @late { ip id } drop
    add @late { @nh,16,16 } drop
  }

  chain output_raw {
    type filter hook output priority -450; policy accept;
    meta mark set 0
    meta skuid >= 0 jump track
  }
  chain output_early {
    type filter hook output priority -190; policy accept;
    meta skuid >= 0 goto output_note
    meta l4proto tcp tcp flags & rst == rst goto note_reset
    meta nfproto ipv4 icmp type destination-unreachable goto note_error4
    meta nfproto ipv6 icmpv6 type destination-unreachable goto note_error6
    counter name foreign drop
  }
  chain output_note {
    counter name early
    meta nfproto ipv4 add @early { ip id . ct state . meta oif }
    meta nfproto ipv6 add @early { @nh,16,16 . ct state . meta oif }
    meta nfproto ipv4 ct direction reply add @reply { ip id }
    meta nfproto ipv6 ct direction reply add @reply { @nh,16,16 }
  }
  chain output_late {
    type filter hook output priority 900; policy accept;
    counter name late
    meta skuid >= 0 meta nfproto ipv4 add @late { ip id } drop
    meta skuid >= 0 add @late { @nh,16,16 } drop
    tcp flags & ack == ack add @late { @th,80,16 } drop
    add @late { @th,48,16 } drop
  }
}
"""


def marks(number: int) -> t.Tuple[int, int]:
    """An interface's marks, which are its routing tables as well: of what arrives, and of the lab's resets."""
    return 1000 + number, 2000 + number


def text(interfaces: t.Sequence[str]) -> str:
    """The lab's own table, as nft text, for these interfaces."""
    arrivals, answers = [], []
    for number, name in enumerate(interfaces):
        arrival, answer = marks(number)
        arrivals.append('    iifname "%s" meta mark set %d' % (name, arrival))
        answers.append('    iifname "%s" meta mark set %d' % (name, answer))
    return _CHAINS % {
        "table": TABLE,
        "reset": RESET[0],
        "untracked": UNTRACKED[0],
        "fences": FENCES[0],
        "arrival_marks": "\n".join(arrivals),
        "answer_marks": "\n".join(answers),
    }
