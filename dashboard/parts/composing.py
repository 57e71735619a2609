"""What the composition page counts, and by what; its tables and what their figures mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import analysis, tabling
from core.columns import Choices, Columns
from core.composition import ALL, Composition, Kinds, has_samples, orders, set_apart, ways
from core.library import View
from dashboard import state
from dashboard.parts import clusterings
from dashboard.parts.empty import start
from dashboard.parts.mapping import map_arguments

OF = {"cluster": "Clusters", "label": "Labels"}
AS = {"share": "Share", "count": "Counts"}
ORDERS = {
    "date": "By date",
    "value": "By name or value",
    "similar": "Like beside like",
    "images": "Most images first",
}
WITHOUT = {
    "apart": "Shown in grey, not counted in diversity",
    "out": "Left out altogether",
    "counted": "Counted as kinds of their own",
}
TABLES = {
    "wide": ("Wide CSV", "Counts, a row a bar, a column a kind: as ordination programs want it."),
    "long": ("Long CSV", "Counts and shares, a row a bar and kind: as plots want it."),
    "diversity": ("Diversity CSV", "A row a bar: images, richness, Shannon, evenness."),
}


@dataclass(frozen=True)
class Asked:
    """What a person chose."""

    of: str
    by: str
    title: str
    """What `by` is called."""
    shares: bool
    without: str
    apart: tuple[str, ...]
    draw: int | None
    clustering: str | None
    validated: bool
    kinds: Kinds = field(repr=False, compare=False)
    place_for_order: DeltaGenerator = field(repr=False, compare=False)

    @property
    def how(self) -> dict[str, Any]:
        """How to count, as `core.composition.composed` wants it."""
        return {"by": self.by, "without": self.without, "rarefy": self.draw}


def something_to_count(view: View) -> None:
    """Stop where there is neither a clustering nor a label, and offer to find groups."""
    if countable(view):
        return
    st.subheader("Nothing to count yet")
    if not st.session_state.get("working"):
        st.write(
            "This page counts clusters, or labels, in each sample. There are none yet: let groups "
            "of like images be found (with a map of them), or bring in images with their labels."
        )
        if st.button(
            "Make the map", icon=":material/map:", type="primary",
            disabled=state.settings().read_only, help="And find groups among the images.",
        ):  # fmt: skip
            start(map_arguments(view), f"Map {view.collection.name}")
    st.stop()


def countable(view: View) -> list[str]:
    """Of clusters and labels what there is, the likelier first."""
    column = state.columns(view).by_name["label"]
    labelled = isinstance(column, Choices) and bool((column.codes >= 0).any())
    clustered = bool(analysis.clusterings(state.library(), view))
    return [of for of, there in (("cluster", clustered), ("label", labelled)) if there]


def choices(view: View) -> Asked:
    """The row of controls above the bars."""
    known = state.columns(view)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        there = countable(view)
        key = state.linked("of", there, there[0])
        of: str = st.segmented_control(
            "Count", there, format_func=OF.get, key=key, required=True,
            on_change=state.follow, args=("of", key), kwargs={"also": ("apart",)},
        ) or there[0]  # fmt: skip
        found = ways(state.fields(view), known, of=of)
        key = state.linked("by", list(found), next(iter(found)))
        by: str = st.selectbox(
            "In each", list(found), format_func=lambda name: _begun(found[name]),
            key=key, width=190,
            on_change=state.follow, args=("by", key),
        )  # fmt: skip
        key = state.linked("as", list(AS), "share")
        unit: str = st.segmented_control(
            "As", list(AS), format_func=AS.get, key=key, required=True,
            on_change=state.follow, args=("as", key),
        ) or "share"  # fmt: skip
        place_for_order = st.container(width=200)
        popover = st.popover("What counts", icon=":material/tune:", key="what counts")
    clustering = clusterings.choose(view) if of == "cluster" else None
    with popover:
        key = state.linked("without", list(WITHOUT), "apart")
        grey = "noise" if of == "cluster" else "no label"
        without: str = st.radio(
            f"Images without a kind ({grey})", list(WITHOUT), format_func=WITHOUT.get, key=key,
            on_change=state.follow, args=("without", key),
        )  # fmt: skip
        validated = of == "label" and _validated(view)
        kinds = state.kinds(view, of=of, clustering=clustering, validated=validated)
        apart = _apart(kinds)
        draw = _draw()
    title = found[by] if by != ALL else "bar"
    return Asked(
        of, by, title, unit == "share", without, apart, draw, clustering, validated,
        set_apart(kinds, apart), place_for_order,
    )  # fmt: skip


def _begun(title: str) -> str:
    return title[:1].upper() + title[1:]


def _validated(view: View) -> bool:
    """Whether only validated labels count; asked where there are others."""
    every = state.kinds(view, of="label", clustering=None)
    labelled = ~every.none[every.codes]
    if every.validated is None or bool(every.validated[labelled].all()):
        return False
    if not every.validated.any():
        st.caption("No label is validated yet: these were suggested.")
        return False
    key = state.linked("validated", [False, True], False)
    return st.toggle(
        "Validated labels only", key=key, on_change=state.follow, args=("validated", key)
    )


def _apart(kinds: Kinds) -> tuple[str, ...]:
    names = [kind.name for kind in kinds.kinds if not kind.none]
    asked = [unquote(part) for part in st.query_params.get("apart", "").split("|")]
    key = "composition apart"
    st.session_state[key] = [name for name in names if name in asked]

    def changed() -> None:
        link = "|".join(quote(name, safe=" ") for name in st.session_state[key])
        state.set_link(apart=link or None)

    chosen: list[str] = st.multiselect(
        "Kinds that do not count", names, key=key, on_change=changed,
        placeholder="such as detritus",
        help="These are treated as images without a kind.",
    )  # fmt: skip
    return tuple(chosen)


def _draw() -> int | None:
    """How many images are drawn for rarefied richness; None for as many as the smallest has."""
    key = "composition draw"
    asked = st.query_params.get("draw", "")
    st.session_state[key] = int(asked) if asked.isdecimal() and 0 < int(asked) < 10**9 else None
    return st.number_input(
        "Images drawn for rarefied richness", min_value=1, step=1, key=key,
        placeholder="as many as the smallest has",
        on_change=lambda: state.set_link(draw=st.session_state[key]),
        help="A bar of fewer images than this has no figure.",
    )  # fmt: skip


def order(asked: Asked, made: Composition) -> str | None:
    """In which order the bars stand; None for the order they have."""
    found = orders(made.groups)
    if len(made.groups) < 2 or len(found) < 2:
        return None
    key = state.linked("bars", found, found[0])
    with asked.place_for_order:
        chosen: str = st.selectbox(
            "Order", found, format_func=ORDERS.get, key=key, on_change=state.follow,
            args=("bars", key),
            help="Like beside like: Bray-Curtis dissimilarity of the shares, average linkage.",
        )  # fmt: skip
    return None if chosen == found[0] else chosen


def hints(known: Columns, asked: Asked, made: Composition) -> None:
    """What to do where there is nothing to compare."""
    bring = (
        "bring the images in again with their samples, on the page Collections or with `index "
        "FOLDER --collection NAME --samples folder`, which takes each folder as a sample"
    )
    if not has_samples(known):
        other = ", or group by another column above" if asked.by == ALL else ""
        text = f"No image has a sample. To compare samples, {bring}{other}."
    elif asked.by != ALL and len(made.groups) == 1:
        text = (
            f"All images are of one {state.as_text(asked.title)}, so there is nothing to compare "
            f"it with. Group by another column above, or {bring}."
        )
    else:
        return
    st.info(text, icon=":material/info:")


def tables(view: View, made: Composition, asked: Asked) -> None:
    """Every bar as a row, and ways to take that away."""
    name = f"{view.collection.name}-{asked.of}s-by-{asked.by}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("#### In numbers", width="stretch")
        for kind, (title, about) in TABLES.items():
            st.download_button(
                title,
                lambda kind=kind: tabling.csv_bytes(tabling.table(made, asked.by, kind)),
                f"{name}-{kind}.csv", "text/csv", icon=":material/table:", on_click="ignore",
                help=about, key=f"download {kind}",
            )  # fmt: skip
    figures = tabling.shown(made, asked.title, shares=asked.shares)
    number = st.column_config.NumberColumn
    formats = {
        "Shannon": "%.2f", "Evenness": "%.2f", f"Rarefied to {made.rarefied_to}": "%.1f",
    }  # fmt: skip
    config: dict[str, Any] = {name: number(format=f) for name, f in formats.items()}
    first = next(iter(figures))
    config[first] = st.column_config.TextColumn(pinned=True)
    if asked.shares:
        kinds = list(figures)[len(figures) - len(made.kinds) :]
        config |= {name: number(format="%.1f %%") for name in kinds}
    st.dataframe(
        figures,
        hide_index=True,
        width="stretch",
        column_config=config,
        placeholder="–",
        key="figures",
    )


def meaning(made: Composition, asked: Asked) -> None:
    """What the figures are, in the words of an ecologist."""
    said = []
    if made.binned:
        said.append(f"**{state.as_text(_begun(asked.title))}** is grouped {made.binned}.")
    if made.without:
        done = {
            "apart": "shown in grey and not counted in richness, Shannon and evenness",
            "out": "left out",
            "counted": "counted as kinds of their own",
        }[asked.without]
        said.append(f"**{made.without:,} images without a kind** are {done} (*What counts*).")
    said.append(
        "**Richness** is the number of kinds, **Shannon** H′ = −Σ p ln p (natural logarithm), "
        "**evenness** Pielou's H′ / ln richness."
    )
    if made.rarefied_to:
        said.append(
            "Larger samples hold more kinds only because more was looked at: **rarefied** richness "
            f"is what to expect among {made.rarefied_to:,} images drawn from each (Hurlbert 1971)"
            + (", the number that the smallest counts." if asked.draw is None else ".")
            + (
                " So few say little: draw more under *What counts*."
                if made.rarefied_to < 20
                else ""
            )
        )
    if asked.of == "cluster":
        said.append(
            "Clusters are groups that an encoder sees, not taxa: compare these figures within this "
            "clustering, not with those of other studies."
        )
    said.append("Images are counted, not organisms per litre.")
    st.caption(" ".join(said))
