"""The filter a page is about: one that was kept, or one trained on the labels as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core import screens
from core.errors import CoreError
from core.library import View
from core.screen import Screen
from core.screen_views import KindSeen, seconds
from dashboard import state
from dashboard.parts.empty import start
from dashboard.parts.screen_keep import saved_filters
from dashboard.parts.screen_kinds import choose, dropped
from dashboard.parts.screen_sorting import ask_to_sort

LONG_S = 5.0
"""Training that may take longer is a job."""


def opened_model(view: View) -> Screen | None:
    """The kept model that the link names; None where it names none.

    Raises
    ------
    CoreError
        If it is damaged.
    """
    name = st.query_params.get("model")
    if name is None:
        return None
    lib, uid = state.library(), view.collection.uid
    try:
        found = replace(screens.load(lib.workspace, uid, name), collection=view.collection.name)
    except CoreError as error:
        if st.session_state.get("working"):
            st.info("The page shows the filter as soon as it is trained.")
            st.stop()
        state.set_link(model=None)
        state.say(error)
        return None
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        keep, drop = (
            ", ".join(state.as_text(each) for each in side) for side in (found.keep, found.drop)
        )
        st.markdown(
            f":material/bookmark: **{state.as_text(name)}**, kept "
            f"{found.created[:16].replace('T', ' ')} UTC, trained on "
            f"{found.training['images']:,} labels  \n:gray[:small[keeps {keep}; drops {drop}]]",
            width="stretch",
        )
        st.button(
            "Train a new one", icon=":material/model_training:", on_click=state.set_link,
            kwargs={"model": None, "threshold": None},
        )  # fmt: skip
    if found.identity != view.encoding.identity:
        st.warning(
            f"It decides on vectors of {state.as_text(found.identity.name)} as they were then; "
            "this collection has other ones now. Train a new one.",
            icon=":material/sync_problem:",
        )
    return found


def trained(view: View, kinds: Sequence[KindSeen]) -> Screen:
    """A filter on the labels as they are; trained in a job where it takes longer.

    Where there is none to show yet, both sides are shown instead, to be chosen.

    Raises
    ------
    CoreError
        If there are too few labels on one side.
    """
    drop = dropped(kinds)
    keep = tuple(kind.name for kind in kinds if kind.name not in drop)
    if not keep or not drop:
        choose(view, kinds)
        side = "keep" if not keep else "drop"
        st.info(
            f"Nothing is to {side} yet. Click a kind above that may go there, or sort some images.",
            icon=":material/swap_horiz:",
        )
        ask_to_sort(primary=True)
        st.stop()
    labelled = sum(kind.images for kind in kinds)
    if seconds(view, labelled) > LONG_S:
        choose(view, kinds)
        _as_job(view, keep, drop, labelled)
    with st.spinner("Training the filter"):
        return state.screen(view, tuple(sorted(keep)), tuple(sorted(drop)))


def _as_job(view: View, keep: Sequence[str], drop: Sequence[str], labelled: int) -> None:
    """Offer to train in the background; the page goes on once that is done."""
    st.markdown(
        f"Training on {labelled:,} labels, and scoring {len(view.snapshot):,} images, takes about "
        f"{seconds(view, labelled):.0f} s: it runs beside this page."
    )
    name = st.text_input("Name of the filter", "filter", max_chars=80, width=420).strip()
    locked = state.settings().read_only or bool(st.session_state.get("working"))
    if st.button(
        "Train", icon=":material/model_training:", type="primary", disabled=locked or not name
    ):
        state.set_link(model=name, threshold=None)
        start(arguments(view, name, keep, drop), f"Train {name} on {view.collection.name}")
    saved_filters(view)
    st.stop()


def arguments(view: View, name: str, keep: Sequence[str], drop: Sequence[str]) -> list[str]:
    """The command that trains a filter and keeps it."""
    return [
        "screen", "train", "--collection", view.collection.name, "--encoder",
        view.encoding.encoder, f"--model={name}", "--keep", *keep, "--drop", *drop,
    ]  # fmt: skip
