# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host reaches, asked of real sockets in a network of its own."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import threading
import typing as t

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils._host import reachability
from ansible_collections.palisade.nftables.plugins.module_utils._host.reachability import ask, checks
from ansible_collections.palisade.nftables.plugins.module_utils._policy.hostfacts import HostFacts, Server

if t.TYPE_CHECKING:
    from lab.namespaces import Host

_ADDRESS = "192.0.2.53"


@pytest.fixture(name="addressed")
def fixture_addressed(network: Host) -> Host:
    network.ip("link set lo up", "address add %s/32 dev lo" % _ADDRESS)
    return network


@contextlib.contextmanager
def _answers(host: Host, port: int, answer: t.Callable[[bytes], bytes], address: str = _ADDRESS) -> t.Iterator[None]:
    """A UDP server that answers until the context ends."""
    server = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, port))
    server.settimeout(0.1)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):
                asked, client = server.recvfrom(512)
                server.sendto(answer(asked), client)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        server.close()


_FACTS = HostFacts(
    dns_servers=(Server(_ADDRESS, 53, ("udp", "tcp")),),
    ntp_servers=(Server(None, 123, ("udp",)), Server(_ADDRESS, 123, ("udp",))),
)


def _asked(host: Host, root: pathlib.Path, *must_reach: t.Tuple[str, int]) -> t.Dict[str, bool]:
    threads: t.Dict[str, bool] = {}

    def work() -> t.Dict[str, bool]:
        # Threads that are started here are in the host's network, like this one.
        return ask(checks(_FACTS, must_reach, str(root)))

    threads.update(host.call(work))
    return threads


def test_silence_is_no_answer(addressed: Host, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "_UDP_SECONDS", 0.1)
    assert _asked(addressed, tmp_path, (_ADDRESS, 4433)) == {
        "the resolver 192.0.2.53": False,
        "the time server 192.0.2.53": False,
        "a default route (IPv4)": False,
        "a default route (IPv6)": False,
        "192.0.2.53 port 4433 (firewall_must_reach)": False,
    }


def test_servers_that_answer_are_reached(addressed: Host, tmp_path: pathlib.Path) -> None:
    with contextlib.ExitStack() as stack:
        # Any answer to the question will do, such as "refused".
        stack.enter_context(_answers(addressed, 53, lambda asked: asked[:2] + b"\x81\x85" + asked[4:]))
        stack.enter_context(_answers(addressed, 123, lambda _asked: bytes(48)))
        listener = stack.enter_context(addressed.socket(socket.AF_INET, socket.SOCK_STREAM))
        listener.bind((_ADDRESS, 4433))
        listener.listen()
        found = _asked(addressed, tmp_path, (_ADDRESS, 4433))
    assert [name for name, answers in found.items() if answers] == [
        "the resolver 192.0.2.53",
        "the time server 192.0.2.53",
        "192.0.2.53 port 4433 (firewall_must_reach)",
    ]


def test_an_answer_to_another_question_is_none(
    addressed: Host, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reachability, "_UDP_SECONDS", 0.2)
    with _answers(addressed, 53, lambda asked: bytes(2) + asked[2:] if asked[:2] != bytes(2) else b""):
        assert not _asked(addressed, tmp_path)["the resolver 192.0.2.53"]


