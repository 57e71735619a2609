"""What can be said of encoders without labels, and how to come to a first estimate."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.evaluation.figures import Figure
from core.evaluation.storing import Evaluation
from core.library import View
from dashboard import state
from dashboard.parts import sets
from dashboard.parts.encodernames import called
from dashboard.parts.evaluations import another, begin, encoders_of
from dashboard.parts.foldernames import foldered, offer_folder_names
from dashboard.parts.labelling import who

MOST = 3
"""Encoders that are compared at once where nobody chose."""


def without_labels(view: View, found: Evaluation) -> None:
    """Agreement between encoders, how steady their clusters are, and copies."""
    said, n = found.meta["without_labels"], len(found.ids)
    st.subheader("What needs no labels", anchor=False)
    for pair in said["agreement"]:
        a, b = (state.as_text(called(name)) for name in pair["encoders"])
        shared = Figure.from_json(pair["shared"])
        if shared.value is None:
            continue
        ends = "" if shared.low is None else f" ({shared.low:.0%} to {shared.high:.0%})"
        st.markdown(
            f":material/compare_arrows: **{a}** and **{b}** agree on **{shared.value:.0%}**{ends} "
            f"of an image's nearest; by chance it would be {pair['chance']:.0%}. Where they do not "
            "agree, one of them is wrong: see *Side by side*."
        )
    if not said["agreement"] and len(encoders_of(view)) < 2:
        another(view)
    elif not said["agreement"]:
        st.markdown(":material/compare_arrows: With a second encoder it could be said how far the "
                    "two agree on what is alike.")  # fmt: skip
    for one in said["clusterings"]:
        name = state.as_text(called(one["encoder"]))
        if one["stability"] is None and one.get("verdict_sentence") is None:
            st.markdown(f":material/bubble_chart: **{name}**: no clustering was made yet.")
            continue
        told = one.get("verdict_sentence") or "how steady it is was not measured"
        noise = one.get("noise_share")
        aside = "" if noise is None else f", {noise:.0%} of the images in none"
        st.markdown(
            f":material/bubble_chart: **{name}**: {one['clusters']:,} clusters{aside}. "
            f"{state.as_text(told)}"
        )
    copies = said["copies"]
    st.markdown(
        f":material/content_copy: **{copies:,}** of {n:,} images are copies of others"
        + "".join(
            f"; {count:,} have one nearly the same as {state.as_text(called(name))} sees it"
            for name, count in said["nearly_same"].items()
        )
        + "."
    )


def first_estimate(view: View, *, labelled: int = 0, primary: bool = False) -> None:
    """A button that chooses images to label, and leads to where they are labelled."""
    from core.evaluation.first_labels import FIRST, first_labels

    left = len(view.snapshot) - labelled
    if left <= 0:
        return
    with st.container(border=True, key="first-estimate"):
        st.markdown(f"**Label {min(FIRST, left)} well-chosen images for "
                    f"{'a better' if labelled else 'a first'} estimate**")  # fmt: skip
        st.write(
            "They are the middles of groups of like images, so together they show most of what "
            "there is. Typical images are the easier ones: expect figures somewhat lower on all."
        )
        pressed = st.button(
            f"Choose {min(FIRST, left)} images to label", icon=":material/label:",
            type="primary" if primary else "secondary", key="first estimate",
            disabled=state.settings().read_only,
        )  # fmt: skip
        if not pressed:
            return
        lib, uid = state.library(), view.collection.uid
        try:
            with st.spinner("Choosing images"):
                ids = first_labels(lib, view, seed=0)
            mark = sets.mark(lib, uid, ids)
        except CoreError as error:
            state.say(error)
            return
    st.switch_page("views/label.py", query_params={
        "collection": view.collection.name, "encoder": view.encoding.encoder, "these": mark,
    })  # fmt: skip


def nothing_to_measure(view: View) -> None:
    """There is neither a label nor an evaluation: say what can be done about it."""
    names = encoders_of(view)
    st.subheader("No labels yet, so nothing to measure against")
    st.write(
        "This page says what an encoder is worth on your images: whether its neighbours are of the "
        "same kind, how right proposed labels would be, and what labelling more would bring. For "
        "that some images need a validated label."
    )
    if not state.settings().read_only and foldered(view):
        offer_folder_names(view, who(width=220))
    left, right = st.columns(2, gap="large")
    with left:
        first_estimate(view, primary=True)
    with right, st.container(border=True, key="unlabelled-now"):
        st.markdown("**See what can be said without labels**")
        st.write(
            "How far encoders agree on what is alike, how steady clusters are, how many images are "
            "copies."
        )
        pressed = st.button(
            "Look now", icon=":material/leaderboard:", key="unlabelled go",
            disabled=state.settings().read_only or bool(st.session_state.get("working")),
        )  # fmt: skip
        if pressed:
            begin(view, list(dict.fromkeys([view.encoding.encoder, *names]))[:MOST])
    if len(names) < 2:
        another(view)
