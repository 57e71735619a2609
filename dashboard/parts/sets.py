"""Sets of images that a link names, such as "more like these"."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from core import selections
from core.errors import CoreError
from core.library import Library
from core.matching import Result
from dashboard import state
from dashboard.parts import selecting
from dashboard.parts.gallery import gallery
from dashboard.parts.tiles import labelled_tiles
from dashboard.parts.walk import go

SHOWN = 12
"""Images of a set that are shown beside its matches."""

HELD = 20
"""Sets a session remembers by itself, where the workspace may not be written."""


def mark(lib: Library, uid: str, ids: Sequence[str]) -> str:
    """What a link calls these images; they are kept so that it works tomorrow, where they can be.

    Raises
    ------
    CoreError
        If there are none.
    """
    digest = selections.digest_of(ids)
    held: dict[str, list[str]] = st.session_state.setdefault("sets", {})
    held.pop(digest, None)
    held[digest] = list(ids)
    for older in list(held)[:-HELD]:
        del held[older]
    if not state.settings().read_only:
        with suppress(CoreError):  # a full workspace: it works here, only its link does not last
            selections.mark(lib.workspace, uid, ids)
    return digest


def marked(lib: Library, uid: str, digest: str) -> list[str]:
    """The images a link names.

    Raises
    ------
    NotFoundError
        If they are not kept any more.
    """
    held: dict[str, list[str]] = st.session_state.get("sets", {})
    return held.get(digest) or selections.marked(lib.workspace, uid, digest)


def more_like(
    lib: Library, uid: str, ids: Sequence[str], unlike: Sequence[str] = ()
) -> dict[str, str]:
    """The query that looks for more like these."""
    query = {"set": mark(lib, uid, ids)}
    if unlike:
        query["unlike"] = mark(lib, uid, unlike)
    return query


def shown_set(lib: Library, uid: str, ids: Sequence[str], unlike: Sequence[str]) -> None:
    """The images that more is looked for of, and those the matches are not to be like."""
    n = len(ids)
    st.markdown(f"##### More like {'this image' if n == 1 else f'these {n:,}'}")
    _some(lib, uid, ids, key="set")
    if unlike:
        st.markdown(
            f"##### and unlike {'this one' if len(unlike) == 1 else f'these {len(unlike):,}'}"
        )
        _some(lib, uid, unlike, key="unlike")
    st.caption(
        "The matches are those nearest to the mean direction of these images"
        + (", away from that of the others." if unlike else ".")
        + " Tick matches, then say whether they belong."
    )


def _some(lib: Library, uid: str, ids: Sequence[str], *, key: str) -> None:
    images = lib.catalogue.images(uid, ids[:SHOWN])
    event = gallery(
        labelled_tiles(lib, uid, images), key=key, tile_px=72, selectable=False,
        revision=f"{key} {selections.digest_of(ids)}", label="The chosen images",
    )  # fmt: skip
    if len(ids) > SHOWN:
        st.caption(f"and {len(ids) - SHOWN:,} more")
    if event is not None and event.clicked is not None:
        go({"id": images[event.clicked].id})


def judge(
    lib: Library, uid: str, result: Result, ids: Sequence[str], unlike: Sequence[str]
) -> None:
    """Two buttons: what is ticked among the matches belongs to the set, or does not."""
    shown = [match.image.id for match in result.matches]
    ticked = [shown[row] for row in selecting.rows(uid, shown)]
    n = f" ({len(ticked)})" if ticked else ""
    belongs = st.button(
        f"These too{n}", icon=":material/thumb_up:", disabled=not ticked, key="set too",
        help="Add the ticked matches to the set and look again.",
    )  # fmt: skip
    rejected = st.button(
        f"Not these{n}", icon=":material/thumb_down:", disabled=not ticked, key="set not",
        help="Look again, away from the ticked matches.",
    )  # fmt: skip
    if belongs:
        selecting.add(uid, ids)
        go(more_like(lib, uid, [*ids, *ticked], unlike))
    if rejected:
        left = set(ticked)
        selecting.put(uid, [id for id in selecting.current(uid) if id not in left])
        go(more_like(lib, uid, ids, [*unlike, *ticked]))
