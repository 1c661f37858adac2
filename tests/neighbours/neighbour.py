# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who else keeps rules on a host: the real programs, each with settings, sockets and data of its own in a lab host."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import pathlib
import shutil
import socket
import time
import typing as t

from lab.namespaces import Host, LabError

RULES = pathlib.Path(__file__).with_name("rules")

#: What fail2ban keeps out, with its actions for nftables and for iptables.
BANNED: t.Mapping[str, str] = {"by-nftables": "203.0.113.66", "by-iptables": "203.0.113.67"}

_START_SECONDS = 60.0


class CannotRunError(Exception):
    """This neighbour cannot live here; the message says why."""


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """Somebody who keeps rules on a host.

    Attributes:
        programs: What has to be installed.
        start: Has it load its rules; raises :class:`CannotRunError`.
    """

    name: str
    programs: t.Tuple[str, ...]
    start: t.Callable[[Host], None]

    def move_in(self, host: Host) -> None:
        """Starts it.

        Raises:
            CannotRunError: It is not installed, or does not run here.
        """
        for program in self.programs:
            if shutil.which(program) is None:
                raise CannotRunError("%s is not installed" % program)
        self.start(host)


def _serve(host: Host, command: t.Sequence[str], question: t.Sequence[str]) -> None:
    """Runs a daemon until it answers the question. It ends with its host."""
    log, end = ("/%s/%s" % (folder, command[0]) for folder in ("var/log", "run/ended"))
    script = 'mkdir -p /run/ended; { "$@"; touch %s; } >%s 2>&1 </dev/null &' % (end, log)
    host.run(["sh", "-c", script, "sh", *command])
    deadline = time.monotonic() + _START_SECONDS
    while host.run(question, check=False).returncode != 0:
        if host.path(end).exists() or time.monotonic() > deadline:
            raise CannotRunError("it does not start here: %s" % host.path(log).read_text(errors="replace")[-2000:])
        time.sleep(0.05)


def _write(host: Host, path: str, text: str) -> None:
    file = host.path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _start_fail2ban(host: Host) -> None:
    jail = "[%s]\nenabled = true\nfilter = sshd\nbackend = polling\nlogpath = /var/log/auth.log\n"
    # Which protocols all ports are of.
    jail += "banaction = %s\nprotocol = udp\n"
    _write(host, "/etc/fail2ban/jail.d/defaults-debian.conf", "[sshd]\nenabled = false\n")
    _write(host, "/etc/fail2ban/jail.local", "".join(jail % (name, name[3:] + "-allports") for name in BANNED))
    _write(host, "/etc/fail2ban/fail2ban.local", "[Definition]\nlogtarget = /var/log/fail2ban.log\ndbfile = :memory:\n")
    _write(host, "/var/log/auth.log", "")
    host.run(["mkdir", "-p", "/run/fail2ban"])
    _serve(host, ["fail2ban-server", "-f", "start"], ["fail2ban-client", "ping"])
    for name, address in BANNED.items():
        # A jail makes its chains with its first ban.
        ban(host, name, address)


def ban(host: Host, jail: str, address: str) -> None:
    """Has fail2ban ban an address, and waits until it did."""
    host.run(["fail2ban-client", "set", jail, "banip", address])
    deadline = time.monotonic() + _START_SECONDS
    # The server does it after it has answered.
    while address not in host.run(["sh", "-c", "nft list ruleset; iptables-save"]).stdout:
        if time.monotonic() > deadline:
            raise LabError("fail2ban bans nobody: %s" % host.path("/var/log/fail2ban.log").read_text())
        time.sleep(0.05)


class _DockerSocket(http.client.HTTPConnection):
    """Docker's own interface: its command line is another package, and need not be the same version."""

    def __init__(self, host: Host) -> None:
        super().__init__("docker")
        self._path = str(host.path("/run/docker.sock"))

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)

    def make_network(self, **settings: t.Any) -> None:
        body = json.dumps({"CheckDuplicate": True, **settings})
        with contextlib.closing(self):
            self.request("POST", "/networks/create", body, {"Content-Type": "application/json"})
            answer = self.getresponse()
            if answer.status != http.HTTPStatus.CREATED:
                raise LabError("docker makes no network: %s" % answer.read().decode())


def _start_docker(host: Host) -> None:
    command = ["dockerd", "--host", "unix:///run/docker.sock", "--exec-root", "/run/docker"]
    command += ["--storage-driver", "vfs", "--bip", "198.18.1.1/24"]
    command += ["--ipv6", "--fixed-cidr-v6", "2001:db8:dc::/64", "--experimental", "--ip6tables"]
    # Who connects before it is ready is kept waiting.
    _serve(host, command, ["test", "-S", "/run/docker.sock"])
    _DockerSocket(host).make_network(
        Name="shop",
        IPAM={"Config": [{"Subnet": "198.18.2.0/24"}]},
        Options={"com.docker.network.bridge.name": "br-shop"},
    )
    _DockerSocket(host).make_network(Name="vault", Internal=True, IPAM={"Config": [{"Subnet": "198.18.3.0/24"}]})


