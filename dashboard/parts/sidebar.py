"""The sidebar all pages share: which collection, seen by which encoder."""

from collections.abc import Iterable
from dataclasses import dataclass

import streamlit as st

from core.catalogue import Collection
from core.errors import NotFoundError
from dashboard import state
from dashboard.parts import filters
from dashboard.parts.selected import selected_panel

WITHOUT = (
    "id",
    "upload",
    "um",
    "text",
    "filter",
    "colour",
    "method",
    "point",
    "clustering",
    "set",
    "unlike",
    "of",
    "by",
    "bars",
    "apart",
    "draw",
    "cluster",
    "band",
    "shown",
    "grow",
    "drop",
    "threshold",
    "model",
    "sorting",
    "part",
    "kind",
    "pair",
    "image",
    "said",
    "status",
    "since",
    "until",
    "before",
    "evaluation",
    "ref",
    "look",
    "way",
    "taken",
    "first",
    "second",
    "query",
    "these",
)  # fmt: skip - they belong to a collection


@dataclass(frozen=True)
class Picked:
    """What the pages are about."""

    collection: Collection
    encoder: str


def sidebar(page: str) -> Picked | None:
    """Let a person choose collection and encoder; None while there is no collection.

    Parameters
    ----------
    page : str
        The page's url path; Collections is about all of them.
    """
    known = {c.name: c for c in state.collections()}
    with st.sidebar:
        if not known:
            st.caption("No collection yet.")
    if not known:
        gone = _unknown("collection", known, also=("encoder", *WITHOUT))
        if gone is not None and page != "collections":
            state.say(gone)
        return None
    with st.sidebar:
        wrong = [_unknown("collection", known, also=("encoder", *WITHOUT))]
        key = state.linked("collection", list(known), next(iter(known)))
        name = st.selectbox(
            "Collection",
            list(known),
            key=key,
            on_change=state.follow,
            args=("collection", key),
            kwargs={"also": ("encoder", *WITHOUT)},
        )
        collection = known[name]
        encoders = [e.encoder for e in state.library().catalogue.encodings(collection.uid)]
        if not encoders:
            return Picked(collection, collection.encoder)
        first = collection.encoder if collection.encoder in encoders else encoders[0]
        wrong.append(_unknown("encoder", encoders, also=("colour", "method", "clustering")))
        key = state.linked("encoder", encoders, first)
        encoder = st.selectbox(
            "Seen by",
            encoders,
            key=key,
            help="The image encoder whose vectors are compared.",
            on_change=state.follow,
            args=("encoder", key),
            kwargs={"also": ("colour", "method", "clustering")},
        )
        state.set_link(collection=name, encoder=encoder if len(encoders) > 1 else None)
        filters.carry(page, collection.uid)
        if collection.options.get("drawn"):
            st.caption(":material/draw: Drawn by a program, not recorded by an instrument.")
        if state.settings().read_only:
            st.caption(":material/lock: This dashboard only shows.")
        selected_panel(collection, encoder)
    for error in wrong:
        if error is not None and page != "collections":  # there it was just deleted or renamed
            state.say(error)
    return Picked(collection, encoder)


def _unknown(name: str, known: Iterable[str], *, also: Iterable[str]) -> NotFoundError | None:
    """What to say when the link names what is not here; the page then shows something that is."""
    asked = st.query_params.get(name)
    if asked is None or asked in set(known):
        return None
    state.set_link(**dict.fromkeys((name, *also)))
    here = ", ".join(known) or f"no {name} yet"
    return NotFoundError(f"the link names {name} {asked!r}; there is {here}")
