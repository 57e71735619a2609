"""Evaluate: what is this encoder worth on our images?"""

from __future__ import annotations

import streamlit as st

from core import labels
from core.errors import CoreError
from core.evaluation.storing import listed
from dashboard import state
from dashboard.parts import empty, evaluations
from dashboard.parts.evaluated import measured_on, verdicts
from dashboard.parts.evaluated_cost import costs, keep
from dashboard.parts.evaluated_curves import curves
from dashboard.parts.evaluated_figures import figures
from dashboard.parts.evaluated_kinds import kinds
from dashboard.parts.evaluated_pair import pair
from dashboard.parts.evaluated_robust import robustness
from dashboard.parts.evaluated_unlabelled import (
    first_estimate,
    nothing_to_measure,
    without_labels,
)

PARTS = {
    "figures": "Verdict and figures",
    "kinds": "Kinds",
    "side": "Side by side",
    "cost": "Robustness and cost",
    "unlabelled": "Without labels",
}

view = empty.opened()
lib, uid = state.library(), view.collection.uid
metas = listed(lib.workspace, uid)
if not metas and not any(
    said.label and said.status == "validated"
    for said in labels.current(lib.catalogue, uid).values()
):
    if not st.session_state.get("working"):
        nothing_to_measure(view)
    st.stop()
if not metas:
    st.subheader("Not evaluated yet")
    if not st.session_state.get("working"):
        st.write(
            "Whether neighbours are of the same kind, how right proposed labels would be, which "
            "kinds cannot be told apart, and what labelling more would bring: measured on the "
            "labels there are, with error bars."
        )
        with st.container(border=True, key="new-evaluation", width=620):
            evaluations.form(view)
    st.stop()
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    name = evaluations.choose(uid, metas)
    evaluations.make(view)
    try:
        found = state.evaluation(uid, name)
    except CoreError as error:
        state.say(error)
        st.stop()

    def report() -> bytes:
        from core.evaluation.report import report_html

        return report_html(lib, uid, found).encode("utf-8", "backslashreplace")

    st.download_button(
        "Report", report, f"{view.collection.name}-encoders.html", "text/html",
        icon=":material/description:", on_click="ignore",
        help="One page to hand around: figures, pictures, and how to repeat it. Opens anywhere, "
        "without a network.",
    )  # fmt: skip
evaluations.warn_outdated(view, found.meta)
labelled = bool(len(found.codes)) and found.meta["classes"] > 1
parts = list(PARTS) if labelled else ["unlabelled", "side", "cost"]
key = state.linked("part", parts, parts[0])
part = st.segmented_control(
    "Look at", parts, format_func=PARTS.get, key=key, required=True,
    label_visibility="collapsed", on_change=state.follow, args=("part", key),
)  # fmt: skip
if part == "figures":
    verdicts(found)
    measured_on(found)
    figures(found)
    curves(found)
elif part == "kinds":
    kinds(view, found)
elif part == "side":
    pair(view, found)
elif part == "cost":
    robustness(view, found)
    costs(found)
    keep(view, found)
else:
    if not labelled:
        verdicts(found)
    without_labels(view, found)
    first_estimate(view, labelled=found.meta["labelled"], primary=not labelled)
