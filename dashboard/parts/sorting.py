"""A screen of images that should all be one kind: the wrong ones are told apart, the rest kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from dashboard.parts import acknowledged, fresh_event
from dashboard.parts.gallery import CSS, HERE, HTML, JS, Tile

MOST = 9
"""Labels a number key can give."""

Kind = Literal["accept", "skip", "undo"]
_KINDS: tuple[Kind, ...] = ("accept", "skip", "undo")
_sheet = st.components.v2.component(
    "plankton.sorting",
    html=HTML,
    css=CSS + (HERE / "sorting.css").read_text(encoding="utf-8"),
    js=JS,
)


@dataclass(frozen=True)
class Sorted:
    """What was decided about a screen, at once."""

    kind: Kind
    given: dict[int, str | None]
    """Tiles that are something else: their label, or None for those sent back."""


@dataclass(frozen=True)
class Words:
    """What the keys do, where that is not accepting one kind."""

    accept: str
    """On the button that Enter presses; holds ``{n}``, the images that nothing else is said of."""
    back: str
    """What 0 does."""
    backed: str
    """On a tile it was done to."""
    backHint: str  # noqa: N815  (as the browser names it)
    how: str
    """Read to whoever does not see it."""


def sorting(
    tiles: Sequence[Tile],
    *,
    key: str,
    revision: str,
    kind: str,
    answers: Sequence[Sequence[str]],
    undoable: bool,
    missing: str | None = None,
    words: Words | None = None,
    apart: bool = False,
    evidence: Sequence[Sequence[tuple[str, Sequence[str]]]] | None = None,
    tile_px: int = 132,
    label: str = "Images",
) -> Sorted | None:
    """Draw a screen and return what was decided about it, once.

    Digits give the tile in focus, or all selected ones, another label, 0 or a click on it sends it
    back. Enter accepts the rest, S leaves the screen for later, U takes the last screen back.
    Nothing is sent before one of these three.

    Parameters
    ----------
    tiles : sequence of Tile
    key : str
        Unique on the page.
    revision : str
        Changes with the screen: a decision made about another one is not returned.
    kind : str
        What they should all be.
    answers : sequence of sequence of str
        For each tile the labels that the digits from 1 on give it, at most `MOST`.
    undoable : bool
        Whether there is a screen to take back.
    missing : str or None
        What has to be said before the screen can be accepted.
    words : Words or None
    apart : bool
        Whether each image has a label of its own to be put right: a click gives the first of its
        answers, T gives it to all, and a number given to several means each one's own.
    evidence : for each tile (title, addresses of thumbnails) or None
        Shown above the tiles beside the one in focus.
    tile_px, label
        As for `gallery`.

    Returns
    -------
    Sorted or None
        None when nothing new was decided.
    """
    event = fresh_event(key, revision)
    offered = [list(each)[:MOST] for each in answers]
    _sheet(
        key=key,
        data={
            "revision": revision,
            "tile_px": tile_px,
            "max_height": None,
            "selectable": True,
            "selected": None,
            "empty": "No images to show.",
            "label": label,
            "tiles": [vars(tile) for tile in tiles],
            "kind": kind,
            "answers": offered,
            "undoable": undoable,
            "missing": missing,
            "words": None if words is None else vars(words),
            "apart": apart,
            "evidence": None if evidence is None else [list(map(list, each)) for each in evidence],
            "ack": acknowledged(key),
        },
        on_event_change=lambda: None,
    )
    if event is None or event.get("kind") not in _KINDS:
        return None
    return Sorted(event["kind"], _given(event.get("answers"), offered))


def _given(sent: object, offered: Sequence[Sequence[str]]) -> dict[int, str | None]:
    """What the browser says of tiles; it is not trusted."""
    found: dict[int, str | None] = {}
    for each in sent if isinstance(sent, list | tuple) else ():
        if not isinstance(each, list | tuple) or len(each) != 2:
            continue
        row, number = each
        if type(row) is not int or type(number) is not int or not 0 <= row < len(offered):
            continue
        if 0 <= number <= len(offered[row]):
            found[row] = offered[row][number - 1] if number else None
    return found
