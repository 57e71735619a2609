"""What the uris that people write into tables mean, seen from where the table lies."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.errors import ImageError
from core.sources.base import Given, Skipped, Tree
from core.sources.reading import leads_outside
from core.sources.uri import (
    REMOTE,
    join,
    odd_scheme,
    parse,
    quote_path,
    scheme_of,
    unquote_path,
)

LONGEST = 4_096  # characters, as paths on Linux; web addresses end before

_PARTED = re.compile(
    r"([^#]+\.zip)(#.+)|([^#]+\.roi)(#\d{1,9})|([^#]+)(#xywh=\d{1,9}(?:,\d{1,9}){3})",
    re.IGNORECASE | re.DOTALL,
)
"""Texts that name a part of a file as our own uris do."""

_STRAY = re.compile("%(?!25|23)")
_CONTROL = re.compile(r"[\x00-\x1f]")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class Places:
    """Turns a table's uris into `ImageRef.inner`.

    Parameters
    ----------
    tree : Tree
        Relative paths are under its root.
    given : Given
        When `bounded`, only files inside that root and public addresses may be named.
    """

    def __init__(self, tree: Tree, given: Given) -> None:
        self._given = given
        self._root = tree.root
        self._remote = bool(scheme_of(tree.root))
        folder = unquote_path(tree.root)
        self._folder = folder if not self._remote and folder.is_dir() else None
        self._tree = tree
        self._stamps: dict[str, str] | None = None

    def inner(self, text: str) -> str:
        """Where an image lies under the root; a whole uri when it lies elsewhere.

        Paths may be written as they are, or as our own exports write them; Windows' backslashes
        and ``file://`` are understood.

        Raises
        ------
        ImageError
            If it cannot be read, or may not.
        """
        if len(text) > LONGEST or is_odd(text):
            raise ImageError(
                text[:100], "it is no path or address (control characters, or too long)"
            )
        scheme = scheme_of(text)
        if scheme in REMOTE:
            return self._address(text, scheme)
        if scheme == "file":
            return self._local(quote_path(_path_of(text)))
        if scheme or odd_scheme(text) == "data":
            kind = scheme or "data"
            raise ImageError(text, f"{kind}: is no kind of address that can be read here")
        if _DRIVE.match(text):
            raise ImageError(
                text, "a path of a Windows drive; expected one under the table's folder"
            )
        return self._local(self._quoted(text.replace("\\", "/")))

    def stamp(self, inner: str) -> str:
        """What changes when the file does; empty when it is missing, or an address.

        Addresses are not asked: a table of a million would take hours. ``--again`` reads them.
        """
        if scheme_of(inner):
            return ""
        if self._folder is not None or inner.startswith("/"):
            try:
                found = self._path(inner).stat()
            except (OSError, ValueError):
                return ""  # reading it says why
            return f"{found.st_size}:{found.st_mtime_ns}"
        if self._stamps is None:
            files = (file for file in self._tree.files() if not isinstance(file, Skipped))
            self._stamps = {file.path: file.stamp for file in files}
        return self._stamps.get(path_of(inner), "")

    def _address(self, text: str, scheme: str) -> str:
        given = self._given
        *pieces, last = text.split("#")
        said = last if pieces and last.startswith("via=") else ""
        plain = "#".join(piece for piece in (*pieces, last) if not piece.startswith("via="))
        if scheme == "s3":
            plain = self._quoted(plain)
        endpoint = [given.endpoint_url] if given.endpoint_url and scheme == "s3" else []
        if given.bounded:  # whatever the table says of how to read it
            said = "via=" + ",".join(["public", *endpoint])
        elif not said and scheme == "s3":
            words = [*(["anonymous"] if given.anonymous else []), *endpoint]
            said = f"via={','.join(words)}" if words else ""
        return f"{plain}#{said}" if said else plain

    def _local(self, quoted: str) -> str:
        base, hash_, part = quoted.partition("#")
        base = posixpath.normpath(base) if base else "."
        if base in (".", "/"):
            raise ImageError(quoted, "it names no file")
        inner = base + hash_ + part
        if leads_outside(parse(inner).member):
            raise ImageError(quoted, "it leads outside of its zip")
        if base.startswith("/"):
            if self._remote:
                raise ImageError(quoted, "a table of a bucket or the web names no files of here")
        elif self._folder is None and (base == ".." or base.startswith("../")):
            raise ImageError(quoted, "it leads outside of where the table lies")
        if self._given.bounded and not self._inside(inner):
            raise ImageError(
                quoted,
                "it lies outside the table's folder; a table given to a page names files beside "
                "it, s3:// and https:// addresses (the command line reads any)",
            )
        return inner

    def _inside(self, inner: str) -> bool:
        if self._folder is None:
            return not inner.startswith("/")
        try:
            return self._path(inner).resolve().is_relative_to(self._folder.resolve())
        except (OSError, RuntimeError, ValueError):
            return False

    def _path(self, inner: str) -> Path:
        """The file on the disk; of what lies in a zip, the zip."""
        found = parse(join(self._root, inner))
        path = Path(found.place)
        # a folder may be called c.zip, and is read as one
        return path / found.member if found.member and path.is_dir() else path

    def _quoted(self, text: str) -> str:
        """A path as our uris write it, whether it was written so or as it is."""
        found = _PARTED.fullmatch(text)
        base, part = text, ""
        if found:
            base, part = (piece for piece in found.groups() if piece)
        if "#" in base or _STRAY.search(base):
            return quote_path(base) + part
        if "%" in base and self._exists(base):
            return quote_path(base) + part
        if part and self._exists(text):
            return quote_path(text)
        return base + part

    def _exists(self, text: str) -> bool:
        """Whether a file is called so, letter by letter."""
        try:
            return self._folder is not None and (self._folder / text).exists()
        except (OSError, ValueError):
            return False


def path_of(inner: str) -> str:
    """The path of a file of a tree, without its part, as `File.path` has it."""
    return inner.partition("#")[0].replace("%23", "#").replace("%25", "%")


def folders_of(inner: str) -> list[str]:
    """The names of the folders a file lies in, the nearest last."""
    path = path_of(inner)
    if scheme_of(inner):
        path = inner.partition("://")[2].partition("#")[0].partition("?")[0].partition("/")[2]
    return [name for name in path.split("/")[:-1] if name and name != ".."]


def is_odd(text: str) -> bool:
    """Whether it holds letters that no name should."""
    return _CONTROL.search(text) is not None


def _path_of(text: str) -> str:
    """The path of a ``file://`` address."""
    try:
        found = urlsplit(text)
    except ValueError:
        raise ImageError(text, "it is no address that can be read") from None
    path = unquote(text.partition("://")[2].removeprefix(found.netloc))
    if found.netloc not in ("", "localhost") or not path.startswith("/") or "\0" in path:
        raise ImageError(text, "a file of another machine; expected file:///path")
    return path
