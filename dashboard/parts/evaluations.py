"""Which evaluation a page is about, how to make one, and whether it still holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import streamlit as st

from core.encoders import KNOWN, describe
from core.errors import CoreError
from core.evaluation.storing import PREFIX, Evaluation, outdated
from core.library import View
from dashboard import state
from dashboard.parts.adding import check_encoder
from dashboard.parts.empty import start

NAME = "evaluation"
WITHIN = ("part", "ref", "look", "way", "kind", "taken", "first", "second", "query")
"""What of a link means something within one evaluation only."""
MOST = 4
"""Encoders compared at once: more cannot be told apart in a plot."""


def encoders_of(view: View) -> list[str]:
    """Every encoder the collection has vectors of."""
    return [e.encoder for e in state.library().catalogue.encodings(view.collection.uid)]


def choose(uid: str, metas: Sequence[dict[str, Any]]) -> str:
    """The stored evaluation that is shown: the newest, or another one chosen here."""
    by_name = {str(meta["name"]): meta for meta in metas}
    newest = f"{uid} {metas[0]['at']}"
    key = f"link_{NAME}"
    if st.session_state.get("evaluation newest") not in (None, newest):  # made since: show it
        st.session_state.pop(key, None)
        state.set_link(**dict.fromkeys((NAME, *WITHIN[1:])))
    st.session_state["evaluation newest"] = newest
    names = list(by_name)
    key = state.linked(NAME, names, names[0])
    chosen: str = st.selectbox(
        "Encoders compared", names, key=key, width=560,
        format_func=lambda name: f"{named(by_name[name])} · {_when(by_name[name])}",
        on_change=state.follow, args=(NAME, key), kwargs={"also": WITHIN},
    )  # fmt: skip
    return chosen


def named(meta: dict[str, Any]) -> str:
    """The encoders of an evaluation, with a word on those joined."""
    names = list(meta["covers"])
    side = len(meta["encoders"]) > len(names)
    return " against ".join(names) + (
        " and all joined" if side and len(names) > 2 else " and both joined" if side else ""
    )


def _when(meta: dict[str, Any]) -> str:
    return str(meta["at"])[:16].replace("T", " ") + " UTC"


def make(view: View, *, text: str = "New evaluation", primary: bool = False) -> None:
    """A form for an evaluation, opened by a button; it starts a job."""
    locked = state.settings().read_only
    with st.popover(text, icon=":material/add:", disabled=locked,
                    type="primary" if primary else "secondary"):  # fmt: skip
        form(view)


def form(view: View) -> None:
    """Which encoders, and what of them; starts a job."""
    names = encoders_of(view)
    default = list(dict.fromkeys([view.encoding.encoder, *names]))[:2]
    chosen: list[str] = st.multiselect(
        "Encoders", names, default, max_selections=MOST, key=f"new evaluation {names}",
    )  # fmt: skip
    if len(names) < 2:
        another(view, key="form")
    plain = [name for name in chosen if not name.startswith(PREFIX)]
    join = st.checkbox(
        "Also joined", key="new evaluation join", disabled=len(plain) < 2,
        help="Their vectors one after the other, each weighing the same, as one more encoder: "
        "often better than each alone.",
    )  # fmt: skip
    robust = st.checkbox(
        "How robust, how fast", key="new evaluation robust",
        help="Encodes 200 pictures anew, turned, lit and cut otherwise. Takes a minute or more "
        "per encoder, and needs the image files.",
    )  # fmt: skip
    st.caption("Some seconds per 1,000 images and encoder, up to about a minute for 10,000.")
    if st.button(
        "Evaluate", icon=":material/leaderboard:", type="primary", key="new evaluation go",
        disabled=not chosen or bool(st.session_state.get("working")),
    ):  # fmt: skip
        begin(view, plain if join and len(plain) > 1 else chosen, join=join and len(plain) > 1,
              robust=robust)  # fmt: skip


def begin(view: View, encoders: Sequence[str], *, join: bool = False, robust: bool = False,
          keep: bool = False) -> NoReturn:  # fmt: skip
    """Start the job that evaluates."""
    arguments = ["evaluate", "--collection", view.collection.name]
    for name in encoders:
        arguments += ["--encoder", name]
    arguments += ["--keep-joined"] if keep else ["--joined"] if join else []
    arguments += ["--robustness"] if robust else []
    start(arguments, f"Evaluate {' and '.join(encoders)}")


def another(view: View, *, key: str = "here") -> None:
    """Only one encoder: how the collection comes to a second one."""
    with st.container(border=True, key=f"another-encoder-{key}"):
        st.markdown(":material/info: **Only one encoder here: nothing to compare it with.**")
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            there = set(encoders_of(view))
            encoder = st.selectbox(
                "Encode the same images with", [name for name in KNOWN if name not in there],
                accept_new_options=True, key=f"another encoder {key}", width=420,
            )  # fmt: skip
            pressed = st.button(
                "Encode them", icon=":material/play_arrow:", key=f"another go {key}",
                disabled=not encoder or state.settings().read_only
                or bool(st.session_state.get("working")),
            )  # fmt: skip
        if encoder in KNOWN:
            card = describe(encoder)
            size = f" · downloads {card.download_mb:,.0f} MB once" if card.download_mb else ""
            st.caption(f"{state.as_text(card.about)}{size}")
        st.caption("Labels stay. Then the two are compared here, image by image.")
    if not pressed:
        return
    try:
        check_encoder(str(encoder))
    except CoreError as error:
        state.say(error)
        return
    name = view.collection.name
    start(["index", "--collection", name, "--encoder", str(encoder), "--map"],
          f"Encode {name} with {encoder}")  # fmt: skip


def warn_outdated(view: View, meta: dict[str, Any]) -> None:
    """Say what changed since, and offer to evaluate again."""
    changed = outdated(state.library(), view.collection.uid, meta)
    if not changed:
        return
    said = "; ".join(changed)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":orange[:material/update:] Since it was made: {state.as_text(said)}.",
                    width="stretch")  # fmt: skip
        there = [name for name in meta["covers"] if name in encoders_of(view)]
        pressed = st.button(
            "Evaluate again", icon=":material/refresh:", key="evaluate again",
            disabled=state.settings().read_only or not there
            or bool(st.session_state.get("working")),
        )  # fmt: skip
    if pressed:
        begin(view, there, join=len(meta["encoders"]) > len(meta["covers"]) and len(there) > 1,
              robust=any("robustness" in row for row in meta["encoders"]))  # fmt: skip


def joined(found: Evaluation) -> str | None:
    """The row of encoders side by side that this evaluation made."""
    new = [name for name in found.encoders if name not in found.meta["covers"]]
    return new[0] if new else None
