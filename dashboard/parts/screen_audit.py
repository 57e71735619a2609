"""Looking at what a filter drops: a random sample on a screen, and what it says of the promise."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import screen_answers
from core.errors import CoreError
from core.library import View
from core.screen import Screen
from core.screen_answers import Answers
from core.screen_audit import SEED, Audited, audited
from core.screen_telling import goal, percent
from core.screen_views import folder_name
from dashboard import state
from dashboard.parts import selecting
from dashboard.parts.sorting import Words, sorting
from dashboard.parts.tiles import image_tile

ON_A_SCREEN = 24
WORDS = Words(
    accept="{n} rightly dropped",
    back="keep",
    backed="keep",
    backHint="It should have been kept",
    how="A click or 0 marks an image that should have been kept, Enter calls the rest rightly "
    "dropped, S leaves the screen out where nobody can say, U takes back the last screen",
)
BADGES = {
    "yes": (":green-badge[:material/verified: holds]", "is kept there"),
    "no": (":red-badge[:material/heart_broken: broken]", "is not kept there"),
    "doubt": (":orange-badge[:material/rule: in doubt]", "may or may not be kept there"),
}


def audit(view: View, at: Screen, name: str) -> None:
    """A screen of dropped images to look at, and the estimate so far.

    Parameters
    ----------
    name : str
        What the filter is called, for the command that does the same elsewhere.
    """
    st.markdown("#### Look again at what it drops")
    _here(view, at)
    if not at.reads_pictures:
        return
    st.caption(
        "For images that are not in this collection: `screen apply` writes a decision for each, "
        "and this draws dropped ones onto a sheet, reckons from your answers what is really lost, "
        "and warns when new images drift from those the filter was trained on. Repeat it for more."
    )
    st.code(
        f"python -m core screen audit decisions.csv --to audit --draw 100 --filter "
        f"{folder_name(name)}",
        language="bash",
        wrap_lines=True,
    )


@st.fragment
def _here(view: View, at: Screen) -> None:
    try:
        kept, visit = _answered(view, at)
        answers = screen_answers.merged([*kept, *visit])
        now = audited(at, answers, seed=SEED)
        if not now.dropped:
            st.caption(_nothing(at))
            return
        lasting = not state.settings().read_only
        _said(at, now, lasting=lasting)
        _lost(view, [id for id, answer in answers.items() if answer])
        undoable = bool(kept if lasting else visit)
        given = _asked(view, now.ahead[:ON_A_SCREEN], undoable=undoable)
        if given is None:
            return
        where = state.library().workspace, *_training(view, at)
        if given and lasting:
            screen_answers.add(*where, given)
        elif given:
            visit.append(given)
        elif lasting:
            screen_answers.take_back(*where)
        else:
            visit.pop()
    except CoreError as error:
        state.say(error)
        return
    st.rerun(scope="fragment")


def _asked(view: View, ids: Sequence[str], *, undoable: bool) -> Answers | None:
    """What was just answered about a screen of images; nothing in it takes the last one back."""
    images = state.library().catalogue.images(view.collection.uid, ids)
    if not images:
        st.info(
            "All images that it drops here have been looked at.", icon=":material/check:"
        )  # fmt: skip
    said = sorting(
        [image_tile(view.collection.uid, image, lines=[]) for image in images],
        key="screen audit", revision=f"{view.collection.uid} {[image.id for image in images]}",
        kind="rightly dropped", answers=[[] for _ in images], undoable=undoable,
        words=WORDS, label="Dropped images",
    )  # fmt: skip
    if said is None or (said.kind == "undo" and not undoable):
        return None
    if said.kind == "undo":
        return {}
    if said.kind == "accept":
        return {image.id: row in said.given for row, image in enumerate(images)} or None
    return dict.fromkeys(image.id for image in images) or None


def _training(view: View, at: Screen) -> tuple[str, str]:
    """What answers belong to: another training knows other labels."""
    return view.collection.uid, at.training["fingerprint"]


def _answered(view: View, at: Screen) -> tuple[list[Answers], list[Answers]]:
    """Screens kept in the workspace, and those of this visit."""
    mine = _training(view, at)
    held = st.session_state.get("screen audited")
    if held is None or held[0] != mine:
        held = (mine, [])
        st.session_state["screen audited"] = held
    visit: list[Answers] = held[1]
    return screen_answers.kept(state.library().workspace, *mine), visit


def _nothing(at: Screen) -> str:
    if not (at.screened.truth < 0).any():
        return (
            "Every image here has a label, so what is lost of them stands above. An audit takes "
            "images that nobody has labelled: new ones of another day, say."
        )
    return "Of the images without a label nothing would be dropped at this threshold."


def _said(at: Screen, now: Audited, *, lasting: bool) -> None:
    kept = "also for the next visit," if lasting else "for this visit"
    st.caption(
        f"{now.dropped:,} images without a label would be dropped; figures above speak of labelled "
        "ones. Look at some of these, drawn at random, and **click what should have been kept**. "
        f"Scores are not shown: who sees them agrees with them. Answers are kept {kept} and "
        "are no labels: labels of dropped images only would bend what is promised."
    )
    if now.lost is None:
        return
    n, of = now.lost.looked_at, now.lost.dropped
    low, high = now.lost.low, now.lost.high
    text = (
        f"Of **{n:,}** looked at **{now.wanted:,}** should have been kept: "
        f"{percent(now.lost.share)} (95 %: {percent(low)} to {percent(high)}), "
        f"so **{now.lost.share * of:,.0f}** ({low * of:,.0f} to {high * of:,.0f}) of all {of:,}."
    )
    if now.unsure:
        text += f" {now.unsure:,} were left out; they may be the doubtful ones."
    holds = now.holds(at.target)
    if holds is not None and now.recall is not None:
        badge, words = BADGES[holds]
        value, least, most = now.recall
        text = (
            f"{badge} &nbsp;**At least {goal(at.target)} of the plankton {words}**: about "
            f"{percent(value)} ({percent(least)} to {percent(most)}), scores of kept images taken "
            f"at their word.  \n{text}"
        )
    with st.container(border=True, key="screen audit said"):
        st.markdown(text)


def _lost(view: View, ids: Sequence[str]) -> None:
    if ids and st.button(
        f"Select the {len(ids):,} lost one{'' if len(ids) == 1 else 's'}",
        icon=":material/library_add_check:", key="screen audit select",
        help="To look at them together, to label them or to take them away on the page Selection.",
    ):  # fmt: skip
        selecting.put(view.collection.uid, ids)
        st.toast(f"{len(ids):,} selected.", icon=":material/library_add_check:")
        st.rerun()
