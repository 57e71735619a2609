"""What every source of images gives: references, never pixels.

An importer is one file beside this one. It looks at a `Tree` of files, says whether they are of
its kind, and opens them as a `Source`; the README's developer section walks through writing one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class ImageRef:
    """One image: what it is called, where it is read from, what is known of it."""

    id: str
    """``SOURCE/path inside it``, or the instrument's own name of it; never changes."""
    inner: str
    """Where it lies under its source's root; a whole uri when it lies elsewhere."""
    stamp: str = ""
    """Size and modification time, or an etag: when it differs, the file changed."""
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    label: str | None = None
    label_status: str = "validated"
    sample: str | None = None
    um_per_px: float | None = None
    """Micrometres per pixel."""


@dataclass(frozen=True)
class Skipped:
    """What did not become an image, and why."""

    uri: str
    reason: str
    count: int = 1
    """Images this stands for, such as the triggers of a bin that hold no picture."""


@dataclass(frozen=True)
class Given:
    """What a person said about a source when they named it."""

    name: str | None = None
    """The SOURCE of the ids; the source's own name when None."""
    labels: Literal["folder"] | None = None
    samples: Literal["folder"] | None = None
    um_per_px: float | None = None
    """Micrometres per pixel of every picture; wins over what files say."""
    only: str | None = None
    """The path of the one file in the tree that was pointed at, such as one run's .lst."""
    bounded: bool = False
    """Whether a page asked: then no credentials are spent, no private addresses are read, and a
    table names files of its own folder only."""
    endpoint_url: str | None = None
    """Where the object storage answers, when that is not Amazon's."""
    anonymous: bool = False
    """Whether object storage is read without credentials."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a tree."""

    path: str
    """Folders and name under the tree's root, joined by ``/``, as they are (not quoted)."""
    size: int
    """Bytes."""
    stamp: str

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


class Tree(Protocol):
    """Files in a folder, a zip or object storage, listed and read alike."""

    @property
    def name(self) -> str:
        """What the folder, zip or bucket is called."""
        ...

    @property
    def root(self) -> str:
        """What every file's uri begins with; see `core.sources.uri.join`."""
        ...

    def files(self) -> Sequence[File | Skipped]:
        """Every file, sorted within its folder; listed once. Hidden files are not among them."""
        ...

    def read(self, path: str, *, limit: int = ..., first: int | None = None) -> bytes:
        """A file's bytes.

        Parameters
        ----------
        path : str
            A `File.path`.
        limit : int
            Most bytes to accept.
        first : int or None
            Read only so many bytes from its beginning.

        Raises
        ------
        SourceError
            If it cannot be read.
        """
        ...


class Source(Protocol):
    """A place images come from."""

    @property
    def name(self) -> str:
        """The SOURCE of its ids."""
        ...

    @property
    def root(self) -> str:
        """What `inner` is under; empty when each `inner` is a whole uri."""
        ...

    @property
    def kind(self) -> str:
        """What it is, for a person: ``FlowCam run``."""
        ...

    @property
    def noun(self) -> str:
        """What its images are called, in the plural: ``particles``."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What was assumed or left aside, a sentence each; complete once `refs` has been read."""
        ...

    def refs(self) -> Iterator[ImageRef | Skipped]:
        """Every image, in an order that is the same every time."""
        ...


class Importer(Protocol):
    """One kind of instrument or program, and how its files are read."""

    @property
    def kind(self) -> str:
        """For a person: ``FlowCam run``."""
        ...

    def recognises(self, tree: Tree) -> bool:
        """Whether these files are of this kind; by names, and by the beginnings of few files."""
        ...

    def open(self, tree: Tree, given: Given) -> Source:
        """Read what describes the images; their pixels are read later, by uri.

        Raises
        ------
        SourceError
            If they cannot be used; names file, line and column where there are any.
        """
        ...
