"""A folder of pictures, and what names and places of files say about them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Literal

from core.errors import ImageError, SourceError
from core.sources.base import File, Given, ImageRef, Scalar, Skipped, Tree
from core.sources.files import READ_LIMIT
from core.sources.reading import read_address
from core.sources.uri import join, parse, quote_path, scheme_of

_SUFFIXES = """
    .txt .csv .tsv .json .jsonl .xml .md .rst .html .htm .css .js .pdf .doc .docx .xls .xlsx .ppt
    .pptx .odt .ods .rtf .log .ini .cfg .conf .toml .yaml .yml .zip .gz .bz2 .xz .tar .tgz .7z .rar
    .py .pyc .ipynb .r .m .sh .bat .exe .dll .so .db .sqlite .parquet .feather .npy .npz .h5 .hdf5
    .nc .mat .pkl .pickle .pt .pth .onnx .safetensors .mp4 .avi .mov .mkv .mp3 .wav
    .lst .ctx .adc .hdr .roi .lnk .url .tmp .part .bak .lock
"""
NOT_PICTURES = frozenset(_SUFFIXES.split())
"""Extensions that are obviously not of a picture; any other file is left to the decoder."""

HIDDEN = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
"""Left behind by file managers; not worth a line among what was skipped."""

EXPECTED = "expected files such as .png, .jpg or .tif"


class Pictures:
    """Every picture of a tree, whatever made it; names of folders may be labels and samples.

    Raises
    ------
    SourceError
        If it holds no picture.
    """

    noun = "pictures"
    notes: Sequence[str] = ()

    def __init__(self, tree: Tree, given: Given) -> None:
        self._tree = tree
        self._given = given
        self._name = check_name(tree.name if given.name is None else given.name)
        skipped = 0
        for found in self.refs():
            if isinstance(found, ImageRef):
                return
            skipped += 1
        raise no_pictures(shown_root(tree), skipped)

    @property
    def name(self) -> str:
        return self._name

    @property
    def root(self) -> str:
        return self._tree.root

    @property
    def kind(self) -> str:
        if scheme_of(self.root):
            return "Object storage" if self.root.startswith("s3:") else "Web address"
        return "Zip" if self.root.lower().endswith(".zip") else "Folder"

    def refs(self) -> Iterator[ImageRef | Skipped]:
        """Every image, by its path; nothing is opened."""
        ids: set[str] = set()
        for file in self._tree.files():
            if isinstance(file, Skipped):
                yield file
                continue
            inner = quote_path(file.path)
            if (reason := not_a_picture(file.name)) is not None:
                yield Skipped(join(self.root, inner), reason)
                continue
            ref = self._ref(file, inner)
            if ref.id in ids:
                yield Skipped(join(self.root, inner), "another file has the same path")
                continue
            ids.add(ref.id)
            yield ref

    def _ref(self, file: File, inner: str) -> ImageRef:
        given = self._given
        parts = file.path.split("/")
        folders = parts[:-1]
        both = given.labels and given.samples
        metadata: dict[str, Scalar] = {}
        if folders and not given.labels:
            metadata["folder"] = "/".join(folders)
        return ImageRef(
            id="/".join([self._name, *parts]),
            inner=inner,
            stamp=file.stamp,
            metadata=metadata,
            label=folders[-1] if given.labels and folders else None,
            # beside labels the sample is the folder that holds the folders of labels
            sample=folders[0 if both else -1] if given.samples and folders else None,
            um_per_px=given.um_per_px,
        )


def check_name(name: str) -> str:
    """The SOURCE of ids.

    Raises
    ------
    SourceError
        If it is empty, or holds a slash, a control character or one that is not text.
    """
    shown = name.encode("utf-8", "backslashreplace").decode()
    if not name.strip() or "/" in name or not name.isprintable():
        raise SourceError(
            f"the source name is {shown!r}; expected a word without '/': give one (--source-name)"
        )
    return name


def is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in HIDDEN


def not_a_picture(name: str) -> str | None:
    """Why a file of this name is not even opened; None when the decoder should decide."""
    suffix = Path(name).suffix.lower()
    return f"not a picture ({suffix})" if suffix in NOT_PICTURES else None


def no_pictures(where: str, skipped: int) -> SourceError:
    found = "it is empty" if not skipped else f"{skipped:,} files, none of them a picture"
    return SourceError(f"{where} holds no pictures: {found}; {EXPECTED}")


class FolderTree:
    """Every file in a folder and the folders in it.

    Parameters
    ----------
    path : Path or str
    deep : bool
        Whether folders in it are looked into.

    Raises
    ------
    SourceError
        If there is no such folder, or it may not be read.
    """

    def __init__(self, path: Path | str, *, deep: bool = True) -> None:
        self.path = _existing_folder(Path(path).expanduser())
        self._deep = deep

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def root(self) -> str:
        return quote_path(self.path)

    def files(self) -> Sequence[File | Skipped]:
        """Every file, by name within its folder."""
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
        return tuple(self._walk())

    def _walk(self) -> Iterator[File | Skipped]:
        waiting: list[tuple[tuple[str, ...], os.DirEntry[str] | None]] = [((), None)]
        while waiting:
            parts, entry = waiting.pop()
            if entry is not None and not entry.is_dir(follow_symlinks=False):
                yield self._file(parts, entry)
                continue
            if parts and not self._deep:
                continue
            if parts and (bad := _bad_name(parts[-1])) is not None:
                yield Skipped(self._uri(parts), bad)
                continue
            try:
                with os.scandir(self.path.joinpath(*parts)) as entries:
                    found = sorted(entries, key=lambda each: each.name, reverse=True)
            except OSError as error:
                yield Skipped(self._uri(parts), f"the folder cannot be read ({error.strerror})")
                continue
            if parts and {"workspace.json", "catalogue.sqlite"} <= {each.name for each in found}:
                yield Skipped(self._uri(parts), "a workspace: its thumbnails are no new pictures")
                continue
            waiting += [((*parts, each.name), each) for each in found if not is_hidden(each.name)]

    def _uri(self, parts: Sequence[str]) -> str:
        uri = join(self.root, quote_path("/".join(parts))) if parts else self.root
        return uri.encode("utf-8", "backslashreplace").decode()  # it will be shown and stored

    def _file(self, parts: tuple[str, ...], entry: os.DirEntry[str]) -> File | Skipped:
        reason = _bad_name(entry.name)
        if reason is None:
            try:
                if entry.is_symlink():
                    reason = self._bad_link(Path(entry.path))
                found = entry.stat() if reason is None else None
            except (OSError, RuntimeError) as error:
                found = None
                why = getattr(error, "strerror", None) or "its links lead in a circle"
                reason = f"it cannot be read ({why})"
            if found is not None and stat.S_ISREG(found.st_mode):
                stamp = f"{found.st_size}:{found.st_mtime_ns}"
                return File("/".join(parts), found.st_size, stamp)
        return Skipped(self._uri(parts), reason or "not a regular file (a pipe, socket or device)")

    def _bad_link(self, path: Path) -> str | None:
        target = path.resolve(strict=False)
        if not target.is_relative_to(self.path):
            return "a link that leads outside the folder"
        if not target.exists():
            return "a link to nothing"
        if target.is_dir():  # also what keeps the walk from going round in circles
            return "a link to a folder that is read where it is"
        return None


class FolderSource(Pictures):
    """Every picture in a folder and the folders in it.

    Parameters
    ----------
    path : Path or str
    name : str or None
        The SOURCE of the ids; the folder's own name when None.
    labels, samples : "folder" or None
        The label, the sample, is the name of the folder a file lies in; files directly under
        `path` have none. When both are asked, the sample is the first folder under `path` and the
        label the one a file lies in.
    um_per_px : float or None
        Micrometres per pixel of every picture.

    Raises
    ------
    SourceError
        If there is no such folder, it may not be read, or it holds no picture.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        name: str | None = None,
        labels: Literal["folder"] | None = None,
        samples: Literal["folder"] | None = None,
        um_per_px: float | None = None,
    ) -> None:
        super().__init__(FolderTree(path), Given(name, labels, samples, um_per_px))


