"""Where images come from: `open_source` finds out what a person pointed at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from core.errors import SourceError
from core.sources.archive import ZipSource, ZipTree
from core.sources.base import File, Given, ImageRef, Importer, Skipped, Source, Tree
from core.sources.files import READ_LIMIT
from core.sources.folder import FolderSource, FolderTree, Pictures
from core.sources.uri import REMOTE, scheme_of

__all__ = [
    "MAX_UM_PER_PX",
    "FolderSource",
    "Given",
    "ImageRef",
    "Skipped",
    "Source",
    "ZipSource",
    "importers",
    "open_source",
]

MAX_UM_PER_PX = 10_000.0  # a centimetre

USABLE = (
    "use a folder or .zip of pictures, a FlowCam run, IFCB bins, an EcoTaxa export, a table (.csv, "
    ".tsv, .parquet) with a uri column, or an address (s3://, https://)"
)


def importers() -> tuple[Importer, ...]:
    """Every kind of files that is more than a heap of pictures; the first to recognise them wins.

    A new instrument is one file beside this one and one line here.
    """
    from core.sources.ecotaxa import EcoTaxaImporter
    from core.sources.flowcam import FlowCam
    from core.sources.ifcb import IfcbImporter
    from core.sources.table import Tables
    from core.sources.vectors import VectorFiles

    return (FlowCam(), IfcbImporter(), EcoTaxaImporter(), VectorFiles(), Tables())


def open_source(
    where: str,
    *,
    name: str | None = None,
    labels: str = "none",
    samples: str = "none",
    um_per_px: float | None = None,
    bounded: bool = False,
    endpoint_url: str | None = None,
    anonymous: bool = False,
) -> Source:
    """What images are to be read from, found out from its name and content.

    Parameters
    ----------
    where : str
        A folder, a zip, one file of an instrument's, a table, or an address.
    name : str or None
        The SOURCE of the ids; the folder's or file's own name when None.
    labels, samples : "folder" or "none"
        Whether the folder a file lies in names its label, its sample.
    um_per_px : float or None
        Micrometres per pixel, more than 0 and at most 10,000.
    bounded, endpoint_url, anonymous
        As in `Given`.

    Raises
    ------
    SourceError
        If it cannot be used, saying what can be.
    """
    if um_per_px is not None and not (math.isfinite(um_per_px) and 0 < um_per_px <= MAX_UM_PER_PX):
        raise SourceError(
            f"the pixel size is {um_per_px} micrometres; expected more than 0 and at most "
            f"{MAX_UM_PER_PX:,.0f}"
        )
    given = Given(
        name=name,
        labels=_from_folder("labels", labels),
        samples=_from_folder("samples", samples),
        um_per_px=um_per_px,
        bounded=bounded,
        endpoint_url=endpoint_url,
        anonymous=anonymous,
    )
    if not where.strip():
        raise SourceError(f"no source was named; {USABLE}")
    tree, given = _tree(where, given)
    for told in _telling(tree, given.only):
        for importer in importers():
            if importer.recognises(told):
                return importer.open(tree, given)
    if given.only is not None and Path(given.only).suffix.lower() in (".csv", ".tsv"):
        from core.sources.tabular import columns_of

        named = [f for f in tree.files() if isinstance(f, File) and f.path == given.only]
        columns = ", ".join(columns_of(tree, named[0])[:12]) if named else ""
        raise SourceError(
            f"{where} has {f'the columns {columns}' if columns else 'no columns'}; expected one "
            "called uri, with the path or address of each image"
        )
    if given.only is not None:
        raise SourceError(f"{where} is a file that cannot be read as images; {USABLE}")
    return Pictures(tree, given)


@dataclass(frozen=True)
class _Part:
    """Some files of a tree."""

    tree: Tree
    kept: tuple[File, ...]

    @property
    def name(self) -> str:
        return self.tree.name

    @property
    def root(self) -> str:
        return self.tree.root

    def files(self) -> Sequence[File | Skipped]:
        return self.kept

    def read(self, path: str, *, limit: int = READ_LIMIT, first: int | None = None) -> bytes:
        return self.tree.read(path, limit=limit, first=first)


def _telling(tree: Tree, only: str | None) -> Iterator[Tree]:
    """What says of which kind a tree is: of one file that was named, itself, then what is called
    as it is; a table beside a run is a table."""
    if only is None:
        yield tree
        return
    files = [file for file in tree.files() if isinstance(file, File)]
    stem = only.rpartition(".")[0] or only
    yield _Part(tree, tuple(file for file in files if file.path == only))
    yield _Part(tree, tuple(file for file in files if file.path.startswith(stem)))


def _tree(where: str, given: Given) -> tuple[Tree, Given]:
    scheme = scheme_of(where)
    if scheme in REMOTE:
        from core.sources.remote import open_tree

        return open_tree(where, given)
    if scheme or where.startswith("chroma:"):
        raise SourceError(f"{where} is no address that can be read; {USABLE}")
    path = Path(where).expanduser()
    try:
        a_file = path.is_file()
    except (OSError, ValueError):
        a_file = False  # opening it says why
    if path.suffix.lower() == ".zip" and not path.is_dir():
        return ZipTree(path), given
    if a_file:
        return FolderTree(path.parent, deep=False), replace(given, only=path.name)
    return FolderTree(path), given


def _from_folder(what: str, value: str) -> Literal["folder"] | None:
    if value not in ("none", "folder"):
        raise SourceError(f"{what} is {value!r}; expected 'folder' or 'none'")
    return "folder" if value == "folder" else None
