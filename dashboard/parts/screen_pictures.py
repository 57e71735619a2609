"""The pictures a filter decides about: those on the border, and its mistakes."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.library import View
from core.outcome import Outcome
from core.screen import Screen
from core.screen_views import of_kind, scores
from dashboard import state
from dashboard.parts import selecting
from dashboard.parts.tiles import image_tile

LOOKS = {
    "border": "At the threshold",
    "lost": "Plankton lost",
    "rubbish": "Rubbish kept",
    "strange": "Unfamiliar",
}
ALL = "all kinds"
MOST = 48


def pictures(view: View, at: Screen, outcome: Outcome) -> None:
    """One of four looks; a click opens what is similar, a tick selects."""
    wanted = sum(part.labelled - part.kept for part in outcome.kinds if part.wanted)
    kept = sum(part.kept for part in outcome.kinds if not part.wanted)
    strange = int(at.screened.unfamiliar.sum())
    counts = {"border": "", "lost": f" ({wanted:,})", "rubbish": f" ({kept:,})",
              "strange": f" ({strange:,})"}  # fmt: skip
    st.markdown("#### See for yourself")
    key = state.linked("look", list(LOOKS), "border")
    look = st.segmented_control(
        "Show", list(LOOKS), format_func=lambda name: LOOKS[name] + counts[name], key=key,
        required=True, label_visibility="collapsed", on_change=state.follow, args=("look", key),
    ) or "border"  # fmt: skip
    with st.container():  # there in any case, so that what follows is not drawn anew
        if look == "border":
            _border(view, at)
        elif look == "strange":
            st.caption(
                "Unlike anything that was labelled, so kept whatever the score. Labelling some "
                "makes the filter know them."
            )
            _gallery(view, at, at.screened.strange(MOST), "Unfamiliar images")
        else:
            _mistakes(view, at, outcome, lost=look == "lost")


def _border(view: View, at: Screen) -> None:
    kept, dropped = at.screened.nearest(at.threshold, 12)
    with st.container(key="split border"):
        left, right = st.columns(2, gap="large")
    with left:
        st.caption("**Just dropped**, the nearest first")
        _gallery(view, at, dropped, "Just dropped")
    with right:
        st.caption("**Just kept**, the nearest first")
        _gallery(view, at, kept, "Just kept")


def _mistakes(view: View, at: Screen, outcome: Outcome, *, lost: bool) -> None:
    wrong = {
        part.name: part.labelled - part.kept if lost else part.kept
        for part in outcome.kinds
        if part.wanted == lost
    }
    names = [ALL, *(name for name, n in wrong.items() if n)]
    key = f"screen kind {lost}"
    if st.session_state.get(key) not in names:
        st.session_state[key] = ALL
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.caption(
            "Labelled to keep, and dropped: the surest mistakes first." if lost
            else "Labelled to drop, and kept: the surest mistakes first.",
            width="stretch",
        )  # fmt: skip
        kind: str = st.selectbox(
            "Kind", names, key=key, width=240, label_visibility="collapsed",
            format_func=lambda name: name if name == ALL else f"{name} ({wrong[name]:,})",
        )  # fmt: skip
    ids = of_kind(at, None if kind == ALL else kind, wanted=lost, k=MOST)
    title = "Plankton that would be lost" if lost else "Rubbish that would be kept"
    nothing = "No labelled plankton is lost here." if lost else "No labelled rubbish is kept here."
    _gallery(view, at, ids, title, empty=nothing)


def _gallery(
    view: View, at: Screen, ids: Sequence[str], title: str, *, empty: str = "None here."
) -> None:
    uid = view.collection.uid
    found = state.library().catalogue.images(uid, ids)
    there = [image.id for image in found]
    s = at.screened
    kind = {s.ids[row]: s.kinds[code] for row, code in enumerate(s.kind.tolist()) if code >= 0}
    tiles = [
        image_tile(uid, image, title=kind.get(image.id, "no label"), lines=[f"score {score:.3g}"])
        for image, score in zip(found, scores(at, there), strict=True)
    ]
    clicked = selecting.ticked(
        tiles, there, uid, key=f"screen {title}", revision=f"{title} {there}", tile_px=96,
        height=700, label=title, empty=empty,
    )  # fmt: skip
    if clicked is not None:
        here = {"collection": view.collection.name, "encoder": view.encoding.encoder}
        st.switch_page("views/similar.py", query_params=here | {"id": there[clicked]})
