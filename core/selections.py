"""Selections kept in the workspace: gathered images under a name, or under a mark for a link."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from core.errors import NotFoundError, RangeError, WorkspaceError
from core.results import load_result, read_meta, save_result
from core.workspace import Workspace, check_name, now, slug

LINKED = 500
"""Sets of images that links name and nobody gave a name; the oldest of more are forgotten."""

_MARK = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Kept:
    """A named selection."""

    name: str
    images: int
    at: str
    """When it was kept, ISO 8601."""


def keep(workspace: Workspace, uid: str, name: str, ids: Sequence[str]) -> Kept:
    """Keep a selection under a name; an older one of that name is replaced.

    Raises
    ------
    RangeError
        If the name cannot be used or nothing is selected.
    WorkspaceError
        If it cannot be written.
    """
    called = _checked(name)
    chosen = list(dict.fromkeys(ids))
    if not chosen:
        raise RangeError("nothing is selected; expected at least 1 image to keep")
    made = Kept(called, len(chosen), now())
    meta = {"kind": "selection", "name": called, "images": len(chosen), "at": made.at}
    save_result(_named(workspace, uid, called), {"id": chosen}, meta)
    return made


def kept(workspace: Workspace, uid: str) -> list[Kept]:
    """Every named selection of a collection, the newest first; a damaged one hides no other."""
    folder = workspace.selections(uid)
    found = []
    for path in folder.glob("*.parquet") if folder.is_dir() else ():
        with suppress(WorkspaceError, NotFoundError):
            meta = read_meta(path)
            name = str(meta.get("name", unquote(path.stem)))
            found.append(Kept(name, int(meta.get("images", 0)), str(meta.get("at", ""))))
    return sorted(found, key=lambda each: (each.at, each.name), reverse=True)


def load(workspace: Workspace, uid: str, name: str) -> list[str]:
    """The ids of a named selection, in the order they were gathered.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    WorkspaceError
        If it is damaged.
    """
    path = _named(workspace, uid, name)
    if not path.is_file():
        names = ", ".join(repr(each.name) for each in kept(workspace, uid)[:8]) or "none yet"
        raise NotFoundError(f"no selection is called {name[:100]!r}; there is {names}")
    return load_result(path).ids


def forget(workspace: Workspace, uid: str, name: str) -> None:
    """Delete a named selection; its images stay where they are.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    """
    try:
        _named(workspace, uid, name).unlink()
    except FileNotFoundError:
        raise NotFoundError(f"no selection is called {name[:100]!r}") from None
    except OSError as error:
        raise workspace.unwritable(error) from error


def digest_of(ids: Sequence[str]) -> str:
    """What `mark` calls these images, whether or not they are kept.

    Raises
    ------
    RangeError
        If there are none.

    Examples
    --------
    >>> digest_of(["b", "a"]) == digest_of(["a", "b", "a"])
    True
    """
    if not ids:
        raise RangeError("no image is chosen; expected at least 1")
    text = "\n".join(sorted(set(ids))).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def mark(workspace: Workspace, uid: str, ids: Sequence[str]) -> str:
    """Keep a set of images for a link that names it, in whatever order they came.

    Returns
    -------
    str
        32 hexadecimal digits, the same for the same images.

    Raises
    ------
    RangeError
        If there are no images.
    WorkspaceError
        If it cannot be written.
    """
    chosen, digest = sorted(set(ids)), digest_of(ids)
    path = _linked(workspace, uid, digest)
    if path.is_file():
        with suppress(OSError):
            path.touch()
        return digest
    save_result(path, {"id": chosen}, {"kind": "selection", "images": len(chosen), "at": now()})
    with suppress(OSError):
        older = sorted(path.parent.glob("*.parquet"), key=lambda each: each.stat().st_mtime)
        for each in older[:-LINKED]:
            each.unlink(missing_ok=True)
    return digest


def marked(workspace: Workspace, uid: str, digest: str) -> list[str]:
    """The images a link names, by id.

    Raises
    ------
    NotFoundError
        If they are not kept any more.
    """
    path = _linked(workspace, uid, digest) if _MARK.fullmatch(digest) else None
    if path is None or not path.is_file():
        raise NotFoundError("the images that the link names are not kept any more; choose again")
    return load_result(path).ids


def _checked(name: str) -> str:
    check_name(name, "the selection's name")
    return name


def _named(workspace: Workspace, uid: str, name: str) -> Path:
    return workspace.selections(uid) / f"{slug(name)}.parquet"


def _linked(workspace: Workspace, uid: str, digest: str) -> Path:
    return workspace.selections(uid) / "linked" / f"{digest}.parquet"
