"""The image grid: tiles that are clicked, selected, walked with the keyboard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.parts import acknowledged, fresh_event, row, rows

HERE = Path(__file__).parent
HTML = '<div class="gallery"></div>'
CSS = (HERE / "gallery.css").read_text(encoding="utf-8")
# one module: the last one exports
JS = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("sorting.js", "gallery.js"))
_grid = st.components.v2.component("plankton.gallery", html=HTML, css=CSS, js=JS)


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery; every text is shown as text, whatever it contains.

    Attributes
    ----------
    thumb : str
        URL of the thumbnail, such as ``/thumb/UID/ID?v=HASH``.
    title : str
        First line of the caption, in full on the card and for screen readers.
    lines : strings
        Further lines of the caption.
    width, height : int or None
        Size of the original in pixels, before it became a thumbnail.
    um_per_px : float or None
        Micrometres per pixel of the original; with width and height it gives a scale bar.
    mark : str or None
        A short flag in the corner, such as "query".
    hint : str or None
        What the flag means, on the card and for screen readers.
    about : str or None
        URL that tells more, such as ``/about/UID/ID``, as JSON ``{title, lines, picture}`` with
        lines of [name, value]. It is asked only when somebody rests on the tile.
    score : float or None
        0 to 1, drawn as a thin bar under the caption, such as the distance among those shown.
    """

    thumb: str
    title: str
    lines: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    um_per_px: float | None = None
    mark: str | None = None
    hint: str | None = None
    about: str | None = None
    score: float | None = None


@dataclass(frozen=True)
class GalleryEvent:
    """What the user did: the tile that was clicked, if any, and all that are selected now."""

    clicked: int | None
    selected: tuple[int, ...]


def gallery(
    tiles: Sequence[Tile],
    *,
    key: str,
    revision: str,
    selected: Sequence[int] | None = None,
    tile_px: int = 132,
    height: int | None = None,
    selectable: bool = True,
    empty: str = "No images to show.",
    label: str = "Images",
) -> GalleryEvent | None:
    """Draw `tiles` as a grid and return what the user has done since the last run, once.

    A click (or Enter) is reported as `clicked`; ctrl- or shift-click, a drag, the tick in a tile's
    corner, Space and shift with the arrows change the selection. Whoever rests on a tile sees a
    larger picture and what is known of it (i with the keyboard). A click made on another revision
    is not returned: the user is asked to click again.

    Parameters
    ----------
    tiles : sequence of Tile
        In the order shown.
    key : str
        Unique on the page; keeps scroll, focus and selection across reruns.
    revision : str
        Changes whenever the same number may mean another image.
    selected : sequence of int or None
        The selection to show. None leaves it to the browser, which keeps it until `revision`
        changes.
    tile_px : int
        Smallest width of a tile in CSS pixels; tiles grow to fill the row.
    height : int or None
        Height in CSS pixels beyond which the grid scrolls; None shows all of it.
    selectable : bool
        Whether tiles can be selected at all.
    empty : str
        Said when there are no tiles.
    label : str
        What a screen reader calls the grid.

    Returns
    -------
    GalleryEvent or None
        None when nothing new was done.
    """
    before = acknowledged(key)
    event = fresh_event(key, revision)
    answer, click = None, None
    if event is not None:
        # drawn with what the user has just done; the page hears of it only after this
        click = _new_click(key, event.get("clicked"))
        answer = GalleryEvent(
            clicked=row(click.get("row"), len(tiles)) if click else None,
            selected=rows(event.get("selected"), len(tiles)),
        )
        if selected is not None:
            selected = answer.selected
    try:
        _draw(key, tiles, selected, {
            "revision": revision,
            "tile_px": tile_px,
            "max_height": height,
            "selectable": selectable,
            "empty": empty,
            "label": label,
        })  # fmt: skip
    except BaseException:  # this run ended while it drew: the next one tells the page
        st.session_state[f"{key}:seen"] = before
        raise
    if click:
        st.session_state[f"{key}:click"] = click.get("seq")
    return answer


def _new_click(key: str, click: object) -> Mapping[str, Any] | None:
    """The click an event carries, unless the page has heard of it already."""
    if not isinstance(click, Mapping) or click.get("seq") == st.session_state.get(f"{key}:click"):
        return None
    return click


def _draw(
    key: str, tiles: Sequence[Tile], selected: Sequence[int] | None, how: Mapping[str, Any]
) -> None:
    _grid(
        key=key,
        data={
            **how,
            "tiles": [vars(tile) for tile in tiles],
            "selected": None if selected is None else list(selected),
            "ack": acknowledged(key),
        },
        on_event_change=lambda: None,
    )
