# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection and can change without notice.

"""Imports from the archive in which Ansible sends a module, with each file compiled once.

To tell where a file is, zipimport compiles it (``zipimporter.get_filename`` in CPython's zipimport.py, 3.10
to 3.13), throws that away, and compiles it again to run it. An archive holds no bytecode, so the second time
is a third of what a run that changes nothing takes on a host.
"""

from __future__ import annotations

import contextlib
import os
import pkgutil
import sys
import typing as t
import zipimport
from importlib.machinery import ModuleSpec

#: The package that holds this file; nothing else is imported in this way.
_PACKAGE = __name__.rpartition(".")[0] + "."


class _ArchiveFinder:
    """Finds this package's modules in an archive; whatever is unlike that is left to Python's own finders."""

    @staticmethod
    def find_spec(fullname: str, path: t.Optional[t.Sequence[str]], _target: object = None) -> t.Optional[ModuleSpec]:
        """A module's specification, as :class:`importlib.abc.MetaPathFinder` defines it."""
        if not fullname.startswith(_PACKAGE):
            return None
        for folder in path or ():
            importer = pkgutil.get_importer(folder)
            # The importer of Python 3.9 works in another way.
            if not isinstance(importer, zipimport.zipimporter) or not hasattr(importer, "exec_module"):
                return None
            with contextlib.suppress(zipimport.ZipImportError):
                return _specify(importer, fullname)
        return None


def _specify(importer: zipimport.zipimporter, fullname: str) -> ModuleSpec:
    """What ``importer.find_spec`` returns, without compiling anything.

    Raises:
        ZipImportError: There is no such module in that folder of the archive.
    """
    is_package = importer.is_package(fullname)
    stem = os.path.join(importer.archive, importer.prefix + fullname.rpartition(".")[2])
    # typeshed does not know zipimporter for the loader that it is.
    spec = ModuleSpec(fullname, t.cast("t.Any", importer), origin=stem + ".py", is_package=is_package)
    if is_package:
        spec.origin = os.path.join(stem, "__init__.py")
        spec.submodule_search_locations = [stem]
    spec.has_location = True
    return spec


@contextlib.contextmanager
def compiled_once() -> t.Iterator[None]:
    """Within this context, this package's modules are imported so."""
    finder = _ArchiveFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