def test_resolvers_on_this_host_are_not_asked(tmp_path: pathlib.Path) -> None:
    for name in ("etc", "run/systemd/resolve"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/resolv.conf").write_text("nameserver 127.0.0.53\nnameserver ::1\n", encoding="utf-8")
    upstream = "nameserver 2001:db8::53\nnameserver fe80::1%eth0\nnameserver what\n"
    (tmp_path / "run/systemd/resolve/resolv.conf").write_text(upstream, encoding="utf-8")
    names = list(checks(HostFacts(), (), str(tmp_path)))
    assert names[:2] == ["the resolver 2001:db8::53", "the resolver fe80::1%eth0"]
    assert "resolver" not in " ".join(names[2:])


def _write(root: pathlib.Path, path: str, text: str) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def _answered(host: Host, facts: HostFacts, root: pathlib.Path) -> t.Dict[str, bool]:
    found = host.call(lambda: ask(checks(facts, (), str(root))))
    return {name: answers for name, answers in found.items() if "route" not in name}


@contextlib.contextmanager
def _listens(host: Host, port: int) -> t.Iterator[None]:
    with host.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((_ADDRESS, port))
        listener.listen()
        yield


@pytest.mark.parametrize("address", [_ADDRESS, None], ids=["configured", "leased"])
def test_a_resolver_that_is_asked_over_tls_is_asked_nothing_else(
    addressed: Host, tmp_path: pathlib.Path, address: t.Optional[str]
) -> None:
    # Without any rules most of them answer at port 53 as well, and the safeguard does not let that through.
    _write(tmp_path, "etc/resolv.conf", "nameserver 127.0.0.53\n")
    _write(tmp_path, "run/systemd/resolve/resolv.conf", "nameserver %s\n" % _ADDRESS)
    facts = HostFacts(dns_servers=(Server(address, 853, ("tcp",)),))
    name = "the resolver %s port 853" % _ADDRESS
    with _answers(addressed, 53, lambda asked: asked):
        assert _answered(addressed, facts, tmp_path) == {name: False}
        with _listens(addressed, 853):
            assert _answered(addressed, facts, tmp_path) == {name: True}


@pytest.mark.parametrize(("code", "found_out"), [(0, True), (2, False), (3, True), (5, False)])
def test_a_resolver_on_this_host_that_asks_anybody_has_to_find_out_something_new(
    addressed: Host, tmp_path: pathlib.Path, code: int, *, found_out: bool
) -> None:
    _write(tmp_path, "etc/resolv.conf", "nameserver 127.0.0.1\n")
    names = set()

    def answer(asked: bytes) -> bytes:
        names.add(asked[12:])
        return asked[:2] + bytes([0x81, 0x80 | code]) + asked[4:]

    with _answers(addressed, 53, answer, "127.0.0.1"):
        for _time in range(2):
            assert _answered(addressed, HostFacts(dns_servers=(Server(None, 53, ("udp", "tcp")),)), tmp_path) == {
                "the resolver 127.0.0.1 on this host": found_out
            }
    assert len(names) >= 2
    assert all(b"\7example\3com\0" in name for name in names)


def test_time_and_the_keys_for_it_are_asked_for_each_by_itself(addressed: Host, tmp_path: pathlib.Path) -> None:
    facts = HostFacts(ntp_servers=(Server(_ADDRESS, 123, ("udp",)), Server(_ADDRESS, 4460, ("tcp",))))
    time, keys = "the time server %s" % _ADDRESS, "the time server %s port 4460" % _ADDRESS
    with _answers(addressed, 123, lambda _asked: bytes(48)):
        assert _answered(addressed, facts, tmp_path) == {time: True, keys: False}
        with _listens(addressed, 4460):
            assert _answered(addressed, facts, tmp_path) == {time: True, keys: True}


_CHRONY = """\
pool localhost iburst
server -no.name
server {}
""".format("a" * 64)


def test_a_time_server_with_a_name_is_asked_where_the_name_leads(
    addressed: Host, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reachability, "_UDP_SECONDS", 0.2)
    _write(tmp_path, "etc/chrony/chrony.conf", _CHRONY)
    facts = HostFacts(ntp_servers=(Server(None, 123, ("udp",)),))
    # What else the file has is no name, and nobody is asked for it.
    assert _answered(addressed, facts, tmp_path) == {"the time server localhost": False}
    with _answers(addressed, 123, lambda _asked: bytes(48), "127.0.0.1"):
        assert _answered(addressed, facts, tmp_path) == {"the time server localhost": True}


def _stand_in(tmp_path: pathlib.Path, lines: str) -> str:
    """The folder of a timedatectl of our own: the real one needs systemd, and a server to tell of."""
    program = tmp_path / "bin/timedatectl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n%s\n" % lines)
    program.chmod(0o755)
    return str(program.parent)


def _time_servers_asked(tmp_path: pathlib.Path, search_path: str) -> t.Set[str]:
    facts = HostFacts(ntp_servers=(Server(None, 123, ("udp",)),))
    return {name for name in checks(facts, (), str(tmp_path), search_path) if "time server" in name}


@pytest.mark.parametrize(
    ("says", "server"),
    [
        ("echo 192.0.2.7", "192.0.2.7"),
        ("echo 2001:db8::7%eth0", "2001:db8::7"),
        ("echo", None),
        ("echo n/a", None),
        ("echo 192.0.2.7; exit 1", None),
    ],
)
def test_the_time_server_that_no_file_names_is_the_one_in_use(
    tmp_path: pathlib.Path, says: str, server: t.Optional[str]
) -> None:
    """systemd-timesyncd as Debian has it."""
    (tmp_path / "run/systemd/timesync").mkdir(parents=True)
    path = _stand_in(tmp_path, "[ \"$*\" = 'show-timesync --property=ServerAddress --value' ] || exit 2\n%s" % says)
    assert _time_servers_asked(tmp_path, path) == (set() if server is None else {"the time server %s" % server})
    # A name that is configured is asked, and not who happens to answer at present.
    _write(tmp_path, "etc/systemd/timesyncd.conf", "[Time]\nNTP=ntp.example.com\n")
    assert _time_servers_asked(tmp_path, path) == {"the time server ntp.example.com"}


def test_nobody_is_asked_for_the_server_in_use_where_that_daemon_does_not_run(tmp_path: pathlib.Path) -> None:
    path = _stand_in(tmp_path, "touch %s/was-run; echo 192.0.2.7" % tmp_path)
    assert _time_servers_asked(tmp_path, path) == set()
    assert not (tmp_path / "was-run").exists()
