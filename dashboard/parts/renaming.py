"""The names a collection's labels go by: rename one, make one of several; the history stays."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from core import labels, vocabulary
from core.errors import CoreError
from core.library import View
from dashboard import state
from dashboard.parts.labelling import say_undone
from dashboard.parts.naming import name_box


def renaming(view: View, *, by: str) -> None:
    """A table of names, and a form that gives some of them another."""
    lib, uid = state.library(), view.collection.uid
    used = vocabulary.names(lib.catalogue, uid)
    if not used:
        st.info("No image has a label yet.", icon=":material/label_off:")
        return
    counts = {each.name: each.images for each in used}
    names = sorted(counts)
    _last(uid)
    _alike(names)
    if not state.settings().read_only:
        _form(uid, counts, by=by)
    st.dataframe(
        [
            {"Label": each["name"], "Images": each["images"], "Validated": each["validated"]}
            for each in map(asdict, used)
        ],
        hide_index=True, width=560,
    )  # fmt: skip


def _form(uid: str, counts: dict[str, int], *, by: str) -> None:
    names = sorted(counts)
    left, right = st.columns(2, gap="medium")
    with left:
        old = st.multiselect(
            "These labels", names, key="names old", placeholder="one to rename, several to merge",
            format_func=lambda name: f"{name} ({counts[name]:,})",
        )  # fmt: skip
    with right:
        new = name_box("are to be called", names, key="names new",
                       placeholder="a new name, or one in use")  # fmt: skip
    others = [name for name in old if name != new]
    n = sum(counts[name] for name in others)
    merging = len(others) > 1 or new in counts
    missing = (
        "Choose one label or more." if not others
        else "Say what they are to be called." if not new
        else "Say your name first." if not by
        else None
    )  # fmt: skip
    what = "Merge" if merging else "Rename"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        go = st.button(
            f"{what} {n:,} image{'' if n == 1 else 's'}", type="primary", key="names go",
            disabled=missing is not None, help=missing,
        )  # fmt: skip
        st.caption(
            state.as_text(
                f"{', '.join(others)} become{'s' if len(others) == 1 else ''} {new}." if merging
                and others and new else
                "Every image keeps its history under the old name, and it can be taken back."
            ),
            width="stretch",
        )  # fmt: skip
    if go and new:
        _rename(uid, others, new, merging=merging, by=by)


def _alike(names: list[str]) -> None:
    """Names in use that may be one, written in two ways."""
    pairs = {
        tuple(sorted((name, other)))
        for name in names
        for other in vocabulary.close_to(name, [each for each in names if each != name])
    }
    if pairs:
        told = "; ".join(f"{a} and {b}" for a, b in sorted(pairs)[:6])
        st.info(f"Much alike: {state.as_text(told)}.", icon=":material/spellcheck:")


def _rename(uid: str, old: list[str], new: str, *, merging: bool, by: str) -> None:
    catalogue = state.library().catalogue
    try:
        if merging:
            done = vocabulary.merge(catalogue, uid, old, new, by=by)
        else:
            done = vocabulary.rename(catalogue, uid, old[0], new, by=by)
    except CoreError as error:
        state.say(error)
        return
    st.session_state.renamed = (uid, done.action, done.images, new, by)
    for key in ("names old", "names new"):
        del st.session_state[key]
    st.rerun()


def _last(uid: str) -> None:
    """What was renamed last in this session, until it is taken back."""
    done = st.session_state.get("renamed")
    if done is None or done[0] != uid:
        return
    _, action, n, new, by = done
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        said = f"{n:,} image{'' if n == 1 else 's'} now called {state.as_text(new)}."
        st.markdown(f":material/check: {said}", width="content")
        if not st.button("Undo", icon=":material/undo:", key="names undo"):
            return
    try:
        say_undone(labels.undo(state.library().catalogue, uid, action, by=by))
    except CoreError as error:
        state.say(error)
        return
    del st.session_state.renamed
    st.rerun()
