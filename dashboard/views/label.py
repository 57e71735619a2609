"""Label: one screen of images that should all be one kind, accepted at once."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import CoreError
from dashboard import state
from dashboard.parts import empty, rounds
from dashboard.parts.labelling import say_undone, who
from dashboard.parts.sorting import MOST, sorting
from dashboard.parts.tiles import image_tile

STRATEGIES = {
    "sure": ("Sure first", "Large groups the suggestions are sure of: most images a minute."),
    "borderline": ("Borderline", "Images whose label settles most of those around them."),
    "new": ("New kinds", "Images unlike anything labelled, grouped by likeness."),
}
SIZES = (12, 24, 36, 60)

view = empty.opened()
lib, collection = state.library(), view.collection
uid = collection.uid
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
account = current.round.account()
if said := st.session_state.pop("conflicts", None):
    st.warning(said, icon=":material/group:")
if not screen.ids:
    finished(current)
    st.stop()

st.caption(
    ("Practice: labels are hidden, nothing is kept. " if current.round.practice else "")
    + rounds.account_text(account)
)
name = screen.label
if name is None:
    name = st.selectbox(
        "What are they? Choose a label or type a new one", current.round.vocabulary, index=None,
        key=f"label name {current.number}", accept_new_options=True, width=420,
        placeholder="such as Copepod",
    )  # fmt: skip
    name = name.strip() if name else None
st.markdown(f"#### {state.as_text(name) if name else 'One kind?'}")
st.caption(state.as_text(screen.why))
tiles = [
    image_tile(uid, image, lines=[] if sure is None else [f"{sure:.0%} {name or ''}"])
    for image, sure in zip(current.images, screen.confidence, strict=True)
]
if current.round.practice:  # a card would tell the label
    tiles = [replace(tile, about=None) for tile in tiles]
missing = None if name and by else "Say what they are" if by else "Say your name first"
decided = sorting(
    tiles,
    key="label screen",
    revision=f"{collection.uid} {current.number} {name}",
    kind=name or "one kind",
    answers=[current.round.answers(screen, place, MOST) for place in range(len(tiles))],
    undoable=current.round.undoable and bool(by),
    missing=missing,
    label="One kind",
)
if decided is not None:
    try:
        if decided.kind == "undo":
            say_undone(current.round.undo(by=by))
        elif decided.kind == "skip":
            current.round.skip(screen)
        elif name and by:
            given = {screen.ids[row]: label for row, label in decided.given.items()}
            rounds.say_taken(current.round.accept(screen, name, given, by=by))
    except CoreError as error:
        state.say(error)
        st.stop()
    current.screen = None
    st.rerun()

with st.expander("How far to trust these suggestions", icon=":material/insights:"):
    suggestions = current.round.suggestions
    st.caption(f"Learned from {suggestions.labelled:,} labels.")
    rounds.diagram(suggestions.reliability, suggestions.why.get("confidence", ""))
