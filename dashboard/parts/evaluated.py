"""What a group lead reads first: what each encoder is good for, and on what that was measured."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.evaluation.best import best
from core.evaluation.storing import Evaluation
from dashboard import state
from dashboard.parts.encodernames import called, colours, heading

BROWSE = {
    "good": ("good to browse", "green"),
    "patience": ("browse with patience", "orange"),
    "no": ("not to browse", "red"),
    "unknown": ("browsing: not known", "gray"),
}
LABEL = {
    "bulk": ("labels in bulk", "green"),
    "check": ("labels after a look", "orange"),
    "no": ("check every label", "red"),
    "unknown": ("labelling: not known", "gray"),
}
FEW = 0.5
"""Where a perfect encoder gets less than this of the 24 nearest, figures are a first guess."""
RULES = """
**Browsing** (are neighbours of the same kind?), by how far the share of the 24 nearest that are of
an image's kind is on the way from chance to what a perfect encoder gets, at the lower end of its
interval: *good* from 0.25; *with patience* from 0.1; *not* below, or where sorting by size alone
does as well.

**Labelling** (can proposed labels be accepted?), by the better accuracy of nearest neighbours and
classifier, at the lower end of its interval: *in bulk*, with spot checks, from 0.95; *after a look*
at every screen from 0.8; *check every label* below.

**What labelling brings** is told from the measured curve; more than was measured only where the
largest point measured could be predicted from the others.
"""


def verdicts(found: Evaluation) -> None:
    """Which to take, then a card an encoder."""
    meta = found.meta
    for each in best(meta):
        icon = ":material/check_circle:" if not each.rivals else ":material/balance:"
        st.markdown(f"{icon} **{state.as_text(_readable(each.sentence, found))}**")
    paint = colours(found.encoders)
    grid = st.grid(min_column_width=320, border=True, gap="small")
    for row in meta["encoders"]:
        with grid, st.container(key=f"verdict {row['encoder']}", gap="xsmall"):
            _card(row, paint[row["encoder"]])


def _readable(sentence: str, found: Evaluation) -> str:
    for name in sorted(found.encoders, key=len, reverse=True):
        if called(name) != name:
            sentence = sentence.replace(name, f"“{called(name)}”")
    return sentence


def _card(row: dict[str, Any], colour: str) -> None:
    verdict = row["verdict"]
    st.html(
        f'<b><i style="display:inline-block;width:.75rem;height:.75rem;border-radius:50%;'
        f'margin-right:.45rem;background:{colour}"></i>{heading(row["encoder"])}</b>'
    )
    with st.container(horizontal=True, gap="small"):
        for words, said in ((BROWSE, verdict["browse"]), (LABEL, verdict["label"])):
            text, tone = words[said]
            st.badge(text, color=tone)  # type: ignore[arg-type]
    st.markdown(state.as_text(verdict["sentence"]))


def measured_on(found: Evaluation) -> None:
    """How many images of how many kinds, what intervals are of, how verdicts come about."""
    meta = found.meta
    n, kinds = meta["images"], meta["classes"]
    covered = f" of {meta['of']:,} that all these encoders have seen" if meta["of"] != n else ""
    by = (
        f"whole samples ({meta['samples']:,}) are drawn again and again: they hold for new samples"
        if meta["intervals_by"] == "sample"
        else "images are drawn again and again"
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"Measured on **{n:,} images** with a validated label{covered}, of **{kinds} "
            f"kind{'' if kinds == 1 else 's'}**, leaving each image out of its own answer. "
            f"Intervals hold 95 %; for them {by}.",
            width="stretch",
        )
        with st.popover("How verdicts come about", icon=":material/gavel:", type="tertiary"):
            st.markdown(RULES)
    best_of_24 = meta["ceiling"].get("precision_at_24")
    if best_of_24 is not None and best_of_24 < FEW:
        st.caption(
            ":material/warning: A first guess: there are so few images of each kind that even a "
            f"perfect encoder would find {best_of_24 * 24:.1f} of 24. Label more of each kind "
            "before deciding anything by it."
        )
    for note in meta["notes"]:
        st.caption(f":material/info: {state.as_text(note[:1].upper() + note[1:])}.")
