"""Pictures inside a zip, read in place: nothing is ever unpacked onto the disk."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from core.errors import SourceError
from core.sources.base import File, Given, Skipped
from core.sources.files import READ_LIMIT
from core.sources.folder import Pictures, is_hidden, near, read_of
from core.sources.uri import join, quote_path

MAX_MEMBERS = 1_000_000
MAX_UNPACKED = 20 * 10**9
"""Bytes of all members together, unpacked."""
MAX_RATIO = 200
"""Unpacked to packed size. Deflate ends near 1,030; pictures are packed already (about 1), and
uncompressed ones of little but background reach 50."""
RATIO_FROM = 10 * 10**6
"""Bytes from which a ratio is judged: a few small, empty pictures do no harm."""
MAX_DIRECTORY = 256 * 2**20
"""Bytes of a zip's table of contents, which is read whole."""


class ZipTree:
    """Every file in a zip.

    Parameters
    ----------
    path : Path or str
        A file whose name ends in .zip.
    max_members, max_unpacked
        Most files, and bytes once unpacked, to accept.

    Raises
    ------
    SourceError
        If it is not a zip, is damaged, names files outside itself, or unpacks to more than is
        allowed.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        max_members: int = MAX_MEMBERS,
        max_unpacked: int = MAX_UNPACKED,
    ) -> None:
        self.path = _existing_zip(Path(path).expanduser())
        members = _members(self.path, max_members)
        _check_members(self.path, members, max_unpacked)
        # the last of a name is the one a zip gives; sorted, whatever order it was packed in
        self._members = sorted({m.filename: m for m in members}.items())
        self._repeated = sorted(_repeated(members))

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def root(self) -> str:
        return quote_path(self.path)

    def files(self) -> Sequence[File | Skipped]:
        """Every file, by its path in the zip; nothing is unpacked."""
        return self._files

    def read(self, path: str, *, limit: int = READ_LIMIT, first: int | None = None) -> bytes:
        """A file's bytes, or the first of them.

        Raises
        ------
        SourceError
            If it cannot be read.
        """
        return read_of(self, path, limit=limit, first=first)

    @cached_property
    def _files(self) -> tuple[File | Skipped, ...]:
        return tuple(self._listed())

    def _listed(self) -> Iterator[File | Skipped]:
        paths: set[str] = set()
        for name, member in self._members:
            parts = _parts(name)
            if member.is_dir() or not parts or any(map(is_hidden, parts)):
                continue
            path = "/".join(parts)
            uri = join(self.root, quote_path(path))
            if (reason := _unreadable(member)) is not None:
                yield Skipped(uri, reason)
            elif path in paths:
                yield Skipped(uri, "another file of this zip has the same path")
            else:
                paths.add(path)
                yield File(path, member.file_size, f"{member.CRC:08x}:{member.file_size}")
        for name in self._repeated:
            why = "the zip holds this path more than once; the last is taken"
            yield Skipped(join(self.root, quote_path(name)), why)


class ZipSource(Pictures):
    """Every picture in a zip.

    Parameters
    ----------
    path : Path or str
        A file whose name ends in .zip.
    name : str or None
        The SOURCE of the ids; the file's name without .zip when None.
    labels, samples : "folder" or None
        As for a folder, for the folders inside the zip.
    um_per_px : float or None
        Micrometres per pixel of every picture.
    max_members, max_unpacked
        As for a tree.

    Raises
    ------
    SourceError
        As a tree does, and if it holds no picture.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        name: str | None = None,
        labels: Literal["folder"] | None = None,
        samples: Literal["folder"] | None = None,
        um_per_px: float | None = None,
        max_members: int = MAX_MEMBERS,
        max_unpacked: int = MAX_UNPACKED,
    ) -> None:
        tree = ZipTree(path, max_members=max_members, max_unpacked=max_unpacked)
        super().__init__(tree, Given(name, labels, samples, um_per_px))


