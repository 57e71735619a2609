"""Sort a screen of images into keep and drop, where labels are missing or too few."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import labels
from core.errors import CoreError
from core.labels import Decision
from core.library import View
from core.screen_views import DROP, KEEP, KindSeen, sounds_like_rubbish, to_sort
from core.screening import FEWEST
from dashboard import state
from dashboard.parts.foldernames import offer_folder_names
from dashboard.parts.labelling import say_undone, who
from dashboard.parts.sorting import Words, sorting
from dashboard.parts.tiles import image_tile

SORTING = "sorting"
"""In the link: more images are to be sorted."""
ON_A_SCREEN = 24
WORDS = Words(
    accept="Keep {n}",
    back="drop",
    backed="drop",
    backHint="It may be dropped",
    how="Enter keeps the rest, 0 or a click drops an image, U takes back the last screen",
)


def sorting_asked() -> bool:
    """Whether the link asks for more images to sort."""
    return SORTING in st.query_params


def ask_to_sort(*, primary: bool = False) -> None:
    """A button that leads to a screen of images to sort."""
    if st.button(
        "Sort more images", icon=":material/swipe:", type="primary" if primary else "secondary",
        key="screen sort more",
    ):  # fmt: skip
        state.set_link(**{SORTING: 1}, model=None)
        st.rerun()  # all of the page, not only the part that the button is in


def sort_here(view: View, kinds: Sequence[KindSeen]) -> None:
    """Say what is missing, and sort images right here."""
    asked = sorting_asked()
    counts = {KEEP: 0, DROP: 0}
    for kind in kinds:
        counts[DROP if sounds_like_rubbish(kind.name) else KEEP] += kind.images
    st.subheader("Sort some images" if asked else "Nothing to learn from yet")
    st.write(
        "A filter learns from images that somebody called worth keeping or not. Click everything "
        "that may be **dropped** – detritus, bubbles, fibres – and accept the rest. Images are "
        "drawn at random, so that what is promised holds for those to come."
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(
            f"**{counts[KEEP]:,}** to keep · **{counts[DROP]:,}** to drop so far; at least "
            f"{FEWEST} of each, some hundred are better",
            width="stretch",
        )
        if asked:
            st.button("To the filter", icon=":material/filter_alt:", type="primary",
                      on_click=state.set_link, kwargs={SORTING: None})  # fmt: skip
        st.page_link("views/label.py", label="Label by kind instead", icon=":material/label:")
    if state.settings().read_only:
        st.info("This dashboard only shows. Run it on your own machine to sort images.")
        return
    by = who(width=220)
    if not kinds:
        offer_folder_names(view, by)
    _sort(view, by)


def _sort(view: View, by: str) -> None:
    lib, uid = state.library(), view.collection.uid
    number = st.session_state.setdefault("screen sorted", 0)
    held = st.session_state.get("screen to sort")
    if held is None or held[:2] != (uid, number):
        seen = labels.revision(lib.catalogue, uid)
        held = (uid, number, tuple(to_sort(lib, view, ON_A_SCREEN, seed=number)), seen)
        st.session_state["screen to sort"] = held
    images = lib.catalogue.images(uid, held[2])
    done = st.session_state.get("screen action")
    said = sorting(
        [image_tile(uid, image, lines=[]) for image in images],
        key="screen sort", revision=f"{uid} {number}", kind="to keep",
        answers=[[] for _ in images], undoable=bool(done and by and done[0] == uid),
        missing=None if by else "Say your name first", words=WORDS, label="Keep or drop",
    )  # fmt: skip
    if said is None:
        if not images:
            st.info("Every image has a label.", icon=":material/check:")
        return
    try:
        if said.kind == "undo" and done:
            say_undone(labels.undo(lib.catalogue, uid, done[1], by=by))
            del st.session_state["screen action"]
        elif said.kind == "accept" and by:
            decisions = [
                Decision(image.id, DROP if row in said.given else KEEP)
                for row, image in enumerate(images)
            ]
            found = labels.decide(
                lib.catalogue, uid, decisions, by=by, how="selection", seen=held[3]
            )
            st.session_state["screen action"] = (uid, found.action)
            if found.conflicts:
                n = len(found.conflicts)
                st.toast(f"{n} decided by somebody else meanwhile stay as they said.",
                         icon=":material/group:")  # fmt: skip
    except CoreError as error:
        state.say(error)
        return
    st.session_state["screen sorted"] = number + 1
    st.rerun()
