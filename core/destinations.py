"""Where copies of images go: a folder or object storage; what is there already stays."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from core.errors import CoreError, SourceError
from core.sources.uri import scheme_of


class Destination(Protocol):
    """A place for copies."""

    @property
    def where(self) -> str:
        """Its folder or address, for a person and to tell it from others."""
        ...

    def put(self, name: str, data: bytes) -> bool:
        """Write a file, whole or not at all; threads may call it at once.

        Parameters
        ----------
        name : str
            As `core.naming.file_names` gives it.

        Returns
        -------
        bool
            Whether these bytes are there now; False where something else has the name, or a
            folder of it, and stays.

        Raises
        ------
        CoreError
            If it cannot be written.
        """
        ...


class Folder:
    """A folder of this machine; it is made with the first file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def where(self) -> str:
        return str(self.path)

    def put(self, name: str, data: bytes) -> bool:
        to = self.path / name
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(self.path, error) from error
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            return False  # an image is called like the folder of another
        except OSError as error:
            raise self._unwritable(to, error) from error
        temporary = to.with_name(f".{secrets.token_hex(8)}.part")
        try:
            if os.path.lexists(to):
                same = to.is_file() and to.stat().st_size == len(data)
                return same and to.read_bytes() == data
            with temporary.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())  # a person may take the original away after this
            temporary.replace(to)
        except OSError as error:
            raise self._unwritable(to, error) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        return True

    def _unwritable(self, to: Path, error: OSError) -> CoreError:
        return CoreError(
            f"{to} cannot be written ({error.strerror or error}); allow it, free some space, then "
            "run the same command again: it continues"
        )


class Bucket:
    """A folder of object storage."""

    def __init__(self, place: str, endpoint_url: str | None) -> None:
        self.place = place.rstrip("/")
        self._endpoint_url = endpoint_url
        if not self.place.partition("/")[0]:
            raise SourceError(
                f"s3://{place} names no bucket; expected s3://bucket or s3://bucket/folder"
            )

    @property
    def where(self) -> str:
        return f"s3://{self.place}"

    def put(self, name: str, data: bytes) -> bool:
        from core.sources.remote import put_object

        return put_object(f"{self.place}/{name}", data, endpoint_url=self._endpoint_url)


def destination(where: str, *, endpoint_url: str | None = None) -> Destination:
    """The place that a person named.

    Parameters
    ----------
    where : str
        A folder, or ``s3://bucket/folder`` as it is, not quoted.
    endpoint_url : str or None
        Of an object storage that is not Amazon's.

    Raises
    ------
    SourceError
        If nothing can be written there.
    """
    scheme = scheme_of(where)
    if scheme == "s3":
        return Bucket(where.partition("://")[2].partition("#via=")[0], endpoint_url)
    if scheme or not where.strip():
        raise SourceError(
            f"{where!r} cannot be written to; expected a folder or s3://bucket/folder"
        )
    path = _resolved(where)
    if path.exists() and not path.is_dir():
        raise SourceError(f"{path} is a file; expected a folder for copies")
    return Folder(path)


def check_apart(source: str, places: dict[str, str]) -> None:
    """Refuse places that lie in the source, or that hold each other.

    A copy in the source would be an image of the next run; a report in it would be taken for a
    table of images.

    Parameters
    ----------
    source : str
        As a person named it. A table or zip is a file, in which nothing else can lie.
    places : mapping
        What a person called them (``--keep-to``) -> folder, file or address.

    Raises
    ------
    SourceError
        Naming both.

    Examples
    --------
    >>> check_apart("s3://bucket/raw", {"--keep-to": "s3://bucket/kept"})
    >>> check_apart("s3://bucket/raw", {"--keep-to": "s3://bucket/raw/kept"})
    Traceback (most recent call last):
        ...
    core.errors.SourceError: --keep-to s3://bucket/raw/kept lies in the source s3://bucket/raw; \
expected a place outside of it
    """
    root = _place(source)
    for option, where in places.items():
        place = _place(where)
        if _is_in(place, root):
            raise SourceError(
                f"{option} {where} lies in the source {source}; expected a place outside of it"
            )
        if option != "--report" and _is_in(root, place):
            raise SourceError(
                f"the source {source} lies in {option} {where}; expected a place apart from it"
            )
    for option, other in _pairs(sorted(places)):
        if _is_in(_place(places[option]), _place(places[other])):
            raise SourceError(
                f"{option} {places[option]} lies in {other} {places[other]}; expected them apart"
            )


def _pairs(names: list[str]) -> Iterator[tuple[str, str]]:
    for one in names:
        for other in names:
            if one != other and other != "--report":
                yield one, other


def _place(where: str) -> tuple[str, ...]:
    """Scheme and folders, as they can be compared."""
    scheme = scheme_of(where)
    if scheme:
        rest = where.partition("://")[2].partition("#via=")[0]
        return (scheme, *(part for part in rest.split("/") if part))
    return ("", *_resolved(where).parts)


def _is_in(place: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return place[: len(other)] == other


def _resolved(where: str) -> Path:
    try:
        return Path(where).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise SourceError(f"{where!r} is no place ({error}); expected a folder") from error
