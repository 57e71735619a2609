"""One cluster opened: its images from central to doubtful, its neighbours, where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.edits import NOISE
from core.grouping import BANDS, Group, Grouping
from core.library import View
from core.spread import spreads
from dashboard import state
from dashboard.parts import cluster_edits, selecting
from dashboard.parts.cluster_cards import badge, facts, in_order, suggestion, trusted
from dashboard.parts.gallery import Tile, gallery
from dashboard.parts.spread import bars
from dashboard.parts.tiles import image_tile, labelled_tiles, tile_size

AT_ONCE = 240
NEAR = 4
RULE = (
    "Central: clearly nearer to this cluster's centre than to any other. Borderline: nearer, but "
    "not by a fifth. Doubtful: nearer to another cluster's centre. Outliers lie unusually far "
    "from the centre. The nearest come first."
)


def opened(view: View, found: Grouping, group: Group) -> None:
    """All of one cluster, or of noise."""
    _head(found, group)
    with st.container(key="split-cluster"):
        left, right = st.columns([2.7, 1], gap="large")
    with left:
        _images(view, found, group)
    with right:
        _about(view, found, group)


def _head(found: Grouping, group: Group) -> None:
    every = [g.number for g in in_order(found.groups, "size")]
    every += [NOISE] if found.noise else []
    place = every.index(group.number)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _go("All clusters", None, icon=":material/arrow_back:")
        st.markdown(
            f"### {state.as_text(group.called[:1].upper() + group.called[1:])}", width="content"
        )
        if group.number != NOISE:
            badge(group)
        with st.container(horizontal=True, width="stretch", horizontal_alignment="right"):
            for to, icon, about in (
                (place - 1, ":material/chevron_left:", "The next larger cluster"),
                (place + 1, ":material/chevron_right:", "The next smaller cluster"),
            ):
                there = 0 <= to < len(every)
                _go("", every[to] if there else None, icon=icon, help=about, disabled=not there)


def _go(label: str, number: int | None, **how: object) -> None:
    st.button(
        label, key=f"go {how['icon']}", on_click=state.set_link,
        kwargs={"cluster": number, "band": None, "shown": None}, **how,
    )  # fmt: skip


def _images(view: View, found: Grouping, group: Group) -> None:
    uid = view.collection.uid
    rows = found.members(group.number).tolist()
    band = _band(found, group)
    if band == "outliers":
        rows = [row for row in rows if found.places.outlier[row]]
    elif band != "all":
        rows = [row for row in rows if found.places.band[row] == BANDS.index(band)]
    ids = [found.ids[row] for row in rows]
    selected = selecting.current(uid)
    cluster_edits.controls(view, found, group, selected)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        what = f"all {len(ids):,}" if band == "all" else f"these {len(ids):,}"
        st.button(
            f"Select {what}", icon=":material/select_all:", key="select them",
            disabled=not ids, on_click=selecting.add, args=(uid, ids),
        )  # fmt: skip
        if selected:
            here = len(set(selected) & set(ids))
            st.markdown(f"**{len(selected):,}** selected, {here:,} of them here", width="content")
            st.button(
                "Clear", type="tertiary", key="select none", on_click=selecting.put, args=(uid, ())
            )
    shown = ids[: _shown(len(ids))]
    tiles = _tiles(view, found, dict(zip(ids, rows, strict=True)), shown)
    there = [id for id, _ in tiles]
    event = gallery(
        [tile for _, tile in tiles], key="members",
        revision=f"{found.name} {found.revision} {group.number} {band} {len(shown)}",
        selected=selecting.rows(uid, there), tile_px=112,
        empty="No image of this cluster is in this part.", label="Images of the cluster",
    )  # fmt: skip
    if len(shown) < len(ids):
        more = min(AT_ONCE, len(ids) - len(shown))
        st.button(
            f"Show {more:,} more of {len(ids):,}", icon=":material/expand_more:",
            on_click=state.set_link, kwargs={"shown": len(shown) + more},
        )  # fmt: skip
    if event is None:
        return
    if event.clicked is not None:
        here = {"collection": view.collection.name, "encoder": view.encoding.encoder}
        st.switch_page("views/similar.py", query_params={**here, "id": there[event.clicked]})
    if selecting.take(uid, there, event.selected):
        st.rerun()


def _shown(n: int) -> int:
    text = st.query_params.get("shown", "")
    return max(AT_ONCE, min(int(text), n)) if text.isdecimal() and len(text) < 7 else AT_ONCE


def _band(found: Grouping, group: Group) -> str:
    """The part of the cluster that is shown."""
    if group.number == NOISE:
        st.caption(
            "In no cluster. Those first that lie nearest to one; far down are the oddest."
            if found.groups
            else "No cluster was found: all images are in none."
        )
        return "all"
    counts = {"all": group.size, **dict(zip(BANDS, group.bands, strict=True))}
    counts["outliers"] = group.outliers
    titles = {name: f"{name.capitalize()} {n:,}" for name, n in counts.items() if n}
    key = state.linked("band", list(titles), "all")
    chosen: str = st.segmented_control(
        "Part of the cluster", list(titles), format_func=titles.get, key=key, required=True,
        on_change=state.follow, args=("band", key), kwargs={"also": ("shown",)}, help=RULE,
    )  # fmt: skip
    return chosen


def _tiles(
    view: View, found: Grouping, rows: dict[str, int], ids: Sequence[str]
) -> list[tuple[str, Tile]]:
    """Each image with its label; marked where it is not central."""
    lib, uid = state.library(), view.collection.uid
    images = lib.catalogue.images(uid, ids)
    tiles = labelled_tiles(lib, uid, images)
    out = []
    for image, tile in zip(images, tiles, strict=True):
        row = rows[image.id]
        band, mark = int(found.places.band[row]), None
        if found.places.outlier[row]:
            mark = "outlier"
        elif band > 0:
            mark = BANDS[band]
        out.append((image.id, replace(tile, mark=mark, lines=(tile_size(image),))))
    return out


def _about(view: View, found: Grouping, group: Group) -> None:
    suggestion(group)
    cluster_edits.use_suggestion(view, found, group)
    st.caption("  \n".join(facts(group)))
    if group.number != NOISE:
        st.caption(trusted(group.stability)[2])
    if group.central:
        st.page_link(
            "views/map.py", label="See it on the map", icon=":material/scatter_plot:",
            query_params={
                "collection": view.collection.name, "encoder": view.encoding.encoder,
                "clustering": found.name, "colour": f"cluster:{found.name}",
                "point": group.central[0],
            },
        )  # fmt: skip
    if group.number != NOISE:
        _nearest(view, found, group)
    told = spreads(state.columns(view), found.members(group.number))
    if told:
        st.markdown("##### How it spreads")
        st.caption("How many images, and which share of all there are of a value.")
    for spread in told:
        bars(spread)


def _nearest(view: View, found: Grouping, group: Group) -> None:
    near = found.places.nearest(group.number)[:NEAR]
    if not near:
        return
    st.markdown("##### Nearest clusters")
    uid = view.collection.uid
    first = {n: found.group(n).central[0] for n, _ in near if found.group(n).central}
    images = {i.id: i for i in state.library().catalogue.images(uid, list(first.values()))}
    listed = [(n, d) for n, d in near if first.get(n) in images]
    tiles = [
        image_tile(
            uid, images[first[n]], title=found.group(n).called,
            lines=(f"distance {d:.3f}", f"{found.group(n).size:,} images"),
        )
        for n, d in listed
    ]  # fmt: skip
    event = gallery(
        tiles, key="nearest", revision=f"{found.name} {found.revision} {group.number}",
        tile_px=84, selectable=False, label="Nearest clusters",
    )  # fmt: skip
    if event is not None and event.clicked is not None:
        state.set_link(cluster=listed[event.clicked][0], band=None, shown=None)
        st.rerun()
