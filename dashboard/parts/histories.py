"""What was said of images, an action a row: who, when, how, of how many, the first pictures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import streamlit as st

from core import label_history, labels
from core.errors import CoreError
from core.library import View
from dashboard import state
from dashboard.parts.gallery import gallery
from dashboard.parts.labelling import say_undone
from dashboard.parts.running import seconds_since
from dashboard.parts.tiles import image_tile, label_text

if TYPE_CHECKING:
    from core.label_history import Action

PAGE = 10
"""Actions shown at once."""
HOW = {
    "single": "one image",
    "selection": "a selection",
    "suggestion": "a screen of suggestions",
    "cluster": "a cluster",
    "check": "a check",
    "rename": "another name",
    "merge": "names merged",
    "import": "came with the images",
    "undo": "an action taken back",
    "grow": "grown from images",
}
ANYBODY = "anybody"


def day(name: str) -> date | None:
    """A day of the link; None where it says none."""
    try:
        return date.fromisoformat(st.query_params.get(name, ""))
    except ValueError:
        return None


def filters(view: View) -> dict:
    """The controls above the rows; gives what `label_history.actions` is asked with."""
    lib, uid = state.library(), view.collection.uid
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        used = _labels(view)
        key = state.linked("said", ["", *used], "")
        label = st.selectbox(
            "Label", ["", *used], key=key, format_func=lambda name: name or "any label",
            on_change=_asked, args=("said", key), width=170,
        )  # fmt: skip
        statuses = ["", *labels.STATUSES]
        key = state.linked("status", statuses, "")
        status = st.selectbox(
            "Status", statuses, key=key, format_func=lambda name: name or "any status",
            on_change=_asked, args=("status", key), width=130,
        )  # fmt: skip
        names = [ANYBODY, *(each.by for each in label_history.people(lib.catalogue, uid))]
        if st.session_state.get("history by") not in names:
            st.session_state["history by"] = ANYBODY
        by = st.selectbox(
            "Said by", names, key="history by", on_change=state.set_link, kwargs={"before": None},
            width=150, help="Not in the link: a person's name never is.",
        )  # fmt: skip
        ends = {}
        for name, title in (("since", "From"), ("until", "To")):
            key = f"history {name}"
            st.session_state[key] = day(name)
            ends[name] = st.date_input(
                title, key=key, format="YYYY-MM-DD", on_change=_asked, args=(name, key), width=150,
            )  # fmt: skip
        key = "history image"
        st.session_state[key] = st.query_params.get("image", "")
        image = st.text_input(
            "Image", key=key, placeholder="an image's id", on_change=_asked, args=("image", key),
            width=170,
        ).strip()  # fmt: skip
    return {
        "image": image or None,
        "by": None if by == ANYBODY else by,
        "label": label or None,
        "status": status or None,
        **ends,
    }


def _labels(view: View) -> list[str]:
    """Every name that was ever said, not only those in use: one looks for what is gone, too."""
    from core import label_history as found

    return found.names(state.library().catalogue, view.collection.uid)


def _asked(name: str, key: str) -> None:
    """A control changed: it goes into the link, and the first page is shown."""
    value = st.session_state[key]
    text = value.isoformat() if isinstance(value, date) else (value or "").strip()
    state.set_link(**{name: text or None, "before": None})


def rows(view: View, asked: dict, *, by: str) -> None:
    """A page of actions, and the way to the next."""
    lib, uid = state.library(), view.collection.uid
    text = st.query_params.get("before", "")
    before = int(text) if text.isdecimal() and len(text) < 16 else None
    found = label_history.actions(lib.catalogue, uid, before=before, limit=PAGE + 1, **asked)
    if not found:
        st.info(
            "Nothing was said that fits. Widen the filters above."
            if any(asked.values()) or before
            else "Nothing was said in this collection yet.",
            icon=":material/history:",
        )
    mine = labels.last_of(lib.catalogue, uid, by=by) if by else None
    for action in found[:PAGE]:
        _row(view, action, mine=action.action == mine and action.by == by, by=by)
    with st.container(horizontal=True, gap="small"):
        if before is not None and st.button("Newest", icon=":material/first_page:"):
            state.set_link(before=None)
            st.rerun()
        if len(found) > PAGE and st.button("Older", icon=":material/navigate_next:"):
            state.set_link(before=found[PAGE - 1].event)
            st.rerun()


def _row(view: View, action: Action, *, mine: bool, by: str) -> None:
    lib, uid = state.library(), view.collection.uid
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            n = action.images
            ago = since(action.at)
            st.markdown(
                f"**{state.as_text(action.by)}** · {n:,} image{'' if n == 1 else 's'} · "
                f"{_said(action)}  \n:small[{ago} ({state.as_text(moment(action.at))}) · "
                f"{state.as_text(HOW.get(action.how, action.how))}{_reason(action)}]",
                width="stretch",
            )
            if action.taken_back:
                st.badge("taken back", icon=":material/undo:", color="gray", width="content")
            if mine and st.button("Take back", icon=":material/undo:",
                                  key=f"history undo {action.action}"):  # fmt: skip
                _undo(uid, by)
        then = {id: label_text(label, status) for id, label, status in action.some}
        images = lib.catalogue.images(uid, list(then))
        if not images:
            st.caption("None of these images is in the collection now; their labels wait for them.")
            return
        tiles = [image_tile(uid, each, title=then[each.id] or "no label") for each in images]
        event = gallery(
            tiles, key=f"history {action.action} {action.by}", revision=f"{uid} {action.event}",
            selectable=False, tile_px=84, label="The first images",
        )  # fmt: skip
        if event is not None and event.clicked is not None:
            state.set_link(image=images[event.clicked].id, before=None)
            st.rerun()


def _said(action: Action) -> str:
    """``Copepod 20, Diatom 4 (dubious)``."""
    shown = []
    for label, status, n in action.said[:4]:
        text = state.as_text(label_text(label, status) or "no label")
        shown.append(text if len(action.said) == 1 else f"{text} {n:,}")
    more = len(action.said) - 4
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _reason(action: Action) -> str:
    reason = action.reason or ""
    return "" if not reason or action.how == labels.UNDO else f" · {state.as_text(reason[:120])}"


def since(at: str) -> str:
    """How long ago, as people say it."""
    seconds = seconds_since(at)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if (n := int(seconds // length)) >= 1:
            return f"{n:,} {unit}{'' if n == 1 else 's'} ago"
    return "just now"


def moment(at: str) -> str:
    """A time to the minute, in UTC as it was kept."""
    return at[:16].replace("T", " ") + " UTC"


def _undo(uid: str, by: str) -> None:
    try:
        say_undone(labels.undo_last(state.library().catalogue, uid, by=by))
    except CoreError as error:
        state.say(error)
        return
    st.rerun()


def card(view: View, id: str) -> None:
    """The image whose history is shown, or that there is none."""
    lib, uid = state.library(), view.collection.uid
    images = lib.catalogue.images(uid, [id])
    if not images:
        st.warning(
            state.as_text(f"{id} is not in the collection; what was said of it is kept."),
            icon=":material/image_not_supported:",
        )
        return
    image = images[0]
    now = labels.latest(lib.catalogue, uid, [id]).get(id)
    left, right = st.columns([1, 3], vertical_alignment="center")
    with left:
        gallery([image_tile(uid, image)], key="history card", revision=id, selectable=False)
    with right:
        st.markdown(f"#### {state.as_text(label_text(now.label, now.status) or 'no label')}"
                    if now else "#### no label yet")  # fmt: skip
        st.caption(state.as_text(id))
        st.page_link(
            "views/similar.py", label="Find similar images", icon=":material/image_search:",
            query_params={"collection": view.collection.name, "encoder": view.encoding.encoder,
                          "id": id},
        )  # fmt: skip
        if st.button("All images", icon=":material/close:", key="history whole"):
            state.set_link(image=None, before=None)
            st.rerun()


def people(view: View) -> None:
    """Who said how much."""
    from core import vocabulary

    lib, uid = state.library(), view.collection.uid
    now = labels.current(lib.catalogue, uid).values()
    stands: dict[str, int] = {}
    for each in now:
        stands[each.by] = stands.get(each.by, 0) + 1
    st.dataframe(
        [
            {
                "Who": each.by,
                "Images": each.images,
                "Current labels": stands.get(each.by, 0),
                "Actions": each.actions,
                "Events": each.events,
                "Last (UTC)": each.last[:16].replace("T", " "),
            }
            for each in label_history.people(lib.catalogue, uid)
        ],
        hide_index=True,
    )
    st.dataframe(
        [
            {
                "Label": each.name,
                "Images": each.images,
                "Validated": each.validated,
                "Not settled": each.images - each.validated,
            }
            for each in vocabulary.names(lib.catalogue, uid)
        ],
        hide_index=True,
    )


def known_names(view: View) -> Sequence[str]:
    """The names in use, in alphabetical order."""
    from core import vocabulary

    return sorted(each.name for each in vocabulary.names(
        state.library().catalogue, view.collection.uid))  # fmt: skip
