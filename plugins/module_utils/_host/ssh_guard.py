# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The safeguard ssh: a run that would cut its own way in is refused, before anything is touched.

A connection that is open survives a change of policy, so it proves nothing about the next one. Here a
new connection from where this run comes from is put to the evaluator, packet by packet, both ways.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.addresses import parse_address
from .._policy.evaluate import Decision, evaluate
from .._policy.model import Action, Direction, FlowDirection, Safeguard, Stage, State
from .._policy.packet import Packet
from .._policy.program import LOOPBACK, Program
from ._discovery.session import SshConnection, find_ssh_connection, interface_towards
from .errors import HostError

_TCP = 6

#: The next connection comes from another port than this one, and nobody knows which. This one is in
#: every range of ephemeral ports that is in use (IANA's begins later, at 49152, and Linux's ends at 60999).
_EPHEMERAL_PORT = 50000

#: Names that interfaces towards a network have; one that the program filters stands for an unknown one.
_INTERFACES = ("eth0", "net0", "wlan0", "bond0", "ppp0", "tun0")

#: Connection plugins, without their collections: those that run on this machine, those that enter a
#: container or a jail from outside, and those that come by SSH. An empty name is an unknown one.
_LOCAL = "local"
_NOT_OVER_THE_NETWORK = ("chroot", "docker", "podman", "buildah", "lxc", "lxd", "incus", "jail", "nsenter", "qubes")
_SSH = ("ssh", "paramiko", "paramiko_ssh", "libssh", "")


class CutOffError(HostError):
    """The new ruleset would refuse a new connection from where this run comes from."""


class GuardReport(t.NamedTuple):
    """What the safeguard did.

    Attributes:
        summary: One sentence for the result.
        warning: One sentence where it could not do its work; empty elsewhere.
    """

    summary: str
    warning: str = ""


def guard_ssh(program: Program, safeguard: Safeguard, connection: str, environ: t.Mapping[str, str]) -> GuardReport:
    """Checks the new program against the connection that this process works for.

    Args:
        connection: Name of the connection plugin; empty where it is not known.
        environ: The environment of this process.

    Raises:
        CutOffError: A packet of a new connection would be refused.
    """
    if safeguard.mode == "off":
        return GuardReport("off")
    plugin = connection.rpartition(".")[2]
    if plugin in _NOT_OVER_THE_NETWORK:
        return GuardReport("nothing to check: the connection %s does not use the host's network" % plugin)
    found = find_ssh_connection(environ)
    if plugin == _LOCAL and (found is None or interface_towards(found.server_address) != LOOPBACK):
        # Who logged in to another machine and runs Ansible there is not cut off here.
        return GuardReport("nothing to check: this run comes from the host itself")
    if found is not None:
        return check_connection(program, found, interface_towards(found.client_address))
    if plugin in _SSH:
        sentence = "not checked: no SSH connection was found among the parents of this process"
        return GuardReport(sentence, "safeguard ssh: %s" % sentence if plugin else "")
    return GuardReport("nothing to check: the connection %s is not SSH" % plugin)


def describe_way_in(program: Program, connection: str, environ: t.Mapping[str, str]) -> str:
    """What the program decides of a new connection from where this run comes from; empty where that is not known.

    Args:
        connection, environ: As for :func:`guard_ssh`.
    """
    if connection.rpartition(".")[2] not in _SSH:
        return ""
    found = find_ssh_connection(environ)
    if found is None:
        return ""
    try:
        check_connection(program, found, interface_towards(found.client_address))
    except CutOffError as exc:
        # Without what the refusal of a run begins with, and its offer to switch the safeguard off.
        reasons = str(exc).splitlines()[1:-1]
        return "\n".join([*reasons, "or let the safeguard add it: firewall_safeguards: {ssh: true}"])
    return (
        "The policies accept a new connection %s, so something else refuses it: another table of this host, or a "
        "firewall on the way" % _describe(found)
    )


