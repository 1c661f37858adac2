# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports from an archive like Ansible's: what comes out is what Python's own importer gives, compiled once."""

from __future__ import annotations

import importlib
import pathlib
import sys
import typing as t
import zipfile
import zipimport

import pytest

from ansible_collections.palisade.nftables.plugins.module_utils import _archive_imports
from ansible_collections.palisade.nftables.plugins.module_utils._archive_imports import compiled_once

PACKAGE = "archived_for_test"

FILES = {
    "__init__.py": "",
    "top.py": "from .inner.leaf import VALUE\n",
    "inner/__init__.py": "NAME = __name__\n",
    "inner/leaf.py": "from . import NAME\nVALUE = 'value of ' + NAME\n",
    "broken.py": "def :\n",
}

#: What zipimport compiles with is a private function, which CPython has kept since 3.8.
COMPILE = "_compile_source"


@pytest.fixture
def archive(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[pathlib.Path]:
    """An archive that holds the package, first on ``sys.path``; what was imported from it is forgotten."""
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for name, text in FILES.items():
            opened.writestr("%s/%s" % (PACKAGE, name), text)
    monkeypatch.syspath_prepend(str(path))
    monkeypatch.setattr(_archive_imports, "_PACKAGE", PACKAGE + ".")
    yield path
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def described(name: str) -> t.Dict[str, object]:
    """What a module knows of itself, after it was imported anew."""
    for loaded in [loaded for loaded in sys.modules if loaded.split(".")[0] == PACKAGE]:
        del sys.modules[loaded]
    module = importlib.import_module(name)
    spec = module.__spec__
    assert spec is not None
    return {
        "file": module.__file__,
        "package": module.__package__,
        "path": list(getattr(module, "__path__", ())),
        "origin": spec.origin,
        "has_location": spec.has_location,
        "loader": type(spec.loader),
    }


@pytest.mark.parametrize("name", ["top", "inner", "inner.leaf"])
def test_a_module_is_as_python_makes_it(archive: pathlib.Path, name: str) -> None:
    usual = described("%s.%s" % (PACKAGE, name))
    with compiled_once():
        assert described("%s.%s" % (PACKAGE, name)) == usual
    assert str(usual["file"]).startswith(str(archive))


def test_each_file_is_compiled_once(archive: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(zipimport.zipimporter, "exec_module"):
        pytest.skip("the importer of Python 3.9 works in another way, and is left alone")
    compiled: t.List[str] = []
    original = getattr(zipimport, COMPILE)

    def counting(path: str, source: bytes) -> t.Any:
        compiled.append(pathlib.Path(path).relative_to(archive / PACKAGE).as_posix())
        return original(path, source)

    # The package itself is outside of what is sped up.
    importlib.import_module(PACKAGE)
    monkeypatch.setattr(zipimport, COMPILE, counting)
    with compiled_once():
        assert importlib.import_module(PACKAGE + ".top").VALUE == "value of archived_for_test.inner"
    assert sorted(compiled) == ["inner/__init__.py", "inner/leaf.py", "top.py"]


def test_what_is_not_there_is_reported_as_ever(archive: pathlib.Path) -> None:
    with compiled_once():
        with pytest.raises(ModuleNotFoundError, match=r"archived_for_test\.missing"):
            importlib.import_module(PACKAGE + ".missing")
        with pytest.raises(SyntaxError):
            importlib.import_module(PACKAGE + ".broken")


def test_nothing_stays_behind(archive: pathlib.Path) -> None:
    before = list(sys.meta_path)
    with pytest.raises(SyntaxError), compiled_once():
        importlib.import_module(PACKAGE + ".broken")
    assert sys.meta_path == before
