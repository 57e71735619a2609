"""The objects of a bucket as a tree of files, listed page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from core.errors import SourceError
from core.sources.base import File, Given, Skipped
from core.sources.files import READ_LIMIT
from core.sources.folder import is_hidden, not_a_picture, read_of
from core.sources.remote_base import wait_for
from core.sources.remote_guard import RefusedError
from core.sources.remote_s3 import Storage, pages
from core.sources.uri import quote_path, scheme_of

MAX_OBJECTS = 2_000_000
"""Listed of one bucket; a page's visitor may name a storage that never ends."""
MAX_NAMES = 2**29
"""Letters of their names together; a storage may give names of any length."""


class S3Tree:
    """Every object whose key begins with a folder's.

    Parameters
    ----------
    storage : Storage
    place : str
        ``bucket`` or ``bucket/folder``, as they are.
    via : str
        ``#via=...`` or nothing.
    deep : bool
        Whether folders in it are looked into.
    only : str or None
        The key of the one object that is meant.
    """

    def __init__(
        self, storage: Storage, place: str, via: str, *, deep: bool = True, only: str | None = None
    ) -> None:
        self._storage, self._place, self._via = storage, place, via
        self._deep, self._only = deep, only

    @property
    def name(self) -> str:
        return self._place.rpartition("/")[2]

    @property
    def root(self) -> str:
        return f"s3://{quote_path(self._place)}{self._via}"

    def files(self) -> Sequence[File | Skipped]:
        """Every object, by name within its folder."""
        return self._files

    def read(self, path: str, *, limit: int = READ_LIMIT, first: int | None = None) -> bytes:
        """An object's bytes, or the first of them.

        Raises
        ------
        SourceError
            If it cannot be read.
        """
        return read_of(self, path, limit=limit, first=first)

    @cached_property
    def _files(self) -> tuple[File | Skipped, ...]:
        bucket, _, folder = self._place.partition("/")
        prefix = f"{folder}/" if folder else ""
        try:
            found = wait_for(self._listed(bucket, prefix))
        except RefusedError as error:
            raise SourceError(f"s3://{self._place}: {error}") from None
        files = [each for each in found if isinstance(each, File)]
        files.sort(key=lambda file: file.path.replace("/", "\0"))  # folder by folder, as on a disk
        skipped = [each for each in found if isinstance(each, Skipped)]
        return (*files, *skipped)

    async def _listed(self, bucket: str, prefix: str) -> list[File | Skipped]:
        asked = {"Bucket": bucket, "Prefix": prefix if self._only is None else self._only}
        if not self._deep:
            asked["Delimiter"] = "/"
        found: list[File | Skipped] = []
        letters = 0
        async for page in pages(self._storage, asked):
            for item in page:
                letters += len(item["Key"])
                if self._only is None or item["Key"] == self._only:
                    found += self._file(item, item["Key"][len(prefix) :])
            if len(found) > MAX_OBJECTS:
                raise RefusedError(
                    f"it holds more than {MAX_OBJECTS:,} objects; name a folder of it: "
                    f"s3://{bucket}/{prefix}folder"
                )
            if letters > MAX_NAMES:
                raise RefusedError(
                    f"the names of its objects have more than {MAX_NAMES:,} letters; name a folder "
                    f"of it: s3://{bucket}/{prefix}folder"
                )
        return found

    def _file(self, item: Any, path: str) -> Iterator[File | Skipped]:
        if not path or path.endswith("/") or any(map(is_hidden, path.split("/"))):
            return
        if path.startswith("/") or scheme_of(path):  # joined to a root it would be another place
            uri = f"s3://{quote_path(f'{self._place}/{path}')}{self._via}"
            yield Skipped(uri, "its name begins like an address; rename the object")
            return
        size, tag = int(item["Size"]), str(item.get("ETag", "")).strip('"')
        yield File(path, size, f"{tag}:{size}")


async def open_s3_tree(
    storage: Storage, place: str, via: str, given: Given
) -> tuple[S3Tree, Given]:
    """The folder, or the one object, that ``bucket/key`` names.

    Raises
    ------
    RefusedError
        If there is neither.
    """
    bucket, _, key = place.partition("/")
    folder = key.rstrip("/")
    if not bucket:
        raise RefusedError("it names no bucket; expected s3://bucket or s3://bucket/folder")
    if folder.lower().endswith(".zip"):
        raise RefusedError("a zip is read from the disk only; download it and index the file")
    if await _any(storage, bucket, f"{folder}/" if folder else "") is not None:
        return S3Tree(storage, f"{bucket}/{folder}" if folder else bucket, via), given
    found = await _any(storage, bucket, folder) if folder else None
    if found != folder or not folder:
        where = f"nothing under {folder!r}" if folder else "nothing"
        raise RefusedError(f"the bucket holds {where}; expected objects such as folder/picture.png")
    parent, _, name = folder.rpartition("/")
    whole = f"{bucket}/{parent}" if parent else bucket
    if not_a_picture(name) is None:
        return S3Tree(storage, whole, via, deep=False, only=folder), given
    return S3Tree(storage, whole, via, deep=False), replace(given, only=name)


async def _any(storage: Storage, bucket: str, prefix: str) -> str | None:
    """The first key that begins so."""
    async for page in pages(storage, {"Bucket": bucket, "Prefix": prefix, "MaxKeys": 1}):
        return str(page[0]["Key"]) if page else None
    return None
