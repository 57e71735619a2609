"""How a person says what to look for: an id, a description, an upload, a filter."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping, Sequence

import streamlit as st

from core.columns import named
from core.encoders import describe as card_of
from core.encoders import vectors_only
from core.errors import CoreError, EncoderError, NotFoundError
from core.library import Library, View
from core.sources import MAX_UM_PER_PX
from dashboard import state
from dashboard.parts.walk import go, here, note, stands

UPLOADS_KEPT = 200
FACTS = 16
"""Facts about an image that are seen at once."""
SHORT = 12
"""Characters; longer words that two columns share are said once."""
_LAST = ("process_", "img_", "object_annotation_", "object_id", "object_link")
_SHORTENED = {"esd", "abd", "roi", "id"}
_MORE_UNITS = re.compile(r"(.+) (percent|px|s|(?<=temperature )c)")
_SIGNS = {"percent": "%", "c": "°C"}
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|\+00:00)?")


def asked() -> dict[str, str] | None:
    """What the link asks for: an id, an upload or a text; None on a first visit."""
    return here()


def first(ids: Sequence[str]) -> dict[str, str]:
    """A random image to begin with, or where the walk stands; it stays until another is chosen.

    So the browser's back button, which may end at a link without an image, shows no new one.
    """
    before = stands()
    query = before if before and before.get("id") in ids else {"id": random.choice(ids)}
    state.set_link(**query)
    note(query)
    return query


def pick_by_id(lib: Library, uid: str) -> None:
    """A field for an image's id, or the end of one."""
    key = "pick_id"
    typed = st.text_input(
        "By id", key=key, placeholder="Id or file name", label_visibility="collapsed", width=230
    ).strip()
    if typed and typed != st.session_state.get("picked_before"):
        st.session_state.picked_before = typed
        found = lib.catalogue.find(uid, typed, limit=2)
        if len(found) == 1 or (found and found[0] == typed):
            go({"id": found[0]})
        if found:
            st.toast("Several images are called so; give more of the id.")
        else:
            st.toast(state.as_text(f"No image is called {typed!r}. Ids end with the file's name."))


def describe(view: View) -> None:
    """A field for a description, when the encoder reads text."""
    name = view.encoding.made_by or view.encoding.encoder
    try:
        reads = card_of(name).reads_text
    except CoreError:
        reads = False
    typed = st.text_input(
        "By words",
        key="describe",
        placeholder="a chain of round cells" if reads else "This encoder reads no text",
        disabled=not reads,
        help=None
        if reads
        else "Encode the collection with an openclip encoder to search by words.",
        label_visibility="collapsed",
        width=230,
    ).strip()
    if typed and typed != st.session_state.get("described_before"):
        st.session_state.described_before = typed
        go({"text": typed})


def upload(view: View, data: bytes | None) -> None:
    """A picture of one's own, given or pasted; it becomes the query as soon as it is here."""
    # a new key closes it once a picture is there
    key = f"own picture {st.query_params.get('upload', '')}"
    with st.popover("Your own picture", icon=":material/upload:", key=key):
        try:
            if vectors_only(view.encoding.encoder) and not view.encoding.made_by:
                state.encoder_for(view)
        except EncoderError as error:
            st.caption(state.as_text(str(error)))
            return
        file = st.file_uploader(
            "Drop a picture here, choose one, or paste one anywhere on this page",
            key="query_upload",
            max_upload_size=20,
        )
        st.caption("Up to 20 MB: PNG, JPEG, TIFF, BMP, GIF, WebP and more.")
        st.number_input(
            "Its µm per pixel, if you know it", min_value=0.0, value=None, placeholder="unknown",
            format="%.4f", key="query_um", on_change=_follow_um,
        )  # fmt: skip
    if data is None:
        if file is None or st.session_state.get("uploaded_before") == file.file_id:
            return
        st.session_state.uploaded_before = file.file_id
        data = file.getvalue()
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    st.session_state.upload_bytes = (digest, data)
    _keep(digest, data)
    go({"upload": digest})


def _follow_um() -> None:
    state.set_link(um=st.session_state.query_um or None)


def pixel_size() -> float | None:
    """Micrometres per pixel of the uploaded picture, when the link says so."""
    try:
        value = float(st.query_params.get("um", ""))
    except ValueError:
        return None
    return value if 0 < value <= MAX_UM_PER_PX else None


def _keep(digest: str, data: bytes) -> None:
    """Keep it, so that the link works tomorrow; the oldest of many are forgotten."""
    if state.settings().read_only:
        return
    folder = state.library().workspace.uploads / "queries"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / digest).write_bytes(data)
        kept = sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime)
        for path in kept[:-UPLOADS_KEPT]:
            path.unlink(missing_ok=True)
    except OSError:
        return  # a full or read-only workspace: the search works, only its link does not last


def uploaded_bytes(digest: str) -> bytes:
    """The bytes of an upload that a link names.

    Raises
    ------
    NotFoundError
        If it is not kept any more.
    """
    held = st.session_state.get("upload_bytes")
    if held is not None and held[0] == digest:
        return held[1]
    if re.fullmatch(r"[0-9a-f]{32}", digest):
        path = state.library().workspace.uploads / "queries" / digest
        if path.is_file():
            return path.read_bytes()
    raise NotFoundError("that upload is not kept any more; upload the picture again")


def facts(title: str, values: Mapping[str, object]) -> None:
    """What is known of an image: its label or name, then a line a fact, all shown as text.

    Of many facts those people look for come first; the others are folded away.
    """
    st.markdown(f"##### {state.as_text(title)}")
    lines = [f"**{state.as_text(name)}** {state.as_text(said)}" for name, said in told(values)]
    first = len(lines) if len(lines) <= FACTS + 4 else FACTS
    st.caption("  \n".join(lines[:first]))
    if lines[first:]:
        with st.expander(f"{len(lines) - first} more"):
            st.caption("  \n".join(lines[first:]))


def told(values: Mapping[str, object]) -> list[tuple[str, str]]:
    """Names and values for reading, those people look for first; each long value once."""
    found: dict[str, str] = {}
    for name in sorted(values, key=_rank):  # equal ones stay as they came
        said = _said(name, values[name])
        if said and (len(said) <= SHORT or said not in found.values()):  # one name in many columns
            found[name] = said
    return [(_named(name), said) for name, said in found.items()]


def _rank(name: str) -> int:
    """EcoTaxa's columns after all others, how it was processed and annotated last."""
    if name.startswith(_LAST):
        return 3
    if name.startswith(("sample_", "acq_")):
        return 2
    return 1 if name.startswith("object_") else 0


def _named(name: str) -> str:
    """A column's name for reading: ``depth_m`` is "depth (m)"."""
    title, unit = named(name)
    if not unit and (found := _MORE_UNITS.fullmatch(title)):
        title, unit = found[1], _SIGNS.get(found[2], found[2])
    title = " ".join(word.upper() if word in _SHORTENED else word for word in title.split(" "))
    return f"{title} ({unit})" if unit else title


def _said(name: str, value: object) -> str:
    """A value for reading: three figures, places to about ten metres."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e15:
            return f"{value:.0f}"
        if re.search(r"(^|_)(lat|lon|latitude|longitude)(_|$)", name):
            return f"{value:.4f}"
        return f"{value:.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.3g}"
    moment = _MOMENT.fullmatch(str(value))
    if moment:
        return f"{moment[1]} {moment[2]}{' UTC' if moment[3] else ''}"
    return str(value)
