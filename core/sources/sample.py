"""The sample collection: drawn vignettes with labels, sizes, stations, depths and dates.

Nothing in it was ever photographed, and every image's metadata says so (`drawn`). It is there so
that every page has something true to show without a network or a folder of one's own.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from core.arrays import Rgb
from core.errors import RangeError, SourceError, WorkspaceError
from core.sources.base import ImageRef, Scalar, Skipped
from core.sources.drawing import HAULS, KINDS, OBJECTIVES, Haul, Kind, Pen, objective, photograph
from core.sources.uri import quote_path

LIMIT = 100_000
TABLE = "sample.csv"
INSTRUMENT = "drawn imaging flow cytometer"
COLUMNS = (
    "path",
    "label",
    "sample",
    "station",
    "latitude",
    "longitude",
    "depth_m",
    "date",
    "um_per_px",
    "length_um",
    "instrument",
    "magnification",
    "living",
)


@dataclass(frozen=True)
class Vignette:
    """One drawn picture and what is known of it."""

    pixels: Rgb
    kind: Kind
    haul: Haul
    length_um: float
    magnification: str


def draw_sample(
    folder: Path,
    *,
    n: int = 1200,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw n vignettes as PNG files into a folder, with a table of what is known of each.

    The same n and seed give the same bytes, and image i is the same whatever n is. A file that is
    there already with the same bytes is left as it is; files of an earlier, larger drawing stay
    in the folder, but not in the table.

    Parameters
    ----------
    folder : Path
        Made if missing; each sample becomes a folder in it.
    n : int
        How many, 1 to 100,000; kinds and samples keep their proportions.
    seed : int
        0 or larger.
    on_progress : callable
        Called with (drawn so far, n) after each vignette; what it raises stops the drawing.

    Returns
    -------
    Path
        The table, ``folder/sample.csv``.

    Raises
    ------
    RangeError
        If n is not in 1 to 100,000 or seed is negative.
    WorkspaceError
        If the folder cannot be written.
    """
    if not 1 <= n <= LIMIT:
        raise RangeError(f"{n} images were asked for; expected 1 to {LIMIT:,}")
    if seed < 0:
        raise RangeError(f"seed is {seed}; expected 0 or more")
    rows = []
    try:
        for i, (kind, haul) in enumerate(_plan(n, seed)):
            vignette = draw_vignette(kind, haul, seed=seed, index=i)
            inner = f"{haul.name}/{haul.name}_{i:05d}.png"
            _write(folder / inner, _png(vignette.pixels))
            rows.append(_row(inner, vignette))
            if on_progress is not None:
                on_progress(i + 1, n)
        rows.sort(key=lambda row: row[0])
        lines = [",".join(COLUMNS), *(",".join(row) for row in rows)]
        _write(folder / TABLE, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        reason = error.strerror or str(error)
        raise WorkspaceError(
            f"{folder} cannot be written ({reason}); choose a folder with room that is yours"
        ) from error
    return folder / TABLE


def draw_vignette(kind: Kind, haul: Haul, *, seed: int, index: int) -> Vignette:
    """Draw one organism as one haul would have been photographed; every index gives another."""
    rng = np.random.default_rng([seed, index])
    length_um = round(kind.length(rng), 1)
    pen = Pen(rng, length_um)
    kind.draw(pen)
    magnification = objective(pen)
    pixels = photograph(pen, haul, um_per_px=OBJECTIVES[magnification], rng=rng)
    return Vignette(pixels, kind, haul, length_um, magnification)


def _plan(n: int, seed: int) -> Iterator[tuple[Kind, Haul]]:
    """Kind and haul of each image: shares are kept from the first images on, for every n."""
    rng = np.random.default_rng([seed])
    next_kind = _Rota([kind.share for kind in KINDS], rng)
    next_haul = [
        _Rota([haul.size * haul.rich_in.get(kind.name, 1.0) for haul in HAULS], rng)
        for kind in KINDS
    ]
    for _ in range(n):
        k = next_kind.turn()
        yield KINDS[k], HAULS[next_haul[k].turn()]


class _Rota:
    """Takes turns in proportion to weights (smooth weighted round robin), from a random start."""

    def __init__(self, weights: Sequence[float], rng: np.random.Generator) -> None:
        self.weights = np.asarray(weights, np.float64) / np.sum(weights)
        self.credit = self.weights * rng.uniform(0, 4, len(weights))

    def turn(self) -> int:
        self.credit += self.weights
        chosen = int(np.argmax(self.credit))
        self.credit[chosen] -= 1
        return chosen


def _png(pixels: Rgb) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return  # an unchanged file keeps its time, so nothing is encoded twice
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _row(inner: str, vignette: Vignette) -> list[str]:
    haul = vignette.haul
    return [
        inner,
        vignette.kind.name,
        haul.name,
        haul.station.name,
        str(haul.station.latitude),
        str(haul.station.longitude),
        str(haul.depth_m),
        haul.date,
        str(OBJECTIVES[vignette.magnification]),
        str(vignette.length_um),
        INSTRUMENT,
        vignette.magnification,
        str(vignette.kind.living).lower(),
    ]


class SampleSource:
    """The images that `draw_sample` drew into a folder.

    Raises
    ------
    SourceError
        From `refs`, if the folder holds no table, or one that is not of this kind.
    """

    kind = "Drawn sample"
    noun = "vignettes"
    notes = ("Drawn by a program, not recorded by an instrument.",)

    def __init__(self, folder: Path, *, name: str = "sample") -> None:
        self.folder = folder
        self._name = name

    @property
    def name(self) -> str:
        """The SOURCE of its ids."""
        return self._name

    @property
    def root(self) -> str:
        """The folder, absolute, written as in a uri."""
        return quote_path(self.folder.resolve())

    def refs(self) -> Iterator[ImageRef | Skipped]:
        """Every image of the table, in its order; a file that is gone comes as `Skipped`."""
        for row in self._rows():
            inner = row["path"]
            path = self.folder / inner
            try:
                state = path.stat()
            except OSError:
                yield Skipped(str(path), f"listed in {TABLE} but not there; draw the sample again")
                continue
            try:
                ref = ImageRef(
                    id=f"{self._name}/{inner}",
                    inner=inner,
                    stamp=f"{state.st_size}:{state.st_mtime_ns}",
                    metadata=_metadata(row),
                    label=row["label"],
                    label_status="validated",
                    sample=row["sample"],
                    um_per_px=float(row["um_per_px"]),
                )
            except (TypeError, ValueError):
                raise SourceError(
                    f"{self.folder / TABLE} has a damaged row for {inner}; draw the sample again"
                ) from None
            yield ref

    def _rows(self) -> list[dict[str, str]]:
        table = self.folder / TABLE
        try:
            with table.open(encoding="utf-8", newline="") as lines:
                reader = csv.DictReader(lines)
                if tuple(reader.fieldnames or ()) != COLUMNS:
                    raise SourceError(
                        f"{table} has columns {reader.fieldnames}; expected those of a drawn"
                        " sample; draw it again"
                    )
                return list(reader)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise SourceError(
                f"{table} cannot be read ({error}); draw the sample into this folder first"
            ) from error


def _metadata(row: dict[str, str]) -> dict[str, Scalar]:
    return {
        "station": row["station"],
        "latitude": float(row["latitude"]),
        "longitude": float(row["longitude"]),
        "depth_m": int(row["depth_m"]),
        "date": row["date"],
        "length_um": float(row["length_um"]),
        "instrument": row["instrument"],
        "magnification": row["magnification"],
        "living": row["living"] == "true",
        "drawn": True,
    }
