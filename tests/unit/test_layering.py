# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The direction of imports, as CONTRIBUTING.md draws it, and the purity of the core."""

from __future__ import annotations

import ast
import pathlib
import sys
import typing as t

import pytest

if sys.version_info < (3, 10):
    pytest.skip("Python 3.9 cannot list its standard library; newer ones check the same files", allow_module_level=True)

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = CHECKOUT / "plugins"
FILES = sorted(PLUGINS.rglob("*.py"))
MODULE_UTILS = "plugins.module_utils"

#: Each package of the pure core may import itself and those before it.
PURE = ("_core", "_policy", "_compile", "_nft", "_analysis")

#: What the pure core uses of the standard library. A list of what is allowed, not of what is not:
#: whoever adds a name sees that none of these opens a file, a socket or a process, looks at a clock or
#: the environment, or draws random numbers. All of them are in Python 3.9.
PURE_STANDARD_LIBRARY = frozenset(
    {
        "__future__",
        "abc",
        "bisect",
        "collections",
        "contextlib",
        "dataclasses",
        "difflib",
        "enum",
        "fnmatch",
        "functools",
        "hashlib",
        "heapq",
        "ipaddress",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "string",
        "struct",
        "textwrap",
        "types",
        "typing",
    }
)

#: Exceptions by file: the name, and the only attributes of it that are used.
PURE_EXCEPTIONS: t.Dict[str, t.Dict[str, t.FrozenSet[str]]] = {
    # Text to address and back, in C. They are functions of their arguments; nothing is sent.
    "_core/addresses.py": {"socket": frozenset({"AF_INET", "AF_INET6", "inet_pton", "inet_ntop"})},
    # When Python looks for reference cycles changes no result.
    "_core/collector.py": {"gc": frozenset({"disable", "enable", "isenabled"})},
}

#: Built-in functions that do something other than return a value.
IMPURE_BUILTINS = frozenset({"breakpoint", "compile", "eval", "exec", "input", "open", "print", "__import__"})

#: Python 3.9's standard library does not have these.
NEWER_THAN_3_9 = frozenset({"tomllib"})

#: Python 3.9 cannot tell what its standard library is; the newer ones do, in the same run of the tests.
STANDARD_LIBRARY: t.FrozenSet[str] = getattr(sys, "stdlib_module_names", frozenset())


class Import(t.NamedTuple):
    """One import: the whole dotted name, inside the collection from its root, and where it stands."""

    name: str
    line: int
    relative: bool


def _dotted(path: pathlib.Path) -> str:
    return ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)


