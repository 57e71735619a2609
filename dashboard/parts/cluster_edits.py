"""Changing clusters from a page: what is pressed is checked against what was looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import streamlit as st

from core import analysis, editing
from core.edits import NOISE, Change, Dissolve, Edit, Merge, Move, Rename
from core.errors import CoreError
from core.grouping import Group, Grouping
from core.library import View
from dashboard import state

SAID = "clusters_said"
NEW = "a new cluster"


def said() -> None:
    """What the last press did, or why it did nothing; said once."""
    kind, text = st.session_state.pop(SAID, ("", ""))
    if kind == "done":
        st.toast(state.as_text(text[:1].upper() + text[1:]), icon=":material/check:")
    elif kind == "error":
        st.error(state.as_text(text), icon=":material/error:")


def history(view: View, found: Grouping) -> None:
    """What an edited clustering came from and what was done since; of a computed one, that it
    stays as it is."""
    locked = state.settings().read_only
    edited = found.meta.get("edited")
    if not edited:
        _kept_elsewhere(view, found, locked)
        return
    edits = editing.edits_of(found.meta)
    last = editing.last_edit(found.meta)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        origin = state.as_text(edited["from"]["name"])
        count = f"{len(edits):,} edit{'' if len(edits) == 1 else 's'}"
        st.markdown(
            f":material/edit_note: Edited from **{origin}**, which stays as it was.",
            width="content",
        )
        if last is not None and not locked:
            st.button(
                "Undo", icon=":material/undo:", key="clusters undo", on_click=_undo,
                args=(view, found.name, found.revision),
                help=f"Takes back the last edit: {state.as_text(last.said())}.",
            )  # fmt: skip
        if last is not None:
            st.caption(f"Last: {state.as_text(last.said())}", width="content")
        with st.popover(count, icon=":material/history:", type="tertiary"):
            lines = [_line(edits, place) for place in reversed(range(len(edits)))]
            st.caption("  \n".join(lines[:50]))
            if len(lines) > 50:
                st.caption(f"and {len(lines) - 50:,} before these")


def _kept_elsewhere(view: View, found: Grouping, locked: bool) -> None:
    every = analysis.clusterings(state.library(), view)
    made = [
        each["name"]
        for each in every
        if (each.get("edited") or {}).get("from", {}).get("name") == found.name
    ]
    if made:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(
                f":material/edit_note: This one was edited as **{state.as_text(made[0])}**.",
                width="content",
            )
            st.button(
                "Open the edited one", key="clusters open edited", type="tertiary",
                on_click=state.set_link,
                kwargs={"clustering": made[0], "cluster": None, "band": None},
            )  # fmt: skip


def _line(edits: Sequence[Edit], place: int) -> str:
    edit = edits[place]
    text = edits[edit.undoes].said() if edit.undoes is not None else edit.said()
    undone = any(other.undoes == place for other in edits)
    what = f"took back: {text}" if edit.what == "undo" else text
    told = f"{_moment(edit.at)} · {state.as_text(edit.by)} · {state.as_text(what)}"
    return f"~~{told}~~" if undone else told


def _moment(at: str) -> str:
    try:
        return f"{datetime.fromisoformat(at):%Y-%m-%d %H\\:%M} UTC"
    except ValueError:
        return state.as_text(at)


def controls(view: View, found: Grouping, group: Group, selected: Sequence[str]) -> None:
    """Rename, merge, move, dissolve; nothing of it where the dashboard only shows."""
    if state.settings().read_only:
        return
    do = _Doer(view, found)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if group.number != NOISE:
            _rename(do, group)
            _merge(do, group)
        _move(do, group, selected)
        if group.number != NOISE:
            _dissolve(do, group)
    if do.to is not None:
        st.caption(
            f"The first edit makes “{state.as_text(do.to)}”; “{state.as_text(found.name)}” stays "
            "as it was computed. Everything can be undone."
        )


class _Doer:
    """What all controls of a page need: what is edited, as it was when they were drawn."""

    def __init__(self, view: View, found: Grouping) -> None:
        self.view = view
        self.found = found
        self.to: str | None = None
        """The new clustering that an edit makes; None when this one is edited already."""
        if not found.meta.get("edited"):
            names = [each["name"] for each in analysis.clusterings(state.library(), view)]
            self.to = editing.free_name(found.name, names)

    def key(self, what: str, group: Group) -> str:
        """Of a widget that is empty, or closed, again once something changed."""
        return f"{what} {group.number} {self.found.revision}"

    def do(self, change: Callable[[], Change], then: Callable[[Edit], int | None]) -> None:
        """Edit, then open the cluster that `then` says; None goes back to all of them."""
        try:
            done = editing.edit(
                state.library(), self.view, self.found.name, change(), to=self.to,
                revision=self.found.revision,
            )  # fmt: skip
        except CoreError as error:
            st.session_state[SAID] = ("error", str(error))
            return
        edit = Edit.from_json(done["edit"])
        st.session_state[SAID] = ("done", edit.said())
        state.set_link(clustering=done["clustering"], cluster=then(edit), band=None, shown=None)

    def others(self, group: Group) -> list[int]:
        """Other clusters, the nearest first."""
        places = self.found.places
        near = [n for n, _ in places.nearest(group.number)] if group.number != NOISE else []
        return [*near, *(n for n in places.numbers if n != group.number and n not in near)]

    def said(self, number: int) -> str:
        """A cluster in a list to choose from."""
        one = self.found.group(number)
        guess = f" ({one.suggested.name})" if one.suggested and not one.name else ""
        return f"{one.called}{guess}, {one.size:,} image{'' if one.size == 1 else 's'}"


def use_suggestion(view: View, found: Grouping, group: Group) -> None:
    """A button that takes the suggested name."""
    suggested = group.suggested
    if suggested is None or suggested.name == group.name or state.settings().read_only:
        return
    do = _Doer(view, found)
    st.button(
        "Use this name", icon=":material/check:", key=do.key("use", group), type="tertiary",
        on_click=do.do,
        args=(lambda: Rename(group.number, suggested.name), lambda edit: group.number),
    )  # fmt: skip


def _rename(do: _Doer, group: Group) -> None:
    with (
        st.popover("Rename", icon=":material/edit:", key=do.key("renaming", group)),
        st.form(do.key("rename form", group), border=False),
    ):
        key = do.key("rename", group)
        st.text_input(
            "Name", value=group.name or "", key=key, max_chars=80,
            placeholder=group.suggested.name if group.suggested else "what these are",
        )  # fmt: skip
        st.form_submit_button(
            "Rename it", type="primary", key=do.key("rename it", group), on_click=do.do,
            args=(
                lambda: Rename(group.number, st.session_state[key].strip() or None),
                lambda edit: group.number,
            ),
        )  # fmt: skip
        if group.name:
            st.caption("An empty name gives it its number back.")


def _merge(do: _Doer, group: Group) -> None:
    others = do.others(group)
    with st.popover(
        "Merge with", icon=":material/merge:", disabled=not others, key=do.key("merging", group)
    ):
        key = do.key("merge", group)
        chosen = st.multiselect(
            "Clusters, the nearest first", others, format_func=do.said, key=key,
            placeholder="choose one or more",
        )  # fmt: skip
        st.button(
            f"Merge into {state.as_text(group.called)}", type="primary", disabled=not chosen,
            key=do.key("merge it", group), on_click=do.do,
            args=(
                lambda: Merge((group.number, *st.session_state[key])), lambda edit: group.number,
            ),
        )  # fmt: skip


def _move(do: _Doer, group: Group, selected: Sequence[str]) -> None:
    count = f"{len(selected):,} selected"
    label = f"Move {count} to" if selected else "Move selected to"
    with st.popover(
        label, icon=":material/drive_file_move:", disabled=not selected,
        key=do.key("moving", group),
        help=None if selected else "Select images first: ctrl-click, shift-click, or the tick.",
    ):  # fmt: skip
        key = do.key("move", group)
        places: list[int | str] = [NEW, NOISE, *do.others(group), group.number]
        st.selectbox(
            "Where to", list(dict.fromkeys(places)), key=key,
            format_func=lambda to: (
                to if isinstance(to, str) else "noise" if to == NOISE else do.said(to)
            ),
        )  # fmt: skip

        def change() -> Change:
            to = st.session_state[key]
            return Move(tuple(selected), None if to == NEW else to)

        st.button(
            f"Move {count}", type="primary", disabled=not selected,
            key=do.key("move it", group), on_click=do.do,
            args=(change, lambda edit: _left(do, group, edit, selected)),
        )  # fmt: skip


def _left(do: _Doer, group: Group, edit: Edit, selected: Sequence[str]) -> int | None:
    """The cluster that was open, unless nothing is left of it."""
    rows = do.found.members(group.number)
    moved = {do.found.ids[row] for row in rows} & set(selected)
    return edit.into if len(moved) == len(rows) else group.number


def _dissolve(do: _Doer, group: Group) -> None:
    with st.popover("Dissolve", icon=":material/scatter_plot:", key=do.key("dissolving", group)):
        many = f"{group.size:,} image{'' if group.size == 1 else 's'}"
        st.write(f"Its {many} become noise: in no cluster.")
        st.button(
            "Dissolve it", type="primary", key=do.key("dissolve it", group), on_click=do.do,
            args=(lambda: Dissolve(group.number), lambda edit: None),
        )  # fmt: skip


def _undo(view: View, name: str, revision: str) -> None:
    try:
        done = editing.undo(state.library(), view, name, revision=revision)
    except CoreError as error:
        st.session_state[SAID] = ("error", str(error))
        return
    back = Edit.from_json(done["edit"])
    edits = editing.edits_of(
        next(c for c in analysis.clusterings(state.library(), view) if c["name"] == name)
    )
    text = edits[back.undoes].said() if back.undoes is not None else ""
    st.session_state[SAID] = ("done", f"took back: {text}")