def _existing_zip(path: Path) -> Path:
    try:
        found = path.resolve()
        mode = found.stat().st_mode
    except FileNotFoundError:
        raise SourceError(f"there is no zip {path}{near(path.absolute())}") from None
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or "the name is not one of a file"
        raise SourceError(f"the zip {path} cannot be read ({why})") from None
    if not stat.S_ISREG(mode) or found.suffix.lower() != ".zip":
        raise SourceError(f"{path} is not a zip; expected a file whose name ends in .zip")
    return found


def _members(path: Path, max_members: int) -> list[zipfile.ZipInfo]:
    try:
        _check_directory(path, max_members)
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except OSError as error:
        raise SourceError(f"the zip {path} cannot be read ({error.strerror})") from None
    except SourceError:
        raise
    except Exception:  # damaged tables of contents surface as struct, Unicode, value errors...
        raise SourceError(
            f"{path.name} is not a zip, or is damaged; pack it again or give the folder itself"
        ) from None
    if len(members) > max_members:
        raise _too_many(path, len(members), max_members)
    return members


def _check_directory(path: Path, max_members: int) -> None:
    """Refuse a huge table of contents before it is read: it costs half a kilobyte a member."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 2**16 - 22 - 76))
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) < at + 22:
            raise zipfile.BadZipFile
        members = int.from_bytes(tail[at + 10 : at + 12], "little")
        size = int.from_bytes(tail[at + 12 : at + 16], "little")
        large = at - 76  # where zipfile takes a zip64 record from, whatever the numbers above say
        marks = tail[large : large + 4] + tail[at - 20 : at - 16] if large >= 0 else b""
        if marks == b"PK\x06\x06PK\x06\x07":
            members = int.from_bytes(tail[large + 32 : large + 40], "little")
            size = int.from_bytes(tail[large + 40 : large + 48], "little")
            at = large
        if members <= max_members and size <= MAX_DIRECTORY:  # zipfile trusts the size alone
            file.seek(max(0, end - len(tail) + at - size))
            members = max(members, file.read(size).count(b"PK\x01\x02"))
    if members > max_members:
        raise _too_many(path, members, max_members)
    if size > MAX_DIRECTORY:
        raise SourceError(
            f"{path.name} has a table of contents of {size:,} bytes, more than the "
            f"{MAX_DIRECTORY:,} allowed; pack it in several zips"
        )


def _too_many(path: Path, members: int, allowed: int) -> SourceError:
    return SourceError(
        f"{path.name} holds {members:,} files, more than the {allowed:,} allowed; "
        "pack it in several zips"
    )


def _check_members(path: Path, members: list[zipfile.ZipInfo], max_unpacked: int) -> None:
    for member in members:
        name = member.filename.replace("\\", "/")
        if name.startswith("/") or PureWindowsPath(name).drive or ".." in name.split("/"):
            raise SourceError(
                f"{path.name} names a file outside itself ({member.filename!r}), as harmful zips "
                "do; pack the folder itself again"
            )
        size, packed = member.file_size, max(member.compress_size, 1)
        if size > RATIO_FROM and size > MAX_RATIO * packed:
            raise SourceError(
                f"{member.filename!r} in {path.name} unpacks to {size // packed} times its size, "
                f"more than the {MAX_RATIO} allowed: this looks like a zip bomb"
            )
    unpacked, packed = sum(m.file_size for m in members), path.stat().st_size
    if unpacked > max_unpacked:
        raise SourceError(
            f"{path.name} unpacks to {unpacked:,} bytes, more than the {max_unpacked:,} allowed; "
            "pack it in several zips"
        )
    # members may overlap, so each alone can look harmless
    if unpacked > RATIO_FROM and unpacked > MAX_RATIO * packed:
        raise SourceError(
            f"{path.name} unpacks to {unpacked // packed} times its size, more than the "
            f"{MAX_RATIO} allowed: this looks like a zip bomb"
        )


def _repeated(members: list[zipfile.ZipInfo]) -> set[str]:
    seen: set[str] = set()
    return {m.filename for m in members if m.filename in seen or seen.add(m.filename)}  # type: ignore[func-returns-value]


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("\\", "/")).parts  # some Windows programs write backslashes


def _unreadable(member: zipfile.ZipInfo) -> str | None:
    if member.flag_bits & 1:
        return "encrypted; pack it without a password"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a link"
    return None
