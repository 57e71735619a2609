"""Keep a filter under a name, carry it away as one zip, and the filters kept so far."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core import screens
from core.errors import CoreError
from core.library import View
from core.screen import Screen
from core.screen_telling import digits
from core.screen_views import folder_name, zipped
from dashboard import state
from dashboard.parts.screen_audit import audit


def keep(view: View, at: Screen) -> None:
    """Name, save, download, the command that runs it; below, what was kept."""
    st.markdown("#### Use it")
    locked = state.settings().read_only
    lib, uid = state.library(), view.collection.uid
    kept = screens.listed(lib.workspace, uid)
    key = "screen name"
    opened = st.query_params.get("model")
    st.session_state.setdefault(key, opened or f"{view.collection.name} filter"[:80])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = st.text_input("Name of the filter", key=key, max_chars=80, width=320).strip()
        wrong = _wrong(name)
        named = replace(at, name=name)
        saved = st.button(
            "Save", icon=":material/bookmark_add:", key="screen save",
            disabled=locked or wrong is not None,
            help="This dashboard only shows." if locked else "Kept here, at this working point.",
        )  # fmt: skip
        st.download_button(
            "Download the filter", lambda: zipped(named), f"{folder_name(name)}.zip",
            "application/zip", icon=":material/download:", type="primary", on_click="ignore",
            key="screen download", disabled=wrong is not None,
            help="One zip: the decision as ONNX, a card with all figures, checksums, a README.",
        )  # fmt: skip
    if wrong is not None:
        st.caption(f":material/warning: {state.as_text(wrong)}.")
    elif any(each["name"] == name for each in kept):
        st.caption(f"Saving replaces the filter “{state.as_text(name)}” kept before.")
    if saved:
        screens.save(lib.workspace, uid, replace(named, created=""))
        st.toast(f"Kept {state.as_text(name)}.", icon=":material/bookmark:")
    _run(at, folder_name(name))
    audit(view, at, name)
    saved_filters(view)


def _run(at: Screen, folder: str) -> None:
    """The command that runs it, or why none does."""
    if not at.reads_pictures:
        st.caption(
            "It decides about vectors, not about pictures: those of this collection were made "
            "elsewhere or joined, and nothing here makes such vectors of new pictures. The README "
            "in the zip says how to run it on vectors. Choose an encoder that reads pictures "
            "under “Seen by” for a filter that runs on images."
        )
        return
    st.caption(
        "Unpack it and run it over images before they are stored; with `--dry-run` it only writes "
        "what it would do. It needs neither this dashboard nor the collection."
    )
    st.code(
        f"unzip {folder}.zip\n"
        f"python -m core screen apply {folder} SOURCE --report decisions.csv --dry-run",
        language="bash",
        wrap_lines=True,
    )


def _wrong(name: str) -> str | None:
    try:
        screens.check_model_name(name)
    except CoreError as error:
        return str(error)
    return None


def saved_filters(view: View) -> None:
    """Filters kept so far, to be opened again or deleted."""
    locked = state.settings().read_only
    kept = screens.listed(state.library().workspace, view.collection.uid)
    if not kept:
        return
    st.markdown("#### Saved filters")
    for each in kept:
        name = each["name"]
        with st.container(horizontal=True, vertical_alignment="center", gap="small", border=True):
            if "why" in each:
                st.markdown(
                    f":material/broken_image: **{state.as_text(name)}** "
                    f"{state.as_text(each['why'])}",
                    width="stretch",
                )
            else:
                sure = "promised" if each["promised"] else "not promised"
                st.markdown(
                    f"**{state.as_text(name)}** · threshold {digits(each['threshold'])} · target "
                    f"{100 * each['target_recall']:g} %, {sure} · {each['labels']:,} labels · "
                    f"{each['created'][:16].replace('T', ' ')} UTC",
                    width="stretch",
                )
                if st.button("Open", icon=":material/open_in_full:", key=f"screen open {name}"):
                    st.session_state.pop("screen name", None)
                    state.set_link(model=name, target=None, threshold=None)
                    st.session_state.pop("link_target", None)
                    st.rerun()
            if st.button(
                "Delete", icon=":material/delete:", key=f"screen delete {name}", disabled=locked,
                help="Labels, images and what was downloaded stay.",
            ):  # fmt: skip
                screens.delete(state.library().workspace, view.collection.uid, name)
                if st.query_params.get("model") == name:
                    state.set_link(model=None, threshold=None)
                st.rerun()
