"""Label: one screen of images that should all be one kind, accepted at once."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from dashboard import state
from dashboard.parts import empty, rounds
from dashboard.parts.deciding import concluded_from, decide
from dashboard.parts.growing import grow_page
from dashboard.parts.labelling import who
from dashboard.parts.naming import WHAT, name_box

STRATEGIES = {
    "sure": ("Sure first", "Large groups the suggestions are sure of: most images a minute."),
    "borderline": ("Borderline", "Images whose label settles most of those around them."),
    "new": ("New kinds", "Images unlike anything labelled, grouped by likeness."),
}
SIZES = (12, 24, 36, 60)

view = empty.opened()
uid = view.collection.uid
if state.settings().read_only:
    st.subheader("Labelling is switched off")
    st.write("This dashboard only shows. Run it on your own machine to label.")
    st.stop()


def practise(text: str, icon: str) -> None:
    """Offer a round whose answers are known."""
    if st.button(text, icon=icon, type="primary"):
        rounds.begin(view, practice=True)
        st.rerun()


def finished(current: rounds.Held) -> None:
    """Nothing is left: how it went, and what next."""
    account = current.round.account()
    if account.right is not None:
        st.subheader("The practice round is done")
        share = account.right / account.decided if account.decided else 0
        left, middle, right = st.columns(3)
        left.metric(
            "Right", f"{share:.0%}", help="Your answers against the labels that were hidden."
        )
        middle.metric("Images", f"{account.decided:,}")
        right.metric("Actions an image", f"{account.actions / max(account.decided, 1):.2f}")
        st.caption("Nothing of it was kept. One image after the other would be 1.00.")
        practise("Practise again", ":material/replay:")
        return
    st.subheader("Every image has a label")
    if account.decided:
        st.markdown(rounds.account_text(account))
    st.write(
        "Look at them on Composition, or practise: a round hides the labels and scores you at "
        "the end, without keeping anything."
    )
    practise("Practise", ":material/school:")


digest = st.query_params.get("grow")
if digest:
    with st.sidebar:
        size = st.selectbox("On a screen", SIZES, index=1, key="label size")
    grow_page(view, digest, size)
    st.stop()
current = rounds.held(view) or rounds.begin(view)
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    strategy = st.segmented_control(
        "Show me", list(STRATEGIES), format_func=lambda s: STRATEGIES[s][0], default="sure",
        required=True, key="label strategy", help="  \n".join(
            f"**{name}**: {text}" for name, text in STRATEGIES.values()
        ),
    )  # fmt: skip
    size = st.selectbox("On a screen", SIZES, index=1, key="label size", width=110)
    by = "practice" if current.round.practice else who(width=220)
    if current.round.practice and st.button("End practice", icon=":material/close:"):
        rounds.end(view)
        st.rerun()
try:
    screen = rounds.screen(view, current, strategy or "sure", size)
except CoreError as error:
    state.say(error)
    st.stop()
rounds.say_conflicts()
if not screen.ids:
    finished(current)
    st.stop()

st.caption(
    ("Practice: labels are hidden, nothing is kept. " if current.round.practice else "")
    + rounds.account_text(current.round.account())
)
name = screen.label or name_box(
    WHAT, current.round.vocabulary, key=f"label name {current.number}", width=420
)
concluded_from(uid, current, screen)
decide(uid, current, screen, name=name, by=by)
with st.expander("How far to trust these suggestions", icon=":material/insights:"):
    suggestions = current.round.suggestions
    st.caption(f"Learned from {suggestions.labelled:,} labels.")
    rounds.diagram(suggestions.reliability, suggestions.why.get("confidence", ""))