def read_of(tree: Tree, path: str, *, limit: int = READ_LIMIT, first: int | None = None) -> bytes:
    """Read a file of a tree by its uri; what any tree does.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    uri = join(tree.root, quote_path(path))
    try:
        return read_address(uri, parse(uri), limit=limit, size=first)
    except ImageError as error:
        raise SourceError(f"{path}: {error.reason}") from None


def shown_root(tree: Tree) -> str:
    """Where a tree lies, for a person."""
    return tree.root.partition("#via=")[0].replace("%23", "#").replace("%25", "%")


def _bad_name(name: str) -> str | None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "the name is not UTF-8; rename it"
    return None


def _existing_folder(path: Path) -> Path:
    try:
        found = path.resolve()
        if not found.exists():
            raise SourceError(f"there is no folder {path}{near(found)}")
        if not found.is_dir():
            raise SourceError(f"{path} is a file; expected a folder of pictures, or a .zip of them")
        with os.scandir(found):
            pass
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or "the name is not one of a folder"
        raise SourceError(f"the folder {path} cannot be read ({why})") from None
    return found


def near(path: Path) -> str:
    """What may have been meant; without it, where the path stops being true."""
    parent = path.parent
    while not parent.is_dir():
        parent = parent.parent
    if parent != path.parent:
        return f"; of its path only {parent} exists"
    try:
        names = [entry.name for entry in os.scandir(parent) if not is_hidden(entry.name)]
    except OSError:
        return ""
    alike = get_close_matches(path.name, names, n=3)
    return f"; did you mean {' or '.join(alike)}?" if alike else f"; {parent} has no such name"
