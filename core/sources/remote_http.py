"""Files of the web, read through fsspec's http: bounded, and only as far as a page may look."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from core.errors import ImageError, SourceError
from core.sources.base import File, Given, Skipped
from core.sources.files import READ_LIMIT
from core.sources.folder import not_a_picture, read_of
from core.sources.reading import read_address
from core.sources.remote_base import (
    AGAIN,
    ANSWER_S,
    CONNECT_S,
    CONNECTIONS,
    SILENT_S,
    PassingError,
    Wanted,
    body,
    patiently,
    retry_after,
)
from core.sources.remote_guard import (
    NOT_PUBLIC,
    RefusedError,
    Way,
    is_refused,
    public_socket,
    shown,
)
from core.sources.uri import join, parse, quote_path

if TYPE_CHECKING:
    from aiohttp import ClientResponse

REDIRECTS = 5
A_HOST = 16  # connections to one server: it is somebody's web server, not a storage


def open_http(way: Way) -> Any:
    """fsspec's http; one of these is kept for each way of reading."""
    from fsspec.implementations.http import (  # type: ignore[import-untyped]
        HTTPFileSystem,
    )

    async def session(**_options: Any) -> Any:
        return _session(way)

    return HTTPFileSystem(get_client=session, skip_instance_cache=True)


def _session(way: Way) -> Any:
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=CONNECTIONS,
            limit_per_host=A_HOST,
            socket_factory=public_socket if way.public else None,
        ),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "plankton-explorer", "Accept-Encoding": "identity"},
        trust_env=not (way.anonymous or way.public),  # proxies, and passwords in a .netrc
    )


async def read_http(system: Any, url: str, wanted: Wanted) -> bytes:
    """The bytes of a web address.

    Raises
    ------
    RefusedError
        If they cannot be had.
    """

    async def attempt() -> bytes:
        try:
            async with _get(system, url, wanted.range()) as response:
                return b"" if response.status == 416 else await body(response, wanted)
        except BaseException:
            if wanted.place is not None:
                wanted.place.give_back()
            raise

    return await patiently(_server(url), attempt)


