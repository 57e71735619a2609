"""Original images to take away: a zip of the files as they are, and a list of what is in it."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import re
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from core import labels
from core.ahead import ahead
from core.catalogue import Image, nearby
from core.cells import is_formula, unescaped
from core.errors import ImageError, NotFoundError, SourceError
from core.images import ValueRange, original
from core.library import Library
from core.naming import file_name
from core.progress import Meter, Report, nobody
from core.ranging import value_range_of
from core.sources.uri import REMOTE, parse
from core.workspace import Workspace
from core.writing import whole_file

MANIFEST = "manifest.csv"

AT_ONCE = 64 * 2**20
"""Bytes a page packs in memory; more is a job that writes a file."""

AT_ONCE_IMAGES = 500

PAGE_LIMIT = 4 * 2**30
"""Bytes a page offers at all; the command line has no limit but the disk."""

UNKNOWN = 2**18
"""Bytes guessed of a file whose size nobody has said."""

KEPT_S = 24 * 3600.0
"""What a page packed can be downloaded for so long, at least."""

PACKED = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".jp2", ".zip", ".gz"}
"""Files that packing does not make smaller."""

COLUMNS = (
    "id",
    "file",
    "uri",
    "label",
    "label_status",
    "sample",
    "um_per_px",
    "width",
    "height",
    "problem",
)


def expected_size(images: Sequence[Image], *, unknown: int = UNKNOWN) -> int:
    """Bytes their originals have, as far as is known without reading them."""
    return sum(_expected(image, unknown) for image in images)


def fits_at_once(images: Sequence[Image]) -> bool:
    """Whether a page packs them in memory when it is asked to."""
    return len(images) <= AT_ONCE_IMAGES and expected_size(images) <= AT_ONCE


def check_limit(images: Sequence[Image], limit: int) -> None:
    """Refuse images that are known to be more bytes than this.

    Raises
    ------
    SourceError
        Naming the command line, which has no limit.
    """
    if (expected := expected_size(images, unknown=0)) > limit:
        raise _too_much(len(images), expected, limit)


def _expected(image: Image, unknown: int) -> int:
    if parse(image.uri).part:  # becomes a PNG of its own
        return (image.width or 512) * (image.height or 512)
    stated = re.match(r"(\d+):", image.stamp)
    return int(stated[1]) if stated else unknown


def key_of(uid: str, images: Sequence[Image]) -> str:
    """What a zip of these images is called among those of the workspace: the same while they are.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    text = "\n".join([uid, *(f"{image.id}\t{image.stamp}" for image in images)])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def zip_of(
    library: Library,
    uid: str,
    images: Sequence[Image],
    *,
    to: Path,
    limit: int | None = None,
    report: Report = nobody,
) -> dict[str, Any]:
    """Write the originals of these images, and ``manifest.csv``, as a zip.

    Parameters
    ----------
    to : Path
        The file to write; it is whole or not there, and an older one is replaced.
    limit : int, optional
        Most bytes of all images together.

    Returns
    -------
    dict
        ``file``, ``format``, ``images``, ``bytes`` of the zip, ``unreadable`` and the first
        1,000 of those with their reason as ``skipped``.

    Raises
    ------
    SourceError
        If the images are more than `limit`, or there is no folder to write into.
    CoreError
        If the file cannot be written.
    """
    if limit is not None:
        check_limit(images, limit)
    with whole_file(to) as path, path.open("xb") as stream:
        skipped = _write(library, uid, images, stream, limit=limit, report=report)
        size = stream.tell()
    return {
        "file": str(to),
        "format": "zip",
        "images": len(images) - len(skipped),
        "bytes": size,
        "unreadable": len(skipped),
        "skipped": [{"uri": uri, "reason": reason} for uri, reason in skipped[:1_000]],
        "skipped_count": len(skipped),
    }


def zip_bytes(library: Library, uid: str, images: Sequence[Image]) -> bytes:
    """The same in memory, for few images.

    Raises
    ------
    SourceError
        If they are more than a page packs at once.
    """
    stream = io.BytesIO()
    _write(library, uid, images, stream, limit=2 * AT_ONCE, report=nobody)
    return stream.getvalue()


