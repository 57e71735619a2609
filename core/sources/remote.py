"""Object storage (s3:) and the web (http:, https:), through fsspec.

`#via=` at the end of a uri says how it is read; see `core.sources.uri`. What a page asks for
(``public``) spends no credentials and connects to public addresses only: each connection is checked
when its address is known, so names, redirects and odd ways to write an address are covered.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Any

from core.errors import ImageError, SourceError
from core.sources.base import Given, Tree
from core.sources.remote_base import Place, Wanted, too_large, wait_for
from core.sources.remote_guard import RefusedError, Way, shown
from core.sources.uri import Address, parse

_systems: dict[tuple[int, str, Way], Any] = {}
_systems_lock = threading.Lock()


def read_object(
    uri: str, address: Address, *, limit: int, start: int = 0, size: int | None = None
) -> bytes:
    """The bytes of an object or a web address, or `size` of them from `start` on.

    Failures that may pass are tried again with growing waits.

    Parameters
    ----------
    uri : str
        What to call it in an error.
    address : Address
        The same, taken apart.
    limit : int
        Most bytes to accept, counted after unpacking.

    Raises
    ------
    ImageError
        If it is not there, may not be read, is larger than `limit`, or its server fails.
    """
    if size is not None and size > limit:
        raise ImageError(shown(uri), too_large(size, limit))
    if size == 0:
        return b""
    return wait_for(fetch(uri, address, limit=limit, start=start, size=size))


async def fetch(
    uri: str,
    address: Address,
    *,
    limit: int,
    start: int = 0,
    size: int | None = None,
    place: Place | None = None,
) -> bytes:
    """What `read_object` gives, on fsspec's loop; the bytes are counted in `place`."""
    wanted = Wanted(limit, start, size, place)
    try:
        _check(address)
        system = _system(address.scheme, Way.of(address.via))
        if address.scheme == "s3":
            from core.sources.remote_s3 import read_s3

            return await read_s3(system, address.place, wanted)
        from core.sources.remote_http import read_http

        return await read_http(system, address.place, wanted)
    except RefusedError as error:
        raise ImageError(shown(uri), str(error)) from None


def put_object(place: str, data: bytes, *, endpoint_url: str | None = None) -> bool:
    """Write an object, unless another one is there already; tried again where that may help.

    Parameters
    ----------
    place : str
        ``bucket/key``, as it is.
    endpoint_url : str or None
        Where the object storage answers, when that is not Amazon's.

    Returns
    -------
    bool
        Whether these bytes are there now; False when other bytes were, which stay.

    Raises
    ------
    SourceError
        If the storage does not take it.
    """
    from core.sources.remote_s3 import write_s3

    endpoint = None if endpoint_url is None else _endpoint(endpoint_url)
    try:
        return wait_for(write_s3(_system("s3", Way(endpoint=endpoint)), place, data))
    except RefusedError as error:
        raise SourceError(f"s3://{place} cannot be written: {error}") from None


def open_tree(where: str, given: Given) -> tuple[Tree, Given]:
    """The files of a bucket, a folder in it, or the one file an address names.

    Parameters
    ----------
    where : str
        ``s3://bucket/folder`` with its name as it is, not quoted; ``https://...`` as the web
        writes it; or the root of a source, with its ``#via=``.

    Returns
    -------
    Tree, Given
        Where one file is meant, the tree of its folder; `Given.only` is its name then.

    Raises
    ------
    SourceError
        If nothing is there, or it may not be read.
    """
    base, hash_, words = where.partition("#via=")
    if hash_:
        address = parse(where)
    else:
        scheme, _, rest = base.partition("://")
        address = Address(scheme.lower(), base if scheme.lower() != "s3" else rest)
    via = via_of(given, tuple(words.split(",")) if words else ())
    try:
        system = _system(address.scheme, Way.of(via))
        ending = f"#via={','.join(via)}" if via else ""
        if address.scheme == "s3":
            from core.sources.remote_bucket import open_s3_tree

            return wait_for(open_s3_tree(system, address.place.rstrip("/"), ending, given))
        from core.sources.remote_http import open_http_tree

        return wait_for(open_http_tree(system, address.place, ending, given))
    except RefusedError as error:
        raise SourceError(f"{shown(base)}: {error}") from None


def via_of(given: Given, words: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The words of ``#via=`` that say what a person said of a source.

    Raises
    ------
    SourceError
        If the address of the storage is none.
    """
    endpoint = given.endpoint_url or next((w for w in words if "://" in w), None)
    found = []
    if given.bounded or "public" in words:
        found.append("public")
    elif given.anonymous or "anonymous" in words:
        found.append("anonymous")
    if endpoint:
        found.append(_endpoint(endpoint))
    return tuple(found)


def _endpoint(text: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if not right or any(c in text for c in "@#,?%") or not text.isprintable() or " " in text:
        raise SourceError(
            f"the address of the object storage is {shown(text)!r}; expected http(s)://host[:port]"
        )
    return text.rstrip("/")


def _check(address: Address) -> None:
    if address.place.lower().endswith(".zip") and (address.member or address.scheme == "s3"):
        raise RefusedError("a zip is read from the disk only; download it and index the file")
    if address.member and address.scheme == "s3":
        raise RefusedError("a '#' in the key of an object is written %23 in its uri")


def _system(scheme: str, way: Way) -> Any:
    """The file system of one kind of address; threads share it, processes do not."""
    kind = "s3" if scheme == "s3" else "http"
    if kind == "http":
        way = replace(way, endpoint=None)
    key = (os.getpid(), kind, way)
    with _systems_lock:
        if key not in _systems:
            if kind == "s3":
                from core.sources.remote_s3 import open_s3

                _systems[key] = open_s3(way)
            else:
                from core.sources.remote_http import open_http

                _systems[key] = open_http(way)
        return _systems[key]
