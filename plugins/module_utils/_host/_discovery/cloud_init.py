# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""The metadata servers of the cloud, where cloud-init asks one at every boot.

The addresses of the clouds are those of cloud-init's data sources (its documentation, "Datasources").
"""

from __future__ import annotations

import json
import re
import typing as t
import urllib.parse

from ..._policy.hostfacts import METADATA_PORT, METADATA_PROTOCOLS, Server, canonical_servers
from .server_text import canonical_address, is_local
from .systemd import files_by_name
from .tree import Tree

_CONFIGURATION = "/etc/cloud/cloud.cfg"
_RUNNING = "/run/cloud-init"

#: Either of them switches cloud-init off; its generator for systemd makes the second.
_DISABLED = ("/etc/cloud/cloud-init.disabled", "/run/cloud-init/disabled")
_DISABLED_AT_BOOT = "cloud-init=disabled"

#: What the newest run used: this boot's, then the last one's.
_RESULTS = (
    "/run/cloud-init/result.json",
    "/run/cloud-init/status.json",
    "/var/lib/cloud/data/result.json",
    "/var/lib/cloud/data/status.json",
)
_INSTANCE = "/run/cloud-init/instance-data.json"

#: What ds-identify(8) found in this boot, and what it is told.
_IDENTIFIED = "/run/cloud-init/cloud.cfg"
_TOLD = "/etc/cloud/ds-identify.cfg"

_NAME = re.compile(r"DataSource([A-Za-z0-9]{1,40})", re.ASCII)
_SEED = re.compile(r"\[seed=(https?://[^\]\s]{1,500})\]")
_DETAIL = re.compile(r"\((https?://[^)\s]{1,500})\)")
_WORD = re.compile(r"[A-Za-z0-9]{1,40}", re.ASCII)

_LINK_LOCAL = "169.254.169.254"

#: The password server of CloudStack's virtual routers.
_PASSWORD_PORT = 8080
_HTTPS_PORT = 443

_ADDRESSES: t.Mapping[str, t.Tuple[str, ...]] = {
    "akamai": (_LINK_LOCAL, "fd00:a9fe:a9fe::1"),
    "aliyun": ("100.100.100.200",),
    # The second answers what goes on with the machine, beside its metadata.
    "azure": (_LINK_LOCAL, "168.63.129.16"),
    "cloudcix": (_LINK_LOCAL,),
    "cloudstack": (),
    "digitalocean": (_LINK_LOCAL,),
    "ec2": (_LINK_LOCAL, "fd00:ec2::254"),
    "exoscale": (_LINK_LOCAL,),
    "gce": (_LINK_LOCAL, "fd20:ce::254"),
    "hetzner": (_LINK_LOCAL, "fe80::a9fe:a9fe"),
    "maas": (),
    "nwcs": (_LINK_LOCAL,),
    "openstack": (_LINK_LOCAL, "fe80::a9fe:a9fe"),
    "oracle": (_LINK_LOCAL, "fd00:c1::a9fe:a9fe"),
    "scaleway": ("169.254.42.42", "fd00:42::42"),
    "upcloud": (_LINK_LOCAL,),
    "vultr": (_LINK_LOCAL,),
}

#: Data sources that ask for a password there, on the address of the metadata.
_WITH_PASSWORDS = frozenset(("cloudstack", "exoscale"))


class _Source(t.NamedTuple):
    """A data source.

    Attributes:
        key: Its name as :data:`_ADDRESSES` has it.
        name: Its name for people.
        origin: The file that says so.
        url: Where it read this time; empty where no file says.
    """

    key: str
    name: str
    origin: str
    url: str = ""


def find_metadata_servers(tree: Tree) -> t.Tuple[t.Tuple[Server, ...], t.Tuple[str, ...]]:
    """The metadata servers that cloud-init needs, and sentences that say why; nothing without cloud-init.

    A server is returned where the data source is one on the network. A data source that reads a disk or
    a device needs none, and a host that does not use cloud-init has no reason to reach one.
    """
    if not tree.exists(_CONFIGURATION) and not tree.names(_RUNNING):
        return (), ()
    if any(tree.exists(path) for path in _DISABLED) or _DISABLED_AT_BOOT in (tree.read("/proc/cmdline") or "").split():
        return (), ("metadata: none, because cloud-init is switched off",)
    source = _used(tree) or _identified(tree)
    if source is None:
        return (), ("metadata: none, because cloud-init has not run, and its data source is not known",)
    return _servers(source)


def _servers(source: _Source) -> t.Tuple[t.Tuple[Server, ...], t.Tuple[str, ...]]:
    by = "cloud-init's data source %s (%s)" % (source.name, source.origin)
    wanted = {(address, METADATA_PORT) for address in _ADDRESSES.get(source.key, ())}
    named = _server_of(source.url) if source.url else None
    if named is not None:
        wanted.add(named)
    if source.key in _WITH_PASSWORDS:
        wanted |= {(address, _PASSWORD_PORT) for address, _port in wanted}
    servers = canonical_servers(
        Server(address, port, METADATA_PROTOCOLS) for address, port in wanted if not is_local(address)
    )
    if servers:
        return servers, tuple("metadata: %s, for %s" % (server, by) for server in servers)
    if source.url or source.key in _ADDRESSES:
        return (), ("metadata: none, because the address that %s asks is not known; allow it in a policy" % by,)
    return (), ("metadata: none, because %s is not on the network" % by,)


def _server_of(url: str) -> t.Optional[t.Tuple[str, int]]:
    """The address and the port of a URL; None for a name, whose addresses change, and for anything else."""
    try:
        parts = urllib.parse.urlsplit(url)
        address, port = canonical_address(parts.hostname or ""), parts.port
    except ValueError:
        return None
    if address is None or port == 0:
        return None
    return address, port or (METADATA_PORT if parts.scheme == "http" else _HTTPS_PORT)


def _used(tree: Tree) -> t.Optional[_Source]:
    """What cloud-init says that it used."""
    for path in _RESULTS:
        text = _text(_object(tree, path), "datasource")
        name = _NAME.match(text)
        if name:
            # A seed is told for data sources that also read one from a disk; others tell it with the instance.
            url = _SEED.search(text) or _DETAIL.search(_text(_object(tree, _INSTANCE), "subplatform"))
            return _source(name.group(1), path, url.group(1) if url else "")
    return None


def _object(tree: Tree, path: str) -> t.Mapping[str, t.Any]:
    """The object ``v1`` of one of cloud-init's files; an empty one where there is none."""
    try:
        content = json.loads(tree.read(path) or "")
    except (ValueError, RecursionError):
        return {}
    found = content.get("v1") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def _text(content: t.Mapping[str, t.Any], key: str) -> str:
    value = content.get(key)
    return value if isinstance(value, str) else ""


