"""The selection: images gathered on any page, the same on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.parts.gallery import Tile, gallery


def current(uid: str) -> tuple[str, ...]:
    """Ids of the selected images of a collection, in the order they were gathered."""
    found: tuple[str, ...] = _all().get(uid, ())
    return found


def put(uid: str, ids: Sequence[str]) -> bool:
    """Make these the selection; says whether that is another one."""
    fresh = tuple(dict.fromkeys(ids))
    if fresh == current(uid):
        return False
    _all()[uid] = fresh
    return True


def add(uid: str, ids: Sequence[str]) -> bool:
    """Gather these too; says whether any was not there."""
    return put(uid, (*current(uid), *ids))


def rows(uid: str, shown: Sequence[str]) -> list[int]:
    """Which of the images shown are selected, by their place."""
    chosen = set(current(uid))
    return [row for row, id in enumerate(shown) if id in chosen]


def take(uid: str, shown: Sequence[str], chosen: Sequence[int]) -> bool:
    """Follow a gallery: of the images it shows these are selected, all others stay as they were.

    Says whether that changed anything.
    """
    left = set(shown) - {shown[row] for row in chosen}
    kept = [id for id in current(uid) if id not in left]
    return put(uid, (*kept, *(shown[row] for row in chosen)))


def ticked(tiles: Sequence[Tile], shown: Sequence[str], uid: str, **how: Any) -> int | None:
    """A gallery whose ticks are the selection; gives the place of a tile that was clicked.

    Parameters
    ----------
    tiles : sequence of Tile
    shown : sequence of str
        The id of each tile's image.
    how
        As for `gallery`.
    """
    event = gallery(tiles, selected=rows(uid, shown), **how)
    if event is None:
        return None
    if take(uid, shown, event.selected):
        st.rerun()  # all of the page: the sidebar counts them
    return event.clicked


def _all() -> dict[str, tuple[str, ...]]:
    if "selections" not in st.session_state:
        st.session_state.selections = {}
    found: dict[str, tuple[str, ...]] = st.session_state.selections
    return found
