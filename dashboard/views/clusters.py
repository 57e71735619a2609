"""Clusters: what kinds of things are in here, and can one believe it?"""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError, NotFoundError
from core.trust_words import verdict_words
from dashboard import state
from dashboard.parts import cluster_cards, cluster_edits, cluster_open, clusterings, empty

view = empty.opened()
name = clusterings.choose(view)
cluster_edits.said()
if name is None:
    st.subheader("No clusters yet")
    st.write("Find groups of images that are alike, without labels.")
    clusterings.make(view)
    st.stop()
with st.sidebar:
    clusterings.make(view)
try:
    with st.spinner("Looking at each cluster ..."):
        found = state.grouping(view, name)
except CoreError as error:
    state.say(error)
    st.stop()
cluster_edits.history(view, found)
asked = st.query_params.get("cluster")
group = None
if asked is not None:
    try:
        number = int(asked) if asked.removeprefix("-").isdecimal() and len(asked) < 10 else -2
        group = found.group(number)
    except NotFoundError as error:
        state.set_link(cluster=None)
        state.say(error)
if group is None:
    word, sentence = verdict_words(found.meta)
    verdict = st.popover(
        state.as_text(sentence), icon=clusterings.VERDICTS[word][0], type="tertiary",
        key=f"verdict {name}", on_change="rerun", help="Each figure, and what it means here.",
    )  # fmt: skip
    if verdict.open:  # its figures load sklearn
        with verdict:
            clusterings.trust(view, name)
    cluster_cards.cards(view, found)
else:
    cluster_open.opened(view, found, group)