def _server(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


@asynccontextmanager
async def _get(system: Any, url: str, part: str | None) -> AsyncIterator[ClientResponse]:
    """An answer whose body is still to be read; raises `RefusedError` and `PassingError` only."""
    headers = {} if part is None else {"Range": part}
    try:
        session = await system.set_session()
        async with asyncio.timeout(ANSWER_S):
            response = await session.get(
                system.encode_url(url), headers=headers, max_redirects=REDIRECTS + 1
            )
        async with response:
            _check(response)
            yield response
    except (RefusedError, PassingError, asyncio.CancelledError):
        raise
    except Exception as error:
        raise failure(error) from None


def _check(response: ClientResponse) -> None:
    status = response.status
    if status in (200, 206, 416):
        return
    if status in AGAIN or status > 500:
        raise PassingError(f"its server has trouble ({status})", retry_after(response.headers))
    if status in (404, 410):
        raise RefusedError(f"its server has no such file ({status}); check the address")
    if status in (401, 403, 407):
        raise RefusedError(
            f"it may not be read ({status}); expected an address that needs no login, or one whose "
            "signature still holds"
        )
    raise RefusedError(f"its server answered {status}; expected the file")


def failure(error: BaseException) -> RefusedError | PassingError:
    """What an error of aiohttp's means for who reads."""
    import aiohttp

    if is_refused(error):
        return RefusedError(NOT_PUBLIC)
    if isinstance(error, TimeoutError):
        return PassingError("its server did not answer in time")
    if isinstance(error, aiohttp.TooManyRedirects):
        return RefusedError(
            f"its server sends it on more than {REDIRECTS} times; check the address"
        )
    if isinstance(error, aiohttp.NonHttpUrlClientError):
        return RefusedError("its server sends it on to what is no web address")
    if isinstance(error, (aiohttp.InvalidURL, ValueError)):
        return RefusedError("it is no web address; expected https://server/file")
    if isinstance(error, aiohttp.ClientSSLError):
        return RefusedError("its server cannot show who it is (certificate); check the address")
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        if isinstance(error, aiohttp.ClientConnectorDNSError) and number != socket.EAI_AGAIN:
            return RefusedError(f"there is no server called {error.host}; check the address")
        return PassingError(f"its server does not answer ({error.host})")
    if isinstance(error, aiohttp.ClientPayloadError):
        return PassingError("its server sent less than it had announced")
    if isinstance(error, aiohttp.ClientResponseError):
        return PassingError("its server's answer cannot be understood")
    if isinstance(error, (aiohttp.ClientConnectionError, OSError)):
        return PassingError("the connection was cut")
    return RefusedError(f"it cannot be read ({type(error).__name__})")


@dataclass(frozen=True)
class _Seen:
    size: int
    stamp: str
    kind: str


async def _look(system: Any, url: str) -> _Seen:
    """What a server says of a file before it sends it; many servers know no HEAD."""

    async def attempt() -> _Seen:
        async with _get(system, url, None) as response:
            size, headers = response.content_length, response.headers
            mark = headers.get("ETag") or headers.get("Last-Modified") or ""
            response.close()
            stamp = f"{mark.removeprefix('W/').strip(chr(34))}:{'' if size is None else size}"
            return _Seen(size or 0, stamp, response.content_type)

    return await patiently(_server(url), attempt)


class HttpTree:
    """The one file a web address names.

    Parameters
    ----------
    root : str
        Its folder, with the ``#via=`` it is read by.
    file : File
    url : str
        The whole address.
    """

    def __init__(self, root: str, file: File, url: str) -> None:
        self._root, self._file, self._url = root, file, url

    @property
    def name(self) -> str:
        place = urlsplit(self._root.partition("#")[0])
        folder = unquote(place.path.rstrip("/").rpartition("/")[2])
        return folder or place.hostname or "web"

    @property
    def root(self) -> str:
        return self._root

    def files(self) -> Sequence[File | Skipped]:
        """That one file."""
        return (self._file,)

    def read(self, path: str, *, limit: int = READ_LIMIT, first: int | None = None) -> bytes:
        """Its bytes, or the first of them; another path is a file beside it.

        Raises
        ------
        SourceError
            If it cannot be read.
        """
        if path != self._file.path:
            return read_of(self, path, limit=limit, first=first)
        uri = self._url + "".join(self._root.partition("#")[1:])
        try:
            return read_address(uri, parse(uri), limit=limit, size=first)
        except ImageError as error:
            raise SourceError(f"{shown(self._url)}: {error.reason}") from None


async def open_http_tree(system: Any, url: str, via: str, given: Given) -> tuple[HttpTree, Given]:
    """A tree of the one table, or picture, that an address names.

    Raises
    ------
    RefusedError
        If there is none, or a web page lies there.
    """
    import yarl

    url = url.partition("#")[0]
    place = urlsplit(url)
    if not place.hostname:
        raise RefusedError("it names no server; expected https://server/file")
    folder, _, last = place.path.rpartition("/")
    name = unquote(last)
    if name.lower().endswith(".zip"):
        raise RefusedError("a zip is read from the disk only; download it and index the file")
    if "/" in name or "\\" in name or (name and not name.isprintable()):
        raise RefusedError(
            "its name holds what no file's may (a slash, or a character that cannot be shown); "
            "write the address into the uri column of a table"
        )
    seen = await _look(system, url)
    if seen.kind in ("text/html", "application/xhtml+xml") or not name:
        raise RefusedError(
            "it is a web page, and web pages cannot be listed; expected the address of a picture, "
            "or of a table (.csv, .tsv, .parquet) whose column uri names pictures"
        )
    root = f"{place.scheme}://{place.netloc}{folder}{via}"
    if not_a_picture(name) is not None:
        return HttpTree(root, File(name, seen.size, seen.stamp), url), replace(given, only=name)
    path = f"{name}?{place.query}" if place.query else name
    again = join(root, quote_path(path)).partition("#")[0]
    if yarl.URL(again) != yarl.URL(url):
        raise RefusedError(
            "its name cannot be kept; write the address into the uri column of a table"
        )
    return HttpTree(root, File(path, seen.size, seen.stamp), url), given
