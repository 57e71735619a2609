"""What people sent: batches of files, each found again by its name, swept when nothing uses it.

What a person drops in one go is a batch, ``uploads/HEX/``, in which files keep their folders.
`dashboard.receiving` takes the files in.
"""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core import jobs
from core.errors import NotFoundError
from core.library import Library
from core.sources.uri import unquote_path
from core.workspace import Workspace

_PICTURES = """
    .png .apng .jpg .jpeg .jpe .jfif .tif .tiff .bmp .dib .gif .webp .avif .jp2 .j2k .ppm .pgm .pbm
    .pnm .tga .pcx .mpo
"""
PICTURES = frozenset(_PICTURES.split())
TABLES = frozenset({".csv", ".tsv", ".txt", ".parquet", ".npz"})
INSTRUMENTS = frozenset({".lst", ".ctx", ".hdr", ".adc", ".roi"})
TAKEN = PICTURES | TABLES | INSTRUMENTS | {".zip"}
"""Extensions of files that may be sent."""

UPLOAD_LIMIT = 2 * 2**30
"""Bytes of a batch."""
FILES_LIMIT = 20_000
DAY_S = 24 * 3600.0
SAFE = {"X-Content-Type-Options": "nosniff"}
BATCH = re.compile(r"[0-9a-f]{16}")

_IN_TEXT = re.compile(r"/([0-9a-f]{16})(?![^/#])")


@dataclass(frozen=True)
class Arrived:
    """A batch as a source of images."""

    path: Path
    name: str | None
    """What to call it when neither a folder nor a file gives it a name."""


def arrived(workspace: Workspace, batch: str) -> Arrived:
    """What a person dropped: one zip, one table, one folder, or several files.

    Raises
    ------
    NotFoundError
        If it is not here (any more).
    """
    folder = workspace.uploads / batch
    found = []
    if BATCH.fullmatch(batch) and folder.is_dir():
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if not found:
        raise NotFoundError("this upload is not here any more; choose the files again")
    alone = found[0] if len(found) == 1 else None
    if alone is not None and (alone.is_dir() or alone.suffix.lower() in TABLES | {".zip"}):
        return Arrived(alone, None)
    return Arrived(folder, _name(found))


def _name(found: list[Path]) -> str:
    """Of loose files: the run they are of, the beginning they share, or the day they came."""
    for suffix in (".lst", ".hdr", ".parquet", ".tsv", ".csv"):
        told = [path for path in found if path.suffix.lower() == suffix]
        if len(told) == 1:
            return told[0].stem
    stems = sorted({path.stem for path in found})
    if len(stems) == 1:
        return stems[0]
    ends = (i for i, letter in enumerate(stems[0]) if not stems[-1].startswith(letter, i))
    shared = re.sub(r"[\W\d_]+$", "", stems[0][: next(ends, len(stems[0]))])
    if len(shared) >= 3:
        return shared
    came = min(path.stat().st_mtime for path in found)
    return f"upload-{datetime.fromtimestamp(came, UTC):%Y-%m-%d}"


# what nobody uses


def in_use(lib: Library) -> set[str] | None:
    """Batches that a collection or a job reads from; None when any might be."""
    uploads = lib.workspace.uploads.resolve()
    used: set[str] = set()
    for collection in lib.catalogue.collections():
        roots = lib.catalogue.roots(collection.uid).values()
        texts = list(roots)
        if "" in texts:  # its images lie at places of their own
            texts += lib.catalogue.column(collection.uid, "inner").values()
        for root in roots:
            if root.startswith("/") and uploads.is_relative_to(unquote_path(root)):
                return None  # somebody indexed all uploads at once
        used.update(batch for text in texts for batch in _IN_TEXT.findall(text))
    for job in jobs.listed(lib.workspace):
        used.update(batch for text in job.arguments for batch in _IN_TEXT.findall(text))
    return used


def sweep(lib: Library, *, older_than_s: float = DAY_S) -> list[str]:
    """Delete uploads that nothing was indexed from within a day; gives their names."""
    folder = lib.workspace.uploads
    if not folder.is_dir():
        return []
    before = time.time() - older_than_s
    old = [
        path
        for path in folder.iterdir()
        if BATCH.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
        if path.stat().st_mtime < before and _newest(path) < before
    ]
    used = in_use(lib) if old else set()
    if used is None:
        return []
    swept = [path for path in old if path.name not in used]
    for path in swept:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in swept]


def _newest(folder: Path) -> float:
    return max((path.stat().st_mtime for path in folder.rglob("*")), default=0.0)
