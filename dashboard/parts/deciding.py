"""One screen of a round: what the images are, the wrong ones told apart, the rest accepted."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import CoreError
from core.queueing import Screen
from dashboard import state
from dashboard.parts import rounds
from dashboard.parts.gallery import gallery
from dashboard.parts.labelling import say_undone
from dashboard.parts.sorting import MOST, Sorted, sorting
from dashboard.parts.tiles import image_tile

EVIDENCE = 9
"""Labelled images shown that a suggestion was concluded from."""


def concluded_from(uid: str, current: rounds.Held, screen: Screen) -> None:
    """In the sidebar: the labelled images that the screen's label was concluded from."""
    ids = current.round.evidence(screen, EVIDENCE)
    if not ids:
        return
    with st.sidebar:
        st.caption(f"Concluded from what was labelled {state.as_text(screen.label or '')}")
        images = state.library().catalogue.images(uid, ids)
        gallery(
            [image_tile(uid, image, lines=[]) for image in images], key="concluded from",
            revision=f"concluded {current.number}", selectable=False, tile_px=64,
            label="Labelled images it was concluded from",
        )  # fmt: skip


def decide(uid: str, current: rounds.Held, screen: Screen, *, name: str | None, by: str) -> None:
    """Draw a screen and do what is said about it; another one comes then.

    Parameters
    ----------
    name : str or None
        What the images should all be; None until it is said.
    by : str
        Who says so; empty until it is said.
    """
    st.markdown(f"#### {state.as_text(name) if name else 'One kind?'}")
    st.caption(state.as_text(screen.why))
    tiles = [
        image_tile(uid, image, lines=[] if sure is None else [f"{sure:.0%} {name or ''}"])
        for image, sure in zip(current.images, screen.confidence, strict=True)
    ]
    if current.round.practice:  # a card would tell the label
        tiles = [replace(tile, about=None) for tile in tiles]
    missing = None if name and by else "Say what they are" if by else "Say your name first"
    said = sorting(
        tiles,
        key="label screen",
        revision=f"{uid} {current.number} {name}",
        kind=name or "one kind",
        answers=[current.round.answers(screen, place, MOST) for place in range(len(tiles))],
        undoable=current.round.undoable and bool(by),
        missing=missing,
        label="One kind",
    )
    if said is None:
        return
    try:
        _do(current, screen, said, name=name, by=by)
    except CoreError as error:
        state.say(error)
        return
    current.screen = None
    st.rerun()


def _do(current: rounds.Held, screen: Screen, said: Sorted, *, name: str | None, by: str) -> None:
    if said.kind == "undo":
        say_undone(current.round.undo(by=by))
    elif said.kind == "skip":
        current.round.skip(screen)
    elif name and by:
        given = {screen.ids[row]: label for row, label in said.given.items()}
        rounds.say_taken(current.round.accept(screen, name, given, by=by))
