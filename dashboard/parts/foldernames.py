"""Where nothing is labelled yet but folders have names: take those as labels."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import streamlit as st

from core import labels
from core.errors import CoreError
from core.folder_labels import folder_labels
from core.labels import Decision
from core.library import Library, View
from dashboard import state

NAMED = 6


def foldered(view: View) -> list[Decision]:
    """The labels that folders would give; empty where there is nothing to take."""
    lib, uid = state.library(), view.collection.uid
    return _foldered(lib, uid, lib.catalogue.revision(uid), labels.revision(lib.catalogue, uid))


@lru_cache(maxsize=2)  # reads what is known of every image
def _foldered(lib: Library, uid: str, _revision: int, _labels: int) -> list[Decision]:
    return folder_labels(lib, uid)


def offer_folder_names(view: View, by: str) -> None:
    """What folders the images lie in, and a button that takes their names as labels."""
    lib, uid = state.library(), view.collection.uid
    said = foldered(view)
    if not said:
        return
    names = Counter(each.label for each in said)
    some = ", ".join(f"**{state.as_text(name)}**" for name, _ in names.most_common(NAMED))
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    with st.container(border=True, key="folder names"):
        st.markdown(
            f":material/folder: {len(said):,} of these images lie in {len(names):,} folders: "
            f"{some}{more}. If folders name kinds, their names can be the labels at once; the page "
            "History takes that back."
        )
        taken = st.button(
            "Take folder names as labels", icon=":material/label:", key="folder names go",
            disabled=not by, help=None if by else "Say your name first.",
        )  # fmt: skip
    if not taken:
        return
    try:
        with st.spinner("Labelling"):
            labels.record(lib.catalogue, uid, said, by=by, how="selection")
    except CoreError as error:
        state.say(error)
        return
    st.toast(f"Labelled {len(said):,} images by their folders.", icon=":material/check:")
    st.rerun()
