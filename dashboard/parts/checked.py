"""The three parts of the check page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core import labels
from core.columns import NONE
from core.filtering import Condition, Filter
from core.labels import Decision
from core.library import View
from dashboard import state
from dashboard.parts import checking, selecting
from dashboard.parts.gallery import gallery
from dashboard.parts.sorting import MOST, Words, sorting
from dashboard.parts.tiles import image_tile, labelled_tiles

if TYPE_CHECKING:
    from core.checking import Checked, Duplicates, Overlap
    from dashboard.parts.checking import Held

SIZES = (12, 24, 36, 60)
GROUPS = 8
"""Groups of near-duplicates on a page."""
PAIRS = 30
WORDS = Words(
    accept="Keep {n} as labelled",
    back="set aside as dubious",
    backed="dubious",
    backHint="Nobody can say for sure: no label to learn from",
    how="Enter keeps the labels of the rest, 1 to 9 give another label, T gives every image the "
    "likelier one, 0 sets aside as dubious, U takes back the last screen",
)


def account(found: Checked, current: Held, revision: int) -> str:
    """What was looked at, in one line."""
    parts = [f"**{found.judged:,}** of {found.labelled:,} validated labels judged"]
    if sure := sum(each.confident for each in found.mistakes):
        parts.append(f"{sure:,} stand out as mistakes, the others may be kinds hard to tell")
    if found.more:
        parts.append(f"{found.more:,} more are found once these are decided on")
    if rare := found.why.get("rare"):
        parts.append(state.as_text(rare))
    if revision > current.known:
        parts.append("labels changed since it was checked")
    return " · ".join(parts)


def nothing(text: str) -> None:
    """Said where there is nothing to look through."""
    st.success(text, icon=":material/check_circle:")


def mistakes(view: View, current: Held, found: Checked, *, by: str) -> None:
    """Screens of images whose label another one seems likelier than."""
    lib, uid, locked = state.library(), view.collection.uid, state.settings().read_only
    # of all that was found, so that the choice stays when somebody else decides on the last of one
    kinds = sorted({each.label for each in current.checkup.checked.mistakes})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        key = state.linked("kind", ["", *kinds], "")
        kind = st.selectbox(
            "Labelled", ["", *kinds], key=key, width=260, on_change=state.follow,
            args=("kind", key), format_func=lambda k: k or f"any of {len(kinds):,} kinds",
        )  # fmt: skip
        size = st.selectbox("On a screen", SIZES, index=1, key="check size", width=110)
    if current.asked != (kind, size):
        current.asked, current.screen = (kind, size), None
    if current.screen is None:
        left = [each for each in found.mistakes if each.id not in current.passed]
        if not left and current.passed:  # what was left for later comes again at the end
            current.passed = frozenset()
            left = found.mistakes
        wanted = [each for each in left if kind in ("", each.label)]
        current.screen = tuple(wanted[:size])
        current.seen = labels.revision(lib.catalogue, uid)
        current.number += 1
    if not current.screen and not current.done:
        nothing("No label seems wrong: every one is the likeliest by the images around it.")
        return
    asked = {id for each in current.screen for id in (each.id, *each.near_label,
                                                      *each.near_likelier)}  # fmt: skip
    images = {image.id: image for image in lib.catalogue.images(uid, sorted(asked))}
    shown = [each for each in current.screen if each.id in images]
    tiles = [checking.mistake_tile(uid, images[each.id], each) for each in shown]
    if locked:
        gallery(tiles, key="check shown", revision=f"check {current.number}", selectable=False)
        return
    if not shown:
        nothing("Nothing is left to look at here.")
    else:
        st.caption(
            "The least likely labels first. Look at the pictures above the screen; **click** an "
            "image, or **1**, to take the likelier label, **0** to set it aside; **Enter** keeps "
            "the rest as labelled, and they are not asked again."
        )
    decided = sorting(
        tiles, key="check screen", revision=f"{uid} check {current.number}", kind="right",
        answers=[[name for name, _ in each.others][:MOST] for each in shown],
        undoable=bool(current.done and by), missing=None if by else "Say your name first",
        words=WORDS, apart=True, evidence=[checking.evidence(uid, images, each) for each in shown],
        label="Probable mistakes",
    )  # fmt: skip
    if decided is None:
        return
    if decided.kind == "undo":
        checking.undo(view, current, by=by)
    elif decided.kind == "skip":
        current.passed = current.passed | {each.id for each in shown}
    elif by:
        said = []
        for row, each in enumerate(shown):
            if row not in decided.given:
                said.append(checking.kept_as_it_is(each))
            elif (label := decided.given[row]) is None:
                said.append(checking.set_aside(each))
            else:
                said.append(checking.put_right(each, label))
        if not checking.decide(view, current, said, by=by, seen=current.seen):
            return
    current.screen = None
    st.rerun()


def duplicates(view: View, current: Held, found: Checked, *, by: str) -> None:
    """Groups of images nearly the same, and what to do about each."""
    lib, uid = state.library(), view.collection.uid
    if current.done and by and st.button("Undo", icon=":material/undo:", key="check undo"):
        checking.undo(view, current, by=by)
        st.rerun()
    if not found.duplicates:
        nothing("No two images that are nearly the same have different labels.")
        return
    st.caption(
        f"Images within a distance of {found.limit:.3g} of each other, the nearest first."
        + (f" The first {GROUPS} of {len(found.duplicates):,} are shown."
           if len(found.duplicates) > GROUPS else "")
    )  # fmt: skip
    if not by and not state.settings().read_only:
        st.caption(":material/person: Say your name first, then decide.")
    seen = labels.revision(lib.catalogue, uid)
    for group in found.duplicates[:GROUPS]:
        _group(view, current, group, by=by, seen=seen)


def _group(view: View, current: Held, group: Duplicates, *, by: str, seen: int) -> None:
    lib, uid, name = state.library(), view.collection.uid, group.ids[0]
    images = lib.catalogue.images(uid, list(group.ids))
    said = dict(zip(group.ids, group.labels, strict=True))
    with st.container(border=True):
        same = len({image.content_hash for image in images}) == 1 and images[0].content_hash
        st.markdown("**The same picture**" if same else f"Distance **{group.distance:.3g}**")
        tiles = [image_tile(uid, image, title=said[image.id]) for image in images]
        gallery(tiles, key=f"check group {name}", revision=f"{uid} {group.ids}", selectable=False,
                label="Near-duplicates")  # fmt: skip
        if state.settings().read_only:
            return
        decisions: list[Decision] | None = None
        with st.container(horizontal=True, gap="small"):
            for label in dict.fromkeys(group.labels):
                all_are = f"{'Both' if len(images) == 2 else 'All'} are {state.as_text(label)}"
                if st.button(all_are, key=f"check take {name} {label}", disabled=not by):
                    decisions = [
                        Decision(id, label, reason=f"put right: nearly the same as a {label}")
                        for id in group.ids
                        if said[id] != label
                    ]
            if st.button("Right as they are", icon=":material/done_all:", disabled=not by,
                         key=f"check keep {name}", help="They are not asked again"):  # fmt: skip
                decisions = [
                    Decision(id, said[id], reason="confirmed: nearly the same as another kind")
                    for id in group.ids
                ]
            if st.button("Set aside as dubious", icon=":material/help:", disabled=not by,
                         key=f"check doubt {name}"):  # fmt: skip
                decisions = [
                    Decision(id, said[id], "dubious", reason="set aside: nearly the same")
                    for id in group.ids
                ]
        if decisions and checking.decide(view, current, decisions, by=by, seen=seen):
            current.screen = None
            st.rerun()


def overlaps(view: View, found: Checked) -> None:
    """Pairs of kinds that are taken for each other, and the images in between."""
    if not found.overlaps:
        nothing("No kind is taken for another.")
        return
    pairs = {" | ".join(each.labels): each for each in found.overlaps[:PAIRS]}
    most = f"The {PAIRS} most overlapping of {len(found.overlaps):,} pairs. "
    st.caption(
        (most if len(found.overlaps) > PAIRS else "")
        + "Kinds whose images are taken for each other by what did not know their labels: two "
        "names of one thing, a kind within another, or kinds this encoder cannot tell apart."
    )
    st.dataframe(
        [
            {
                "Kinds": " and ".join(each.labels),
                "Images": " and ".join(f"{n:,}" for n in each.images),
                "Taken for the other": " and ".join(f"{n:,}" for n in each.confused),
                "Of their neighbours": " and ".join(f"{s:.0%}" for s in each.neighbours),
                "Overlap": each.overlap,
            }
            for each in pairs.values()
        ],
        hide_index=True, height=min(38 * (len(pairs) + 1), 260),
        column_config={"Overlap": st.column_config.ProgressColumn(
            "Overlap", min_value=0.0, max_value=max(each.overlap for each in pairs.values()) or 1.0,
            format="%.2f", help="The larger share of the two that is taken for the other, small "
            "kinds held back a little.",
        )},
    )  # fmt: skip
    key = state.linked("pair", list(pairs), next(iter(pairs)))
    pair = st.selectbox(
        "Look at the images in between", list(pairs), key=key, on_change=state.follow,
        args=("pair", key), width=420,
        format_func=lambda p: " and ".join(pairs[p].labels),
    )  # fmt: skip
    _between(view, pairs[pair])


def _between(view: View, pair: Overlap) -> None:
    lib, uid = state.library(), view.collection.uid
    here = {"collection": view.collection.name, "encoder": view.encoding.encoder}
    both = Filter((Condition("label", tuple(label for label in pair.labels if label != NONE)),))
    with st.container(horizontal=True, gap="medium"):
        st.page_link("views/map.py", label="Both on the map", icon=":material/scatter_plot:",
                     query_params={**here, "filter": both.as_link(), "colour": "label"},
                     width="content")  # fmt: skip
        st.page_link("views/history.py", label="Rename or merge names", icon=":material/edit:",
                     query_params={**here, "part": "names"}, width="content")  # fmt: skip
    images = lib.catalogue.images(uid, list(pair.between))
    if not images:
        st.caption("No image lies between the two any more.")
        return
    st.caption(
        "The most undecided first. Click one to see what is like it; tick some to label them on "
        "Selection."
    )
    shown = [image.id for image in images]
    clicked = selecting.ticked(
        labelled_tiles(lib, uid, images), shown, uid, key="check between",
        revision=f"{uid} {pair.labels} {len(shown)} {shown[0]}", label="Images in between",
    )  # fmt: skip
    if clicked is not None:
        st.switch_page("views/similar.py", query_params={**here, "id": shown[clicked]})
