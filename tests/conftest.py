# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the collection importable and usable from the checkout, whatever its folder is called.

Python and Ansible find a collection at ``ansible_collections/<namespace>/<name>`` below some folder.
A checkout may lie anywhere, so ``.cache/collections`` holds that path as a symbolic link to it.

With ansible-core, its own loader imports the collection. Without (the unit tests of the pure core
also run on each Python of a target, which has no Ansible), the folder is put on ``sys.path``, and test
files that need ansible-core are left out.
"""

from __future__ import annotations

import ast
import gc
import importlib.util
import os
import pathlib
import sys
import tempfile
import typing as t

import pytest

from tests.turns import Turns

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent

ANSIBLE_CONFIG = CHECKOUT / "tests" / "ansible.cfg"

HAVE_ANSIBLE = importlib.util.find_spec("ansible") is not None

#: What a test file imports when it cannot run on a target's Python, where only the standard library
#: and the requirements in tests/requirements/unit.txt are installed.
_CONTROLLER_ONLY = (
    "ansible",
    "ansible_collections.palisade.nftables.plugins.action",
    "ansible_collections.palisade.nftables.plugins.filter",
    "ansible_collections.palisade.nftables.plugins.modules",
    "ansible_collections.palisade.nftables.plugins.plugin_utils",
    "jsonschema",
)

#: Fixtures and parameters of the tests that ask the kernel.
_ASKING_THE_KERNEL = frozenset({"network", "machine", "nft"})

_left_out: t.List[str] = []


def _link_below(root: pathlib.Path) -> pathlib.Path:
    link = root / "ansible_collections" / "palisade" / "nftables"
    link.parent.mkdir(parents=True, exist_ok=True)
    # Several processes of pytest may do this at once.
    try:
        link.symlink_to(os.path.relpath(CHECKOUT, link.parent), target_is_directory=True)
    except FileExistsError:
        if link.resolve() != CHECKOUT:
            raise
    return root


def _collections() -> pathlib.Path:
    try:
        return _link_below(CHECKOUT / ".cache" / "collections")
    except OSError:
        # A read-only checkout, or one that another user's run prepared.
        return _link_below(pathlib.Path(tempfile.mkdtemp(prefix="palisade-collections-")))


COLLECTIONS = _collections()


def _make_importable() -> None:
    if HAVE_ANSIBLE:
        # These are read once, when ansible-core is first imported.
        os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
        os.environ["ANSIBLE_CONFIG"] = str(ANSIBLE_CONFIG)
        from ansible.plugins.loader import init_plugin_loader

        init_plugin_loader([str(COLLECTIONS)])
    else:
        sys.path.insert(0, str(COLLECTIONS))


_make_importable()


def _imported_names(path: pathlib.Path) -> t.Iterator[str]:
    package = path.relative_to(CHECKOUT).parent.parts
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            yield from ("%s.%s" % (module, alias.name) for alias in node.names)


def _below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def _files_of(name: str) -> t.List[pathlib.Path]:
    """The files of a module or package of the tests, and of the name's parent, which may define it."""
    places = [CHECKOUT.joinpath(*name.split(".")), CHECKOUT.joinpath(*name.split(".")[:-1])]
    candidates = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    return [file for file in candidates if file.is_file()]


def _needs_controller(path: pathlib.Path) -> bool:
    """Whether a file imports what only the controller has, itself or through helpers in tests/."""
    seen: t.Set[pathlib.Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        for name in _imported_names(file):
            if any(_below(name, package) for package in _CONTROLLER_ONLY):
                return True
            if _below(name, "tests"):
                waiting.extend(_files_of(name))
    return False


def pytest_ignore_collect(collection_path: pathlib.Path) -> t.Optional[bool]:
    """Leaves out test files that need ansible-core where there is none."""
    if HAVE_ANSIBLE or not collection_path.match("test_*.py") or not _needs_controller(collection_path):
        return None
    _left_out.append(str(collection_path.relative_to(CHECKOUT)))
    return True


def pytest_collection_modifyitems(config: pytest.Config, items: t.List[pytest.Item]) -> None:
    """Marks what asks the kernel: the Python in the middle of those of a target need not do that, too.

    A test that runs Ansible's commands, by the fixture of their environment, needs ansible-core like one that
    imports it.
    """
    runs_ansible: t.List[pytest.Item] = []
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if not _ASKING_THE_KERNEL.isdisjoint(fixtures):
            item.add_marker(pytest.mark.kernel)
        if not HAVE_ANSIBLE and "ansible_environment" in fixtures:
            runs_ansible.append(item)
    if runs_ansible:
        config.hook.pytest_deselected(items=runs_ansible)
        items[:] = [item for item in items if item not in runs_ansible]


def pytest_collection_finish() -> None:
    """What was loaded by now lives until the end: the collector of reference cycles need not look at it each time."""
    gc.collect()
    gc.freeze()


#: Of this process, among all that test this checkout.
_TURNS = Turns(COLLECTIONS, COLLECTIONS / "ansible_collections")


def _wants_to_be_alone(item: t.Optional[pytest.Item]) -> bool:
    return item is not None and item.get_closest_marker("alone") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: t.Optional[pytest.Item]
) -> t.Generator[None, t.Optional[bool], t.Optional[bool]]:
    """Each test is a turn; the turns of tests that want to be alone and follow each other are one."""
    alone = _wants_to_be_alone(item)
    _TURNS.begin(alone=alone)
    try:
        return (yield)
    finally:
        if not (alone and _wants_to_be_alone(nextitem)):
            _TURNS.end()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _left_out:
        terminalreporter.write_line(
            "No ansible-core on this Python: %d test files that need it were left out." % len(_left_out)
        )


@pytest.fixture(scope="session")
def checkout() -> pathlib.Path:
    """The root of the checkout."""
    return CHECKOUT


@pytest.fixture(scope="session")
def collections_path() -> pathlib.Path:
    """A folder for ``ANSIBLE_COLLECTIONS_PATH`` in which this checkout is installed."""
    return COLLECTIONS


@pytest.fixture(scope="session")
def ansible_environment_below() -> t.Callable[[pathlib.Path], t.Dict[str, str]]:
    """Makes an environment for ``ansible-playbook`` and its siblings that nothing outside the tests shapes.

    It has its own home below the folder, no configuration file but Ansible's defaults, and this checkout as the only
    collection. The commands of the Python that runs the tests come first on ``PATH``.
    """

    def make(folder: pathlib.Path) -> t.Dict[str, str]:
        home = folder / "home"
        home.mkdir(exist_ok=True)
        return {
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONFIG": str(ANSIBLE_CONFIG),
            "ANSIBLE_DEVEL_WARNING": "false",
            "ANSIBLE_FORCE_COLOR": "false",
            "ANSIBLE_HOME": str(home / ".ansible"),
            "ANSIBLE_HOST_KEY_CHECKING": "false",
            "ANSIBLE_INJECT_FACT_VARS": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_RETRY_FILES_ENABLED": "false",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]),
            "TMPDIR": tempfile.gettempdir(),
        }

    return make


@pytest.fixture
def ansible_environment(
    tmp_path: pathlib.Path, ansible_environment_below: t.Callable[[pathlib.Path], t.Dict[str, str]]
) -> t.Dict[str, str]:
    """The environment of Ansible's commands, for one test."""
    return ansible_environment_below(tmp_path)