_LIBVIRT_NETWORK = """\
<network>
  <name>default</name>
  <bridge name="virbr0"/>
  <forward mode="nat"/>
  <ip address="192.0.2.129" netmask="255.255.255.128">
    <dhcp><range start="192.0.2.130" end="192.0.2.200"/></dhcp>
  </ip>
  <ip family="ipv6" address="2001:db8:b::1" prefix="64"/>
</network>
"""


def _start_libvirt(host: Host) -> None:
    _write(host, "/etc/libvirt/libvirtd.conf", 'auth_unix_rw = "none"\n')
    # Its driver for machines, which nobody asks for, wants this user; the package that makes it is much larger.
    with host.path("/etc/passwd").open("a") as passwd, host.path("/etc/group").open("a") as group:
        passwd.write("libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin\n")
        group.write("libvirt-qemu:x:64055:\nkvm:x:64056:\n")
    virsh = ["virsh", "--connect", "network:///system"]
    _serve(host, ["libvirtd"], [*virsh, "net-list"])
    _write(host, "/run/default.xml", _LIBVIRT_NETWORK)
    host.run([*virsh, "net-create", "/run/default.xml"])


_NETAVARK = "/usr/lib/podman/netavark"


def _start_netavark(host: Host) -> None:
    """What Podman runs for a container that publishes a port, with what Podman tells it."""
    network = {
        "name": "podman",
        "id": "a" * 64,
        "driver": "bridge",
        "network_interface": "podman0",
        "subnets": [{"subnet": "198.18.5.0/24", "gateway": "198.18.5.1"}],
        "ipv6_enabled": False,
        "internal": False,
        "dns_enabled": False,
    }
    container = {
        "container_id": "c" * 64,
        "container_name": "web",
        "networks": {"podman": {"static_ips": ["198.18.5.2"], "interface_name": "eth0"}},
        "port_mappings": [
            {"host_ip": "", "host_port": 8080, "container_port": 80, "range": 1, "protocol": "tcp"},
        ],
        "network_info": {"podman": network},
    }
    host.run(["ip", "netns", "add", "web"])
    host.run([_NETAVARK, "setup", "/run/netns/web"], input=json.dumps(container))


_CNI_FOLDER = "/usr/lib/cni"
_CNI_PLUGINS: t.Sequence[t.Mapping[str, t.Any]] = (
    {
        "type": "bridge",
        "bridge": "cni-podman0",
        "isGateway": True,
        "ipMasq": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": "198.18.6.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]},
    },
    {
        "type": "portmap",
        "capabilities": {"portMappings": True},
        "runtimeConfig": {"portMappings": [{"hostPort": 8081, "containerPort": 80, "protocol": "tcp"}]},
    },
    {"type": "firewall"},
)


def _start_cni(host: Host) -> None:
    """What an older Podman runs, in its order, for the same."""
    host.run(["ip", "netns", "add", "shop"])
    environment = ["CNI_COMMAND=ADD", "CNI_CONTAINERID=shop", "CNI_NETNS=/run/netns/shop", "CNI_IFNAME=eth0"]
    environment += ["CNI_PATH=" + _CNI_FOLDER]
    result: t.Dict[str, t.Any] = {}
    for plugin in _CNI_PLUGINS:
        configuration = {"cniVersion": "0.4.0", "name": "podman", **plugin, **result}
        program = "%s/%s" % (_CNI_FOLDER, plugin["type"])
        done = host.run(["env", *environment, program], input=json.dumps(configuration))
        result = {"prevResult": json.loads(done.stdout)}


def _load(*command: str, rules: str) -> t.Callable[[Host], None]:
    def start(host: Host) -> None:
        done = host.run(command, input=(RULES / rules).read_text(encoding="utf-8"), check=False)
        if done.returncode != 0:
            raise CannotRunError("this kernel does not take the rules: %s" % done.stderr.strip())

    return start


#: By the hosts that they are on.
NEIGHBOURS: t.Mapping[str, t.Sequence[Neighbour]] = {
    "containers, machines and bans": (
        Neighbour(
            "iptables-legacy", ("iptables-legacy-restore",), _load("iptables-legacy-restore", rules="legacy.iptables")
        ),
        Neighbour("fail2ban", ("fail2ban-server", "iptables"), _start_fail2ban),
        Neighbour("docker", ("dockerd", "iptables"), _start_docker),
        Neighbour("libvirt", ("libvirtd", "virsh", "dnsmasq", "iptables"), _start_libvirt),
    ),
    "pods": (
        Neighbour("netavark", (_NETAVARK, "iptables"), _start_netavark),
        Neighbour("cni", (_CNI_FOLDER + "/bridge", "iptables"), _start_cni),
        Neighbour("kube-proxy for nftables", (), _load("nft", "-f", "-", rules="kube-proxy.nft")),
        Neighbour(
            "kube-proxy for iptables",
            ("iptables-restore",),
            _load("iptables-restore", "--noflush", rules="kube-proxy.iptables"),
        ),
    ),
    "tables by hand": (Neighbour("hand-written", (), _load("nft", "-f", "-", rules="hand-written.nft")),),
    "a router": (Neighbour("flowtable", (), _load("nft", "-f", "-", rules="flowtable.nft")),),
}