def _write(
    library: Library,
    uid: str,
    images: Sequence[Image],
    stream: IO[bytes],
    *,
    limit: int | None,
    report: Report,
) -> list[tuple[str, str]]:
    """Uri and reason of those that could not be read."""
    value_range = value_range_of(library.catalogue.options(uid))
    known = labels.current(library.catalogue, uid, [image.id for image in images])
    meter = Meter(report, "Packing images", len(images))
    taken = {MANIFEST}
    skipped: list[tuple[str, str]] = []
    rows: list[Sequence[Any]] = []
    total = 0
    with zipfile.ZipFile(stream, "w") as archive:
        for image, found in originals(images, value_range):
            name, problem = "", ""
            if isinstance(found, ImageError):
                problem = found.reason
                skipped.append((image.uri, problem))
            else:
                data, suffix = found
                total += len(data)
                if limit is not None and total > limit:
                    raise _too_much(len(images), total, limit)
                name = file_name(image.id, suffix, taken)
                archive.writestr(
                    name, data, zipfile.ZIP_STORED if suffix in PACKED else zipfile.ZIP_DEFLATED
                )
            label = known.get(image.id)
            rows.append(
                (
                    image.id,
                    name,
                    image.uri,
                    label.label if label else "",
                    label.status if label else "",
                    image.sample or "",
                    "" if image.um_per_px is None else image.um_per_px,
                    "" if image.width is None else image.width,
                    "" if image.height is None else image.height,
                    problem,
                )
            )
            meter.advance()
        archive.writestr(MANIFEST, _manifest(rows), zipfile.ZIP_DEFLATED)
    return skipped


def originals(
    images: Sequence[Image], value_range: ValueRange | None
) -> Iterator[tuple[Image, tuple[bytes, str] | ImageError]]:
    """Each image with its own bytes and their extension (`core.images.original`), or why not; some
    are read ahead."""

    def read(image: Image) -> tuple[bytes, str] | ImageError:
        try:
            return original(image.uri, value_range=value_range)
        except ImageError as error:
            return error

    remote = any(parse(image.uri).scheme in REMOTE for image in images)
    return zip(images, ahead(read, images, workers=8 if remote else 2), strict=True)


def _manifest(rows: Sequence[Sequence[Any]]) -> bytes:
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(COLUMNS)
    for row in rows:
        table.writerow(f"'{c}" if isinstance(c, str) and is_formula(c) else c for c in row)
    return out.getvalue().encode("utf-8-sig", "backslashreplace")  # spreadsheets read it as UTF-8


def _too_much(count: int, size: int, limit: int) -> SourceError:
    return SourceError(
        f"these {count:,} images are {size / 2**30:,.1f} GB or more and a page packs up to "
        f"{limit / 2**30:,.1f} GB; take fewer, or use `python -m core export --collection NAME "
        "--format zip --ids-from FILE -o FILE.zip` with the CSV of the selection"
    )


def prepare(workspace: Workspace, key: str, ids: Sequence[str]) -> Path:
    """The file of ids for a job that packs them; zips of days gone by are taken away.

    Raises
    ------
    WorkspaceError
        If it cannot be written.
    """
    folder = workspace.exports
    try:
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            with contextlib.suppress(OSError):  # another page takes it away just now
                if time.time() - path.stat().st_mtime > KEPT_S:
                    path.unlink()
        path = folder / f"{key}.csv"
        write_ids(path, ids)
    except OSError as error:
        raise workspace.unwritable(error) from error
    return path


def write_ids(path: Path, ids: Sequence[str]) -> None:
    """A .csv that `read_ids` reads, whatever the ids hold."""
    with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as stream:
        csv.writer(stream).writerows([["id"], *([id] for id in ids)])


def read_ids(path: Path, known: Sequence[str]) -> list[str]:
    """Ids that a file names: one a line, or the column ``id`` of a .csv such as a page gives.

    Parameters
    ----------
    known : sequence of str
        Ids there are.

    Returns
    -------
    list of str
        In the order of the file, each once.

    Raises
    ------
    SourceError
        If the file cannot be read, or names none.
    NotFoundError
        If an id is not among those known.
    """
    there = set(known)
    try:
        text = path.read_bytes().decode("utf-8", "surrogatepass").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise SourceError(f"{path} is no text in UTF-8; expected one id a line") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise SourceError(f"{path} cannot be read ({why}); expected one id a line") from None
    if path.suffix.lower() == ".csv":
        table = csv.DictReader(io.StringIO(text, newline=""))
        if "id" not in (table.fieldnames or ()):
            raise SourceError(f"{path} has no column 'id'; expected one, or a .txt of ids")
        named = [row["id"] or "" for row in table]
        named = [id if id in there else unescaped(id) for id in named]
    else:
        named = [line.removesuffix("\r") for line in text.split("\n")]
    ids = list(dict.fromkeys(id for id in named if id.strip()))
    if not ids:
        raise SourceError(f"{path} names no image; expected one id a line")
    missing = [id for id in ids if id not in there]
    if missing:
        raise NotFoundError(
            f"{path} names {len(missing):,} images that the collection has not, such as "
            f"{missing[0]!r}; {nearby(missing[0], list(known)[:2_000])}"
        )
    return ids
