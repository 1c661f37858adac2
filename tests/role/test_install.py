# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The artifact that ``ansible-galaxy collection build`` makes: what is in it, and that it works installed."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import tarfile
import typing as t

import pytest

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]

#: The top of what a release holds. Everything else serves those who change the collection.
SHIPPED = {
    "CHANGELOG.rst",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "changelogs",
    "docs",
    "examples",
    "meta",
    "playbooks",
    "plugins",
    "roles",
    "schemas",
}

#: What ansible-galaxy adds.
GENERATED = {"FILES.json", "MANIFEST.json"}

#: A collection must work with these folders alone: Ansible's packages leave out the others.
RUN_TIME = {"meta", "playbooks", "plugins", "roles"}

PLAYBOOKS = sorted(path.stem for path in (CHECKOUT / "playbooks").glob("*.yml"))
ROLES = sorted(path.name for path in (CHECKOUT / "roles").glob("*") if path.is_dir())
PLUGINS = [
    (kind, path.stem)
    for kind, folder in (("module", "modules"), ("filter", "filter"))
    for path in sorted((CHECKOUT / "plugins" / folder).glob("[a-z]*.py"))
]

Run = t.Callable[..., str]


@pytest.fixture(name="run", scope="module")
def fixture_run(
    ansible_environment_below: t.Callable[[pathlib.Path], t.Dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """Runs a command of Ansible, away from the checkout, and returns what it printed."""
    folder = tmp_path_factory.mktemp("away")
    ansible_environment = ansible_environment_below(folder)

    def run(*command: str, collections: t.Optional[pathlib.Path] = None) -> str:
        environment = dict(ansible_environment)
        if collections is not None:
            environment["ANSIBLE_COLLECTIONS_PATH"] = str(collections)
        result = subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


@pytest.fixture(name="artifact", scope="module")
def fixture_artifact(run: Run, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The built archive."""
    folder = tmp_path_factory.mktemp("dist")
    run("ansible-galaxy", "collection", "build", str(CHECKOUT), "--output-path", str(folder))
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(name="everything", scope="module")
def fixture_everything(run: Run, artifact: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of collections with the archive installed, without the network."""
    collections = tmp_path_factory.mktemp("collections")
    # Elsewhere on the path, the checkout would count as installed already.
    run(
        *("ansible-galaxy", "collection", "install", str(artifact), "-p", str(collections), "--offline"),
        collections=collections,
    )
    return collections


@pytest.fixture(name="installed")
def fixture_installed(everything: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """The same, for one test to take something away from."""
    return pathlib.Path(shutil.copytree(everything, tmp_path / "collections"))


def _top(name: str) -> str:
    return name.split("/", 1)[0]


def test_holds_what_git_tracks_and_nothing_else(artifact: pathlib.Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is no Git checkout, so nothing says which files belong to the collection")
    expected = {name for name in listed.stdout.split("\0") if _top(name) in SHIPPED and (CHECKOUT / name).exists()}
    with tarfile.open(artifact) as archive:
        packed = {member.name for member in archive if not member.isdir()}
        folders = {member.name for member in archive if member.isdir() and member.name != "."}
    assert packed == expected | GENERATED
    assert folders == {str(folder) for name in expected for folder in pathlib.PurePosixPath(name).parents} - {"."}


def test_says_what_it_is(artifact: pathlib.Path) -> None:
    with tarfile.open(artifact) as archive:
        member = archive.extractfile("MANIFEST.json")
        assert member is not None
        info = json.load(member)["collection_info"]
    assert (info["namespace"], info["name"], info["license"]) == ("palisade", "nftables", ["GPL-3.0-or-later"])
    assert info["dependencies"] == {}


@pytest.mark.parametrize("only_run_time", [False, True], ids=["whole", "without what is not needed to run"])
def test_works_installed(run: Run, installed: pathlib.Path, *, only_run_time: bool) -> None:
    root = installed / "ansible_collections" / "palisade" / "nftables"
    if only_run_time:
        for path in root.iterdir():
            if path.is_dir() and path.name not in RUN_TIME:
                shutil.rmtree(path)
            elif path.is_file():
                path.unlink()
    for kind in ("module", "filter"):
        names = ["palisade.nftables.%s" % name for kind_, name in PLUGINS if kind_ == kind]
        if names:
            documented = json.loads(run("ansible-doc", "--json", "-t", kind, *names, collections=installed))
            assert sorted(documented) == sorted(names)
            assert all(documented[name]["doc"]["collection"] == "palisade.nftables" for name in names)
    names = ["palisade.nftables.%s" % role for role in ROLES]
    assert sorted(json.loads(run("ansible-doc", "--json", "-t", "role", *names, collections=installed))) == names
    _check_playbooks(run, root, installed)


def _check_playbooks(run: Run, root: pathlib.Path, collections: t.Optional[pathlib.Path] = None) -> None:
    """Ansible finds all of them by their names, below the folder, and takes what they say."""
    names = ["palisade.nftables.%s" % playbook for playbook in PLAYBOOKS]
    output = run("ansible-playbook", *names, "--syntax-check", collections=collections)
    found = re.findall(r"^playbook: (.*)$", output, re.MULTILINE)
    assert [pathlib.Path(path).resolve() for path in found] == [
        root.resolve() / "playbooks" / ("%s.yml" % playbook) for playbook in PLAYBOOKS
    ]


def test_the_checkout_runs_its_playbooks_by_name(run: Run) -> None:
    _check_playbooks(run, CHECKOUT)
