"""Files for a person to take away: whole, or not there."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from core.errors import CoreError, SourceError


@contextlib.contextmanager
def whole_file(to: Path) -> Iterator[Path]:
    """Where to write what becomes `to` once all of it is written; until then an older one stays.

    Raises
    ------
    SourceError
        If there is no folder to write into.
    CoreError
        If it cannot be written.
    """
    if not to.parent.is_dir():
        raise SourceError(f"{to.parent} is no folder; expected one to write {to.name} into")
    temporary = to.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield temporary
        temporary.replace(to)
    except OSError as error:
        why = error.strerror or str(error)
        raise CoreError(f"{to} cannot be written ({why}); choose another -o") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
