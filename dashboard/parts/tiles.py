"""Images of the catalogue as gallery tiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from core import labels
from core.catalogue import Image
from core.library import Library
from core.matching import MUCH, Found, esd_of, size_of, times_larger
from dashboard import state
from dashboard.parts.gallery import Tile


def size_text(image: Image) -> str:
    """Its longer side, in micrometres where that is known."""
    size = size_of(image)
    return "" if size is None else f"{size[0]:,.0f} {size[1]}"


def tile_size(image: Image) -> str:
    """The diameter where the instrument measured it; else the picture's side, called its frame so
    that nobody takes it for the organism's."""
    if (esd := esd_of(image)) is not None:
        return f"ESD {esd:.3g} µm" if esd < 1_000 else f"ESD {esd:,.0f} µm"
    text = size_text(image)
    return f"frame {text}" if text else ""


def label_text(label: str | None, status: str | None) -> str:
    """A label, with its standing unless a person or an import settled it."""
    if label is None:
        return ""
    if status == "rejected":
        return f"not {label}"
    return label if status == "validated" else f"{label} ({status})"


def image_tile(
    uid: str,
    image: Image,
    *,
    title: str | None = None,
    lines: Iterable[str] = (),
    large: bool = False,
    query: Image | None = None,
) -> Tile:
    """One image as a tile; empty lines are left out.

    Whoever rests on it is told more, unless it is `large` already. One that is many times larger
    or smaller than `query` is marked.
    """
    address = state.picture(uid, image) if large else state.thumb(uid, image)
    made = picture_tile(address, image, title=title or Path(image.id).name, lines=lines)
    mark, hint = much_larger(image, query)
    return replace(made, mark=mark, hint=hint, about=None if large else state.about(uid, image))


def picture_tile(address: str, image: Image, *, title: str, lines: Iterable[str] = ()) -> Tile:
    """What is shown from an address, with a scale bar where the pixel size is known."""
    return Tile(
        thumb=address,
        title=title,
        lines=tuple(line for line in lines if line),
        width=image.width,
        height=image.height,
        um_per_px=image.um_per_px,
    )


def much_larger(image: Image, query: Image | None) -> tuple[str | None, str | None]:
    """A mark and its explanation when the size differs much from the query's."""
    times = times_larger(image, query)
    if times is None or 1 / MUCH <= times <= MUCH:
        return None, None
    more = "larger" if times > 1 else "smaller"
    text = f"{max(times, 1 / times):,.1f}× {more}"
    return text, f"{text} than the query"


def labelled_tiles(lib: Library, uid: str, images: Sequence[Image]) -> list[Tile]:
    """Images as tiles under their labels, or under their file names."""
    known = labels.current(lib.catalogue, uid, [image.id for image in images])
    return [
        image_tile(
            uid,
            image,
            title=label_text(known[image.id].label, known[image.id].status)
            if image.id in known
            else None,
        )
        for image in images
    ]


def match_tiles(uid: str, matches: Sequence[Found], query: Image | None = None) -> list[Tile]:
    """Matches as tiles: label, distance, size; marked where that differs much from the query's.

    A bar under each is as long as its distance, beside the farthest of them.
    """
    farthest = max((match.distance for match in matches), default=0.0)
    made = [
        image_tile(
            uid,
            match.image,
            title=label_text(match.label, match.label_status) or Path(match.image.id).name,
            lines=(f"distance {match.distance:.3f}", tile_size(match.image)),
            query=query,
        )
        for match in matches
    ]
    if farthest <= 0:
        return made
    return [
        replace(tile, score=max(0.0, match.distance) / farthest)
        for tile, match in zip(made, matches, strict=True)
    ]
