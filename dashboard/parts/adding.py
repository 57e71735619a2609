"""Bringing images in: name them or drop them, see what they are, index them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import streamlit as st

from core.catalogue import check_name
from core.encoders import KNOWN, describe
from core.errors import CoreError
from core.sources import MAX_UM_PER_PX
from core.sources.folder import check_name as check_source_name
from core.sources.preview import Look
from core.sources.uri import scheme_of
from dashboard import state, uploads
from dashboard.parts import empty, preview
from dashboard.parts.uploader import uploader

NAMED, SENT = "On this computer or the web", "Upload"
PLACEHOLDER = "/home/me/FlowCam/run-1, s3://bucket/prefix or https://..."


@dataclass(frozen=True)
class _Source:
    """What a person pointed at."""

    where: str
    name: str | None = None
    """What to call it, where it has no name of its own."""
    stamp: str = ""


def add_images() -> None:
    """Everything from naming a source to the job that indexes it."""
    st.subheader("Add images")
    _tidy(str(state.library().workspace.root))
    source = None
    try:
        source = _asked()
    except CoreError as error:
        state.say(error)
    look = None
    if source is not None:
        seen = preview.look_at(source.where, name=source.name, stamp=source.stamp)
        if seen is not None:
            look = seen.look
            typed = st.session_state.get(f"um_per_px {source.where}")
            preview.show(seen, um_per_px=typed, revision=f"{source.where} {source.stamp} {typed}")
    else:
        st.caption(":material/info: Name a folder, a file or an address, or upload files.")
    _form(source, look)


@st.cache_data(max_entries=4, ttl=3600, show_spinner=False)
def _tidy(workspace: str) -> None:
    """Now and then, uploads that nothing was indexed from within a day go."""
    del workspace  # tells one from another
    with contextlib.suppress(CoreError, OSError):
        uploads.sweep(state.library())


def _asked() -> _Source | None:
    """What was named or sent; a page reads only what it may."""
    way = st.segmented_control(
        "From", [NAMED, SENT], default=NAMED, label_visibility="collapsed", required=True
    )
    if way == SENT:
        sent = uploader(key="uploaded")
        if sent is None:
            return None
        came = uploads.arrived(state.library().workspace, sent.batch)
        return _Source(str(came.path), came.name, f"{sent.files} files")
    where = st.text_input(
        "Folder, zip or table on this computer, or an address", placeholder=PLACEHOLDER
    ).strip()
    if not where:
        return None
    if scheme_of(where):
        return _Source(where)
    path = state.allowed_path(where)
    return _Source(str(path), stamp=preview.stamp_of(path))


def _form(source: _Source | None, look: Look | None) -> None:
    """How it is to be indexed; fields that the source answers itself are not shown."""
    where = source.where if source else ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Collection", value=look.name[:100] if look else "", placeholder="my-samples", width=220
        ).strip()
        encoder = st.selectbox(
            "Encoder", list(KNOWN), help="descriptors needs no download.",
            accept_new_options=True, width=300,
        )  # fmt: skip
        um_per_px = st.number_input(
            "µm per pixel", min_value=0.0, max_value=MAX_UM_PER_PX, value=None, format="%.4f",
            placeholder=preview.pixel_size(look), width=200, key=f"um_per_px {where}",
            help="With it, sizes are in micrometres and pictures carry a scale bar. What is typed "
            "here wins over what the files say.",
        )  # fmt: skip
        labels = samples = "none"
        if look is not None and look.folders.count and not look.labelled:
            labels = _folder_or_none("Labels", where)
        if look is not None and look.folders.count and not look.samples.count:
            samples = _folder_or_none("Samples", where)
        source_name = source.name if source else None
        if look is not None and _is_taken(look, name):
            source_name = st.text_input(
                "Name of these images", value=f"{look.name}-2", width=220,
                help="This collection has images from another place under the name of these; ids "
                "begin with the name.",
            ).strip()  # fmt: skip
    if encoder in KNOWN:
        card = describe(encoder)
        size = f" · downloads {card.download_mb:,.0f} MB once" if card.download_mb else ""
        st.caption(f"{state.as_text(card.about)} · {card.dimension} numbers an image{size}")
    ready = look is not None and look.count and name and encoder
    pressed = st.button("Index", icon=":material/play_arrow:", type="primary", disabled=not ready)
    if not pressed or look is None:
        return
    try:
        check_name(name)
        if source_name is not None:
            check_source_name(source_name)
        check_encoder(encoder)
    except CoreError as error:
        state.say(error)
        return
    arguments = ["index", where, "--collection", name, "--encoder", encoder, "--map", "--bounded"]
    arguments += ["--labels", labels, "--samples", samples]
    if um_per_px:
        arguments += ["--um-per-px", str(um_per_px)]
    if source_name is not None:
        arguments += ["--source-name", source_name]
    title = f"Index {look.name}" if look.name == name else f"Index {look.name} into {name}"
    empty.start(arguments, title)


def check_encoder(name: str) -> None:
    """Refuse a checkpoint that lies where a page may not read.

    Raises
    ------
    SourceError
        If it does; says where it may lie.
    """
    checkpoint = name.partition("@")[2]
    if checkpoint:
        state.allowed_path(checkpoint)


def _folder_or_none(what: str, where: str) -> str:
    return st.selectbox(
        what, ["none", "folder"], format_func={"none": "none", "folder": "folder names"}.get,
        help=f"folder names: the folder a picture lies in names its {what.lower()[:-1]}",
        width=170, key=f"{what} {where}",
    )  # fmt: skip


def _is_taken(look: Look, collection: str) -> bool:
    """Whether the collection has another source of that name, so that ids would be the same."""
    known = next((c for c in state.collections() if c.name == collection), None)
    if known is None:
        return False
    root = state.library().catalogue.roots(known.uid).get(look.name)
    return root is not None and root != look.root
