"""The bytes a uri names, wherever they are: the one place where a kind of address is added."""

from __future__ import annotations

from pathlib import Path

from core.errors import ImageError
from core.sources.files import READ_LIMIT, read_file, read_member
from core.sources.uri import REMOTE, Address, odd_scheme, parse


def read_bytes(uri: str, *, limit: int = READ_LIMIT) -> bytes:
    """Read what a uri names.

    Parameters
    ----------
    limit : int
        Most bytes to accept, counted after unpacking.

    Returns
    -------
    bytes
        A whole file; of a trigger in an IFCB bin, its pixels as a PGM file. A rectangle of a
        collage (``#xywh=``) needs the whole picture: `core.images.read_image` cuts it.

    Raises
    ------
    ImageError
        If it is missing, not a regular file, larger than `limit`, may not be read, or of a kind
        that cannot be read.
    """
    address = parse(uri)
    if address.part and not address.part.startswith("xywh="):
        from core.sources.roi import read_trigger

        return read_trigger(uri, address)
    return read_address(uri, address, limit=limit)


def read_address(
    uri: str,
    address: Address,
    *,
    limit: int = READ_LIMIT,
    start: int = 0,
    size: int | None = None,
) -> bytes:
    """The file an address names, whatever part of it is meant, or `size` bytes from `start`.

    Raises
    ------
    ImageError
        As `read_bytes`.
    """
    if address.scheme in REMOTE:
        from core.sources.remote import read_object

        return read_object(uri, address, limit=limit, start=start, size=size)
    if address.scheme:
        raise _unknown(uri, address.scheme)
    path = Path(address.place)
    if not address.member:
        if (odd := odd_scheme(uri)) and not path.exists():
            raise _unknown(uri, odd)
        return read_file(uri, path, limit=limit, start=start, size=size)
    if path.suffix.lower() == ".zip":
        if path.is_dir():  # a folder may be called c.zip; `join` cannot know
            if leads_outside(address.member):
                raise ImageError(uri, "it leads outside of its folder")
            return read_file(uri, path / address.member, limit=limit, start=start, size=size)
        if size is None:
            return read_member(uri, path, address.member, limit=limit)[start:]
        return read_member(uri, path, address.member, limit=limit, size=start + size)[start:]
    fragment = uri.partition("#")[2]
    raise ImageError(uri, f"'#{fragment}' names a part of a {path.suffix or 'file'}; only .zip has")


def leads_outside(member: str) -> bool:
    """Whether a path in a zip would lie elsewhere, should the zip be a folder (by now).

    Examples
    --------
    >>> leads_outside("a/x.png"), leads_outside("a/../../x.png"), leads_outside("/etc/x.png")
    (False, True, True)
    """
    return member.startswith("/") or ".." in member.split("/")


def stamp_of(address: Address) -> str:
    """What changes when the file does; empty of an object, which does not while a run lasts."""
    try:
        found = Path(address.place).stat() if not address.scheme else None
    except (OSError, ValueError):
        found = None  # reading it says why
    return "" if found is None else f"{found.st_size}:{found.st_mtime_ns}"


def _unknown(uri: str, scheme: str) -> ImageError:
    return ImageError(
        uri, f"{scheme}: is not a kind of address that can be read; expected a file, s3: or https:"
    )
