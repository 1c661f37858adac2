# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""What lies on a host to have its ruleset at every boot: files, units, and what they say to each other.

``palisade.service`` loads the ruleset. Where that fails, ``palisade-safeguard.service`` loads the safeguard set,
unless the kernel has a table of ours already. Either leaves a link to what it loaded, which :mod:`.nftables_service`
includes and the next run reads.
"""

from __future__ import annotations

import typing as t

from .._compile.table import MARKER_CHAIN, TABLE_NAME
from .files import Files
from .nftables_service import DROP_IN, drop_in_for

FOLDER = "/etc/palisade"
RULESET = FOLDER + "/ruleset.nft"
SAFEGUARD = FOLDER + "/safeguard.nft"

#: Gone after a boot, until one of the units has loaded something.
RUN_FOLDER = "/run/palisade"
LOADED = RUN_FOLDER + "/loaded.nft"

#: nft takes it for no error if there is none; without a wildcard it would.
_LOADED_PATTERN = RUN_FOLDER + "/loaded*.nft"

UNIT_NAME = "palisade.service"
SAFEGUARD_NAME = "palisade-safeguard.service"
_UNITS = "/etc/systemd/system/"
UNIT = _UNITS + UNIT_NAME
SAFEGUARD_UNIT = _UNITS + SAFEGUARD_NAME
WANTS = _UNITS + "sysinit.target.wants/" + UNIT_NAME

FOLDER_MODE = 0o700
RULESET_MODE = 0o600
UNIT_MODE = 0o644

#: Flushes a chain without rules, which fails where the text before it has made no table of ours: a file that was
#: cut off, or emptied, can be text that nft loads.
_IS_OURS = "flush chain inet %s %s" % (TABLE_NAME, MARKER_CHAIN)

#: Of what both units share. A hanging nft does not keep the host from coming up. Nothing here takes a namespace of
#: mounts, as ProtectSystem= and ProtectHome= do: some containers refuse it (status 226), both units would fail, and the
#: host would come up open. What is left is skipped by systemd where the kernel cannot do it.
_SANDBOX = """\
TimeoutStartSec=120
RuntimeDirectory=palisade
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
CapabilityBoundingSet=CAP_NET_ADMIN
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
RestrictAddressFamilies=AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
"""

# Early, like the unit that comes with Debian's nftables: wanted by sysinit.target, which the rescue
# system has too, and done before anything configures the network. After nftables.service, which may
# begin with "flush ruleset". There is no ExecStop: a host whose firewall is taken away while it shuts down
# is open. However often it is started, it is never refused, as its failure would be taken for the ruleset's.
_UNIT_TEXT = (
    """\
# Made by the Ansible collection palisade.nftables. Changes are lost.
[Unit]
Description=Palisade firewall
Documentation=man:nft(8)
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
After=local-fs.target systemd-modules-load.service nftables.service
RequiresMountsFor={folder}
OnFailure={safeguard_name}
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
StandardInput=null
ExecStart={nft} 'include "{ruleset}"; {is_ours}'
ExecStartPost=-/bin/ln -sfn {ruleset} {loaded}
ExecReload={nft} 'include "{ruleset}"; {is_ours}'
"""
    + _SANDBOX
    + """\

[Install]
WantedBy=sysinit.target
"""
)

# systemd queues this unit in the same step in which the other one fails, so what waits for both waits for it.
# It does not remain active: a second failure is to start it again. "create" is refused where there is a table:
# what is in force is better than this.
_SAFEGUARD_UNIT_TEXT = (
    """\
# Made by the Ansible collection palisade.nftables. Changes are lost.
# Started where palisade.service fails, and skipped where there is a table inet {table} already.
[Unit]
Description=Palisade safeguard, because the saved ruleset could not be loaded
Documentation=man:nft(8)
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
After=local-fs.target systemd-modules-load.service nftables.service {unit_name}
StartLimitIntervalSec=0

[Service]
Type=oneshot
StandardInput=null
ExecCondition={nft} -c 'create table inet {table}'
ExecStart={nft} 'create table inet {table}; include "{safeguard}"; {is_ours}'
ExecStartPost=-/bin/ln -sfn {safeguard} {loaded}
"""
    + _SANDBOX
)


class BootFile(t.NamedTuple):
    """A file to write, and what to say of it."""

    path: str
    text: str
    mode: int
    change: str


class BootFiles(t.NamedTuple):
    """Everything that is to lie on the host, and no more.

    Attributes:
        files: In an order in which each is of use without those after it.
        seamless: Whether nftables.service never leaves an instant without our table.
    """

    files: t.Tuple[BootFile, ...]
    seamless: bool


def boot_files(root: str, text: str, safeguard: str, nft: str) -> BootFiles:
    """What makes ``text`` survive a boot and whatever nftables.service does.

    Args:
        root: Where the host's files lie.
        safeguard: What is loaded where ``text`` cannot be, see :mod:`.safeguard_set`.
        nft: The absolute path of the program.
    """
    words = {
        "folder": FOLDER,
        "is_ours": _IS_OURS,
        "loaded": LOADED,
        "nft": nft,
        "ruleset": RULESET,
        "safeguard": SAFEGUARD,
        "safeguard_name": SAFEGUARD_NAME,
        "table": TABLE_NAME,
        "unit_name": UNIT_NAME,
    }
    files = [
        BootFile(RULESET, text, RULESET_MODE, "save the ruleset as %s" % RULESET),
        BootFile(SAFEGUARD, safeguard, RULESET_MODE, "save what is loaded if that fails as %s" % SAFEGUARD),
        BootFile(SAFEGUARD_UNIT, _SAFEGUARD_UNIT_TEXT.format(**words), UNIT_MODE, "write the unit %s" % SAFEGUARD_UNIT),
        BootFile(UNIT, _UNIT_TEXT.format(**words), UNIT_MODE, "write the unit %s" % UNIT),
    ]
    drop_in = drop_in_for(root, nft, _LOADED_PATTERN)
    if drop_in is not None:
        change = "write %s, so that nftables.service keeps the table" % DROP_IN
        files.append(BootFile(DROP_IN, drop_in.text, UNIT_MODE, change))
    return BootFiles(tuple(files), drop_in is None or drop_in.seamless)


def boot_notice(files: Files) -> str:
    """A sentence where the safeguard set was loaded instead of the ruleset; empty elsewhere."""
    if files.link(LOADED) != SAFEGUARD:
        return ""
    return (
        "%s could not be loaded at boot, or when %s was started, and the safeguard set was loaded in its place: open "
        "connections, neighbour discovery, DHCP and new connections to sshd, and nothing else that comes in "
        "('journalctl --boot --unit=%s' says why)" % (RULESET, UNIT_NAME, UNIT_NAME)
    )