def check_connection(program: Program, connection: SshConnection, interface: t.Optional[str]) -> GuardReport:
    """Puts every kind of packet of a new connection to the evaluator.

    Args:
        interface: Where its packets arrive and leave; None where that is not known, which counts as
            an interface that is filtered.

    Raises:
        CutOffError: One would be refused.
    """
    refused = [
        (packet, decision)
        for packet in connection_packets(connection, interface or _any_filtered(program))
        for decision in (evaluate(program, packet),)
        if decision.action is not Action.ACCEPT
    ]
    if refused:
        raise CutOffError(_explain(connection, refused))
    return GuardReport("checked: a new connection %s is accepted" % _describe(connection))


def connection_packets(connection: SshConnection, interface: str) -> t.Tuple[Packet, ...]:
    """SYN, SYN/ACK and the rest both ways, of a new connection between the same addresses."""
    family, client = parse_address(connection.client_address)
    server = parse_address(connection.server_address)[1]
    inbound = Packet(
        direction=Direction.INGRESS,
        family=family,
        protocol=_TCP,
        source=client,
        destination=server,
        interface=interface,
        source_port=_EPHEMERAL_PORT,
        destination_port=connection.server_port,
    )
    outbound = Packet(
        direction=Direction.EGRESS,
        family=family,
        protocol=_TCP,
        source=server,
        destination=client,
        interface=interface,
        source_port=connection.server_port,
        destination_port=_EPHEMERAL_PORT,
        state=State.ESTABLISHED,
        flow_direction=FlowDirection.REPLY,
    )
    return inbound, outbound, dataclasses.replace(inbound, state=State.ESTABLISHED)


def _any_filtered(program: Program) -> str:
    """A name of an interface that the program filters."""
    named = [pattern.rstrip("*") or _INTERFACES[0] for pattern in program.interfaces]
    return next((name for name in (*named, *_INTERFACES) if program.filters(name)), _INTERFACES[0])


def _describe(connection: SshConnection) -> str:
    return "from %s to %s port %d" % (connection.client_address, connection.server_address, connection.server_port)


def _explain(connection: SshConnection, refused: t.Sequence[t.Tuple[Packet, Decision]]) -> str:
    lines = [
        "safeguard ssh: the new ruleset would refuse the way in that this run uses: a new connection %s. "
        "Nothing was changed." % _describe(connection)
    ]
    directions: t.List[Direction] = []
    for packet, decision in refused:
        lines.append("%s: %s" % (_packet_words(packet), _decision_words(decision)))
        if packet.direction not in directions:
            directions.append(packet.direction)
    where = "before the rule that refuses it" if refused[0][1].rule is not None else "to an assigned policy"
    lines.append("Add %s:" % where)
    lines.extend("  - %s" % mending_rule(connection, direction) for direction in directions)
    lines.append("or let the safeguard add it (firewall_safeguards: {ssh: true}), or switch it off ({ssh: false}).")
    return "\n".join(lines)


def mending_rule(connection: SshConnection, direction: Direction) -> str:
    """The rule, as YAML on one line, that accepts the connection's packets in this direction."""
    port, peer = (
        ("destination_ports", "sources") if direction is Direction.INGRESS else ("source_ports", "destinations")
    )
    return '{direction: %s, protocol: tcp, %s: %d, %s: ["%s"], action: accept}' % (
        direction.value,
        port,
        connection.server_port,
        peer,
        connection.client_address,
    )


def _packet_words(packet: Packet) -> str:
    if packet.direction is Direction.EGRESS:
        return "the answers (egress)"
    return "the first packet (ingress)" if packet.state is State.NEW else "the packets that follow (ingress)"


def _decision_words(decision: Decision) -> str:
    action = {Action.DROP: "dropped", Action.REJECT: "rejected"}.get(decision.action, decision.action.value)
    if decision.stage is Stage.DEFAULT_ACTION:
        return "%s by the default action; no rule accepts it" % action
    stage = {
        Stage.ASSIGNED: "assigned policy",
        Stage.DEFAULT_POLICY: "default policy",
    }.get(decision.stage, "stage %s" % decision.stage.value)
    variable = " of %s" % decision.origin.variable if decision.origin.variable else ""
    return "%s by %s (%s%s)" % (action, decision.origin, stage, variable)
