"""Which clustering a page is about, how to make another, and how far to trust one."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core import analysis, trust_words
from core.clustering import DEFAULT_METHOD, FINENESS, METHODS
from core.library import View
from core.trust_words import Told
from dashboard import state
from dashboard.parts.empty import start

NAME = "clustering"
WORDS = dict(
    zip(FINENESS, ("much coarser", "coarser", "as usual", "finer", "much finer"), strict=True)
)
VERDICTS = {
    "trust": (":material/verified:", "green"),
    "partly": (":material/rule:", "orange"),
    "nothing": (":material/gpp_bad:", "red"),
    "unknown": (":material/help:", "gray"),
}
NO_OTHER = "none"


def choose(view: View) -> str | None:
    """The clustering chosen in the sidebar, the newest at first; None while there is none."""
    names = [made["name"] for made in analysis.clusterings(state.library(), view)]
    if not names:
        return None
    with st.sidebar:
        key = state.linked(NAME, names, names[0])
        chosen: str = st.selectbox(
            "Clustering", names, key=key, on_change=state.follow, args=(NAME, key),
            kwargs={"also": ("cluster", "band", "shown")},
            help="Groups found without labels; several can be kept side by side.",
        )  # fmt: skip
    return chosen


def make(view: View) -> None:
    """A form for a new clustering, opened by a button; it starts a job."""
    locked = state.settings().read_only
    with st.popover("New clustering", icon=":material/add:", disabled=locked):
        names = list(METHODS)
        method: str = st.radio(
            "How", names, index=names.index(DEFAULT_METHOD), key="new_method",
            format_func=lambda name: METHODS[name].title,
            captions=[METHODS[name].plain for name in names],
        )  # fmt: skip
        fineness: int = st.select_slider(
            "Coarser or finer", list(FINENESS), 0, format_func=WORDS.__getitem__,
            key="new_fineness",
            help="A step finer gives about twice as many groups, a step coarser half as many.",
        )  # fmt: skip
        taken = {made["name"] for made in analysis.clusterings(state.library(), view)}
        name: str = st.text_input(
            "Name", free_name(method, fineness, taken), max_chars=80,
            key=f"new_name {method} {fineness}",
        ).strip()  # fmt: skip
        if name in taken:
            st.caption(f":material/warning: It takes the place of “{state.as_text(name)}”.")
        st.caption(
            "How far it can be trusted is measured at once, by clustering again without some of "
            "the images: a minute or so for a few thousand images, several for 100,000."
        )
        if st.button(
            "Find groups", icon=":material/bubble_chart:", type="primary",
            disabled=locked or not name or bool(st.session_state.get("working")),
        ):  # fmt: skip
            start(arguments(view, method, fineness, name), f"Cluster {view.collection.name}")


def arguments(view: View, method: str, fineness: int, name: str) -> list[str]:
    """The command that makes a clustering."""
    return [
        "cluster", "--collection", view.collection.name, "--encoder", view.encoding.encoder,
        "--method", method, f"--fineness={fineness}", f"--name={name}",
    ]  # fmt: skip


def free_name(method: str, fineness: int, taken: set[str]) -> str:
    """A name that says what was asked for and takes no other's place.

    Examples
    --------
    >>> free_name("kmeans", 1, set()), free_name("kmeans", 0, {"kmeans", "kmeans 2"})
    ('kmeans finer', 'kmeans 3')
    """
    plain = f"{method} {WORDS[fineness]}" if fineness else method
    if plain not in taken:
        return plain
    number = 2
    while f"{plain} {number}" in taken:
        number += 1
    return f"{plain} {number}"


def trust(view: View, name: str) -> None:
    """How far a clustering can be trusted: the verdict, then each figure with what it means."""
    lib = state.library()
    every = {made["name"]: made for made in analysis.clusterings(lib, view)}
    if name not in every:
        return
    meta = every[name]
    word, sentence = trust_words.verdict_words(meta)
    icon, colour = VERDICTS[word]
    with st.container(border=True, key="trust"):
        st.markdown(f":{colour}[{icon}] **{state.as_text(sentence)}**")
        _rows(trust_words.figures(meta))
        for note in _notes(meta):
            st.caption(f":material/info: {state.as_text(note)}")
        found = analysis.against_labels(lib, view, name)
        if told := trust_words.labels_told(found):
            _rows(told)
        others = [other for other in every if other != name]
        if others:
            _compare(view, name, others)


@st.fragment
def _compare(view: View, name: str, others: list[str]) -> None:
    """Agreement with another clustering, chosen here."""
    other: str = st.selectbox(
        "Compare with", [NO_OTHER, *others], key=f"compare {name}",
        format_func=lambda each: "no other clustering" if each == NO_OTHER else each,
    )  # fmt: skip
    if other in others:
        found = analysis.compared(state.library(), view, name, other)
        _rows([trust_words.agreement_told(found, other)])


def _rows(told: list[Told]) -> None:
    for each in told:
        st.markdown(
            f"**{each.title}** {state.as_text(each.value)}  \n"
            f":gray[:small[{state.as_text(each.sentence)}]]"
        )


def _notes(meta: dict[str, Any]) -> list[str]:
    """Wishes that could not be met, and that only a sample was clustered."""
    why = meta.get("why") or {}
    return [f"{why[about]}." for about in ("k", "fineness", "clusters", "sample") if about in why]