def _identified(tree: Tree) -> t.Optional[_Source]:
    """What the next run will use, where only one can be meant: found out at boot, told, or configured."""
    for path, key in ((_IDENTIFIED, "datasource_list"), (_TOLD, "datasource")):
        names = _listed(tree, path, key)
        if names:
            return _only(names, path)
    found = None
    for path in (_CONFIGURATION, *files_by_name(tree, [_CONFIGURATION + ".d"], ".cfg")):
        names = _listed(tree, path, "datasource_list")
        if names:
            # A later file takes the place of an earlier one.
            found = _only(names, path)
    return found


def _only(names: t.Sequence[str], origin: str) -> t.Optional[_Source]:
    """The one data source of a list; ``None``, the last resort that does nothing, is no second one."""
    named = [name for name in names if name != "None"]
    return _source(named[0], origin) if len(named) == 1 else None


def _listed(tree: Tree, path: str, key: str) -> t.List[str]:
    """The names after ``key:``: on its line, in brackets over several lines, or one to a line after a dash."""
    found: t.List[str] = []
    style = ""
    for line in tree.lines(path):
        text = line.partition("#")[0].strip()
        name, colon, value = text.partition(":")
        if colon and name.strip() == key:
            # A later one takes the place of an earlier one.
            found, text = [], value.strip()
            style = "[" if text.startswith("[") else "-"
        elif style == "-" and text and not text.startswith("-"):
            style = ""
        if style:
            found += _WORD.findall(text)
        if "]" in text:
            style = ""
    return found


def _source(name: str, origin: str, url: str = "") -> _Source:
    """A data source by the name of its class; those that run before or with the network add that to it."""
    key = name.lower()
    for ending in ("local", "net"):
        key = key if key in _ADDRESSES else key.removesuffix(ending)
    return _Source(key, name, origin, url)