def imports_of(path: pathlib.Path) -> t.Iterator[Import]:
    """Every import of a file, wherever in it: inside functions and type-only ones too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, relative=False)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = _dotted(path).split(".")[: -node.level]
                base = ".".join([*package, base] if base else package)
            for alias in node.names:
                yield Import("%s.%s" % (base, alias.name), node.lineno, relative=bool(node.level))


def layer_of(path: pathlib.Path) -> str:
    """``module_utils/_core`` and the like for module_utils, the kind of plugin for the rest."""
    parts = path.relative_to(PLUGINS).parts
    if parts[0] == "module_utils":
        return parts[1] if len(parts) > 2 else "module_utils"
    return parts[0]


def _below(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def _standard(name: str) -> bool:
    top = name.split(".", 1)[0]
    return top in STANDARD_LIBRARY and top not in NEWER_THAN_3_9


def allowed(path: pathlib.Path, found: Import) -> bool:
    """Whether a file of plugins/ may import this."""
    layer = layer_of(path)
    name = found.name
    if layer in PURE:
        within = ["%s.%s" % (MODULE_UTILS, lower) for lower in PURE[: PURE.index(layer) + 1]]
        exceptions = PURE_EXCEPTIONS.get(path.relative_to(PLUGINS / "module_utils").as_posix(), {})
        top = name.split(".", 1)[0]
        return (found.relative and _below(name, *within)) or top in PURE_STANDARD_LIBRARY or top in exceptions
    pure = ["%s.%s" % (MODULE_UTILS, package) for package in PURE]
    if found.relative:
        if layer == "_host":
            return _below(name, *pure, MODULE_UTILS + "._host")
        if layer in ("module_utils", "modules"):
            return _below(name, MODULE_UTILS)
        if layer in ("plugin_utils", "action", "filter"):
            return _below(name, MODULE_UTILS, "plugins.plugin_utils")
        return False
    if _below(name, "ansible_collections", "lab", "tests", "plugins"):
        return False
    if layer == "_host":
        return _standard(name)
    if layer in ("module_utils", "modules"):
        return _standard(name) or _below(name, "ansible.module_utils")
    if layer == "plugin_utils":
        return _standard(name) or _below(name, "ansible", "jsonschema", "referencing", "yaml")
    if layer in ("action", "filter"):
        return _standard(name) or _below(name, "ansible")
    return _standard(name)


def _id(path: pathlib.Path) -> str:
    return path.relative_to(PLUGINS).as_posix()


def test_there_is_something_to_check() -> None:
    assert {layer_of(path) for path in FILES} >= {"_core"}


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_imports_point_downwards(path: pathlib.Path) -> None:
    wrong = ["line %d: %s" % (found.line, found.name) for found in imports_of(path) if not allowed(path, found)]
    assert not wrong, "%s may not import what CONTRIBUTING.md puts above it or outside:\n%s" % (
        _id(path),
        "\n".join(wrong),
    )


@pytest.mark.parametrize("path", [path for path in FILES if layer_of(path) in PURE], ids=_id)
def test_the_core_does_no_input_or_output(path: pathlib.Path) -> None:
    exceptions = PURE_EXCEPTIONS.get(path.relative_to(PLUGINS / "module_utils").as_posix(), {})
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_BUILTINS:
            wrong.append("line %d: %s()" % (node.lineno, node.func.id))
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in exceptions
            and node.attr not in exceptions[node.value.id]
        ):
            wrong.append("line %d: %s.%s" % (node.lineno, node.value.id, node.attr))
        elif isinstance(node, ast.ImportFrom) and node.module in exceptions:
            wrong.extend(
                "line %d: %s.%s" % (node.lineno, node.module, alias.name)
                for alias in node.names
                if alias.name not in exceptions[node.module]
            )
    assert not wrong, "\n".join(wrong)


def test_every_exception_is_used() -> None:
    unused = [
        "%s: %s" % (file, name)
        for file, names in PURE_EXCEPTIONS.items()
        for name in names
        if name not in {found.name.split(".", 1)[0] for found in imports_of(PLUGINS / "module_utils" / file)}
    ]
    assert not unused


def test_plugins_hold_no_package_files() -> None:
    assert [_id(path) for path in FILES if path.name == "__init__.py"] == []


#: A file that would break the rule, and what it may not import.
VIOLATIONS = [
    ("module_utils/_core/wrong.py", "import os"),
    ("module_utils/_core/wrong.py", "from pathlib import Path"),
    ("module_utils/_core/wrong.py", "def f():\n    import subprocess"),
    ("module_utils/_core/wrong.py", "import socket"),
    ("module_utils/_core/wrong.py", "from .._policy.model import Rule"),
    ("module_utils/_core/wrong.py", "from .. import _policy"),
    ("module_utils/_policy/wrong.py", "from .._compile import lower"),
    ("module_utils/_nft/wrong.py", "from ansible.module_utils.basic import AnsibleModule"),
    ("module_utils/_nft/wrong.py", "from .._host import nft"),
    ("module_utils/_analysis/wrong.py", "from ansible_collections.palisade.nftables.plugins.module_utils import _core"),
    ("module_utils/_host/wrong.py", "import yaml"),
    ("module_utils/_host/wrong.py", "import tomllib"),
    ("module_utils/_host/wrong.py", "from ansible.module_utils.basic import AnsibleModule"),
    ("modules/wrong.py", "from ansible.errors import AnsibleError"),
    ("modules/wrong.py", "from ..plugin_utils._plain import to_plain"),
    ("filter/wrong.py", "import jsonschema"),
    ("plugin_utils/wrong.py", "from lab import Lab"),
    ("plugin_utils/wrong.py", "from ..filter.compile import FilterModule"),
]


@pytest.mark.parametrize(("name", "source"), VIOLATIONS)
def test_the_rule_finds_what_breaks_it(name: str, source: str, tmp_path: pathlib.Path, monkeypatch: t.Any) -> None:
    path = tmp_path / "plugins" / name
    path.parent.mkdir(parents=True)
    path.write_text(source, encoding="utf-8")
    monkeypatch.setitem(globals(), "CHECKOUT", tmp_path)
    monkeypatch.setitem(globals(), "PLUGINS", tmp_path / "plugins")
    assert not all(allowed(path, found) for found in imports_of(path))
