"""Files of this machine and members of zips, read with limits and clear reasons."""

from __future__ import annotations

import errno
import os
import stat
import threading
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

from core.errors import ImageError

READ_LIMIT = 256 * 2**20
"""Bytes of one image file; the largest vignettes are a thousandth of it."""

OPEN_ZIPS = 8  # file handles kept; an index run reads one zip after the other
CHUNK = 2**20

_WHY = {
    errno.ENOENT: "there is no such file",
    errno.ENOTDIR: "there is no such file",
    errno.EACCES: "it may not be read (no permission)",
    errno.EPERM: "it may not be read (no permission)",
    errno.ELOOP: "its links lead in a circle",
    errno.ENAMETOOLONG: "the name is longer than this system allows",
}


def read_file(
    uri: str, path: Path, *, limit: int = READ_LIMIT, start: int = 0, size: int | None = None
) -> bytes:
    """The bytes of a regular file, or `size` of them from `start` on.

    Parameters
    ----------
    uri : str
        What to call it in an error.
    limit : int
        Most bytes to accept.

    Raises
    ------
    ImageError
        If it is missing, not a regular file, larger than `limit`, or may not be read.
    """
    try:
        _check_regular(uri, path.stat().st_mode)  # before opening: some devices act on being opened
        # without blocking, should it have become a fifo since
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            found = os.fstat(file.fileno())
            _check_regular(uri, found.st_mode)
            whole = found.st_size - start if size is None else size
            if whole > limit:
                raise ImageError(uri, _too_large(whole, limit))
            if start:
                file.seek(start)
            data = file.read(limit + 1 if size is None else size)  # it may be growing
    except OSError as error:
        raise ImageError(uri, _os_reason(error)) from None
    except ValueError:  # a NUL, or a character this system cannot write
        raise ImageError(uri, "the name cannot be one of a file on this system") from None
    if len(data) > limit:
        raise ImageError(uri, _too_large(len(data), limit))
    return data


def _check_regular(uri: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise ImageError(uri, "it is a folder; expected a file")
    if not stat.S_ISREG(mode):
        raise ImageError(uri, "it is not a regular file (a pipe, socket or device)")


def _os_reason(error: OSError) -> str:
    known = _WHY.get(error.errno or 0)
    return known or f"it cannot be read ({error.strerror or type(error).__name__})"


def _too_large(size: int, limit: int) -> str:
    return f"{size:,} bytes is more than the {limit:,} allowed for one picture"


class _Zips:
    """The zips read last, kept open: finding a member again costs a lookup, not a scan."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.open: OrderedDict[tuple[str, int, int], zipfile.ZipFile] = OrderedDict()

    def member(self, path: Path, inner: str) -> tuple[zipfile.ZipInfo, zipfile.ZipExtFile]:
        """Raises what zipfile and the file system raise."""
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise zipfile.BadZipFile
        key = (str(path), found.st_mtime_ns, found.st_size)
        with self.lock:  # an evicted zip is closed, so its member is opened under the same lock
            if key in self.open:
                self.open.move_to_end(key)
            else:
                self.open[key] = zipfile.ZipFile(path)
            while len(self.open) > OPEN_ZIPS:
                self.open.popitem(last=False)[1].close()
            archive = self.open[key]
            try:
                info = archive.getinfo(inner)
            except KeyError:  # some Windows programs write backslashes
                info = archive.getinfo(inner.replace("/", "\\"))
            return info, archive.open(info)  # type: ignore[return-value]


_zips = _Zips()


def _forget_zips() -> None:
    global _zips
    _zips = _Zips()  # parent and child would share one file position


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_zips)


def read_member(
    uri: str, path: Path, inner: str, *, limit: int = READ_LIMIT, size: int | None = None
) -> bytes:
    """The bytes of a file in a zip, or only the first `size`.

    Raises
    ------
    ImageError
        If zip or member are missing, damaged, encrypted, or unpack to more than `limit`.
    """
    try:
        info, member = _zips.member(path, inner)
        with member:
            if size is not None:
                return member.read(min(size, limit))
            if info.file_size > limit:
                raise ImageError(uri, _too_large(info.file_size, limit))
            data = bytearray()
            while chunk := member.read(CHUNK):  # the size a zip states may be a lie
                data += chunk
                if len(data) > limit:
                    raise ImageError(uri, _too_large(len(data), limit))
    except KeyError:
        raise ImageError(uri, f"{path.name} holds no such file") from None
    except OSError as error:
        raise ImageError(uri, _os_reason(error)) from None
    except NotImplementedError:
        raise ImageError(uri, "it is packed by a method that cannot be unpacked here") from None
    except RuntimeError:  # what zipfile raises for want of a password
        raise ImageError(uri, "it is encrypted") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError):
        raise ImageError(uri, f"{path.name} is not a zip, or is damaged here") from None
    except Exception as error:  # bz2 and lzma have errors of their own
        if isinstance(error, ImageError):
            raise
        raise ImageError(uri, f"{path.name} is damaged here") from None
    return bytes(data)
