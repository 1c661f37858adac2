# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managers with files of their own: ufw and firewalld, started the way their packages start them."""

from __future__ import annotations

import shutil
import subprocess
import time
import typing as t

from lab.namespaces import Host, HostProcess

from .contender import Contender, UnableError, run, summary, write
from .policy import Rule

_START_SECONDS = 90.0
_POLL_SECONDS = 0.05

# ufw

_UFW_RULES = "/etc/ufw/user%s.rules"
_RULES_BEGIN, _RULES_END = "### RULES ###\n", "### END RULES ###\n"


def ufw_command(rule: Rule) -> t.List[str]:
    """The command by which a user adds the rule."""
    source = "any" if rule.source is None else str(rule.source)
    verb = "allow" if rule.accept else "deny"
    return ["ufw", verb, "proto", rule.protocol, "from", source, "to", "any", "port", rule.ports(":")]


def ufw_text(rules: t.Iterable[Rule], *, family: int = 4) -> str:
    """What that command adds to ufw's file of rules."""
    prefix, everywhere = ("ufw", "0.0.0.0/0") if family == 4 else ("ufw6", "::/0")
    lines = []
    for rule in rules:
        ports = rule.ports(":")
        source = everywhere if rule.source is None else str(rule.source)
        many = "-m multiport --dports" if ":" in ports else "--dport"
        verb, target = ("allow", "ACCEPT") if rule.accept else ("deny", "DROP")
        lines.append(
            "\n### tuple ### %s %s %s %s any %s in\n" % (verb, rule.protocol, ports, everywhere, source)
            + "-A %s-user-input -p %s %s %s%s -j %s\n"
            % (prefix, rule.protocol, many, ports, "" if rule.source is None else " -s " + source, target)
        )
    return "".join(lines)


def _load_ufw(host: Host, rules: t.Sequence[Rule]) -> float:
    if shutil.which("ufw") is None:
        raise UnableError("ufw is missing (package ufw)")
    # A command for each rule would write the whole file each time. A few of them show that ufw writes the same.
    few = [
        rules[0],
        *[rule for rule in rules if rule.low != rule.high][:1],
        *[rule for rule in rules if not rule.source][:1],
    ]
    for rule in dict.fromkeys(few):
        run(host, ufw_command(rule))
    for family, suffix in ((4, ""), (6, "6")):
        path = _UFW_RULES % suffix
        before, rest = _read(host, path).split(_RULES_BEGIN)
        written, after = rest.split("\n" + _RULES_END)
        of_family = [rule for rule in dict.fromkeys(few) if family == 4 or rule.source is None]
        if written.strip() != ufw_text(of_family, family=family).strip():
            raise UnableError("ufw writes its rules in another way than expected: %s" % summary(written))
        text = ufw_text((rule for rule in rules if family == 4 or rule.source is None), family=family)
        write(host, path, before + _RULES_BEGIN + text + "\n" + _RULES_END + after)
    return run(host, ["ufw", "--force", "enable"])


def _read(host: Host, path: str) -> str:
    return host.run(["cat", path]).stdout


# firewalld

_ZONE = """\
<?xml version="1.0" encoding="utf-8"?>
<zone target="DROP">
  <short>Public</short>
%s
</zone>
"""


def zone_text(rules: t.Sequence[Rule]) -> str:
    """The default zone with a rich rule for each rule; priorities keep their order."""
    lines = []
    for priority, rule in enumerate(rules, start=-32768):
        source = "" if rule.source is None else '<source address="%s"/>' % rule.source
        lines.append(
            '  <rule%s priority="%d">%s<port port="%s" protocol="%s"/><%s/></rule>'
            % (
                "" if rule.source is None else ' family="ipv4"',
                priority,
                source,
                rule.ports(),
                rule.protocol,
                "accept" if rule.accept else "drop",
            )
        )
    return _ZONE % "\n".join(lines)


def _load_firewalld(host: Host, rules: t.Sequence[Rule]) -> float:
    for command in ("firewalld", "dbus-daemon"):
        if shutil.which(command) is None:
            raise UnableError("%s is missing (package %s)" % (command, command))
    write(host, "/etc/firewalld/zones/public.xml", zone_text(rules))
    run(host, ["mkdir", "/run/dbus"])
    # Both end with the host.
    _start(host, ["dbus-daemon", "--system", "--fork", "--nopidfile"]).wait()
    started = time.monotonic()
    daemon = _start(host, ["firewalld", "--nofork", "--nopid"])
    while host.run(["firewall-cmd", "--state"], check=False).returncode != 0:
        if daemon.poll() is not None:
            raise UnableError("firewalld ended: %s" % summary(_log(host)))
        if time.monotonic() > started + _START_SECONDS:
            raise UnableError("firewalld was not running after %.0f s: %s" % (_START_SECONDS, summary(_log(host))))
        time.sleep(_POLL_SECONDS)
    seconds = time.monotonic() - started
    problem = _log(host)
    if "ERROR" in problem:
        raise UnableError("firewalld: %s" % summary(problem))
    return seconds


def _start(host: Host, command: t.Sequence[str]) -> HostProcess:
    return host.popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _log(host: Host) -> str:
    return host.run(["cat", "/var/log/firewalld"], check=False).stdout


CONTENDERS = (
    Contender(
        "ufw",
        "ufw",
        _load_ufw,
        "Its own file of rules as its commands write it, then `ufw enable`, with the rules that its package brings.",
    ),
    Contender(
        "firewalld",
        "firewalld",
        _load_firewalld,
        "A rich rule for each rule, with priorities, in the default zone of a running firewalld.",
    ),
)
