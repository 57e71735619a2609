"""One line of text from which an image can be read again, today and on another day.

- A file is a plain absolute path in which ``%`` and ``#`` are written ``%25`` and ``%23``, so that
  what follows a ``#`` is always a part of that file: ``/data/c.zip#inner/x.png`` is a member of a
  zip, ``/data/a.tif#xywh=4,8,60,40`` a rectangle of a collage (as media fragments name it),
  ``/data/b.roi#00012`` the 12th trigger of an IFCB bin, ``/data/c.zip#r/a.tif#xywh=4,8,60,40`` a
  rectangle of a collage in a zip.
- ``s3://bucket/key`` is an object, its key written like a path. ``https://...`` is as the web
  writes it.
- ``#via=...`` ends the uri of an object that is not read the usual way: ``anonymous`` (without
  credentials), ``public`` (that, and only from public addresses), the address of another object
  storage, or several with commas between.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePath

REMOTE = ("s3", "http", "https")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")
_ESCAPED = re.compile("%(25|23)")
_PART = re.compile(r"xywh=\d{1,9},\d{1,9},\d{1,9},\d{1,9}|\d{1,9}")


@dataclass(frozen=True)
class Address:
    """What a uri says."""

    scheme: str
    """Empty for files of this machine, else in small letters: ``s3``."""
    place: str
    """Path of the file, ``bucket/key`` of the object, or the whole web address; not quoted."""
    member: str = ""
    """Path inside a zip."""
    part: str = ""
    """``xywh=x,y,w,h`` or the number of a trigger."""
    via: tuple[str, ...] = ()


def parse(uri: str) -> Address:
    """Take a uri apart; nothing is opened and every text is one.

    Examples
    --------
    >>> parse("/data/50%25.zip#a.png")
    Address(scheme='', place='/data/50%.zip', member='a.png', part='', via=())
    >>> parse("s3://bucket/a.tif#xywh=0,0,9,9#via=anonymous").part
    'xywh=0,0,9,9'
    """
    whole, *fragments = uri.split("#")
    via: tuple[str, ...] = ()
    part = member = ""
    if fragments and fragments[-1].startswith("via="):
        via = tuple(word for word in fragments.pop().removeprefix("via=").split(",") if word)
    zipped = whole.lower().endswith(".zip")
    if fragments and _PART.fullmatch(fragments[-1]) and (not zipped or len(fragments) > 1):
        part = fragments.pop()
    if fragments:
        member = _unquoted("#".join(fragments))
    scheme = scheme_of(uri)
    if not scheme:
        return Address("", _unquoted(whole), member, part, via)
    rest = whole if scheme in ("http", "https") else _unquoted(whole.partition("://")[2])
    return Address(scheme, rest, member, part, via)


def scheme_of(uri: str) -> str:
    """``s3`` of ``s3://bucket/key``; empty for a path, though it may hold a colon."""
    found = _SCHEME.match(uri)
    return found[1].lower() if found and found[2] else ""


def odd_scheme(uri: str) -> str:
    """``data`` of ``data:...``, which looks like an address and is none we read."""
    found = _SCHEME.match(uri)
    return found[1].lower() if found else ""


def quote_path(path: PurePath | str) -> str:
    """Write a path so that it can carry a fragment.

    Examples
    --------
    >>> quote_path("/data/station #3/50%.png")
    '/data/station %233/50%25.png'
    """
    text = path.as_posix() if isinstance(path, PurePath) else path
    return text.replace("%", "%25").replace("#", "%23")


def unquote_path(uri: str) -> Path:
    """The file a uri names, without its fragment.

    Examples
    --------
    >>> unquote_path("/data/50%25.zip#a.png").as_posix()
    '/data/50%.zip'
    """
    return Path(_unquoted(uri.partition("#")[0]))


def join(root: str, inner: str) -> str:
    """The uri of what lies at `inner` under a source's `root`; both are quoted already.

    Examples
    --------
    >>> join("/data", "a/x.png"), join("/data/c.zip", "a/x.png"), join("", "/data/x.png")
    ('/data/a/x.png', '/data/c.zip#a/x.png', '/data/x.png')
    >>> join("s3://bucket/run#via=anonymous", "x.png"), join("/data", "https://a.org/x.png")
    ('s3://bucket/run/x.png#via=anonymous', 'https://a.org/x.png')
    """
    if not root or inner.startswith("/") or scheme_of(inner):
        return inner
    base, hash_, via = root.partition("#")
    if base.lower().endswith(".zip") and not scheme_of(base):
        return f"{root}#{inner}"
    return f"{base.rstrip('/')}/{inner}{hash_}{via}"


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(lambda found: "%" if found[1] == "25" else "#", text)
