# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is closed when the block that uses it ends."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import types

_Self = t.TypeVar("_Self", bound="Closing")


class Closing:
    """A context manager that closes itself."""

    # typing.Self is newer than the oldest Python that this runs on.
    def __enter__(self: _Self) -> _Self:  # noqa: PYI019 - see above
        return self

    def __exit__(
        self,
        kind: t.Optional[t.Type[BaseException]],
        problem: t.Optional[BaseException],
        trace: t.Optional[types.TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives back what it holds."""
        raise NotImplementedError
