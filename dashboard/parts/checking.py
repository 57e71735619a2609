"""What the check page keeps of a check in this session, and what is decided there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import streamlit as st

from core import labels
from core.errors import CoreError
from core.labels import Decision
from core.library import View
from dashboard import state
from dashboard.parts import empty, rounds
from dashboard.parts.labelling import say_undone
from dashboard.parts.tiles import image_tile

if TYPE_CHECKING:
    from core.catalogue import Image
    from core.checking import Mistake
    from core.checkups import Checkup
    from dashboard.parts.gallery import Tile


@dataclass
class Held:
    """A check, what was done since, and the screen that is shown."""

    checkup: Checkup
    screen: tuple[Mistake, ...] | None = None
    """None when another one is wanted."""
    seen: int = 0
    """`labels.revision` when the screen was made."""
    number: int = 0
    """Grows with every screen."""
    asked: tuple[str, int] = ("", 0)
    """The kind and size the screen was asked with."""
    passed: frozenset[str] = frozenset()
    """Left for later."""
    known: int = 0
    """`labels.revision` after what was last done here; what is newer, others said."""
    done: tuple[str, ...] = ()
    """Actions of this session, the last one last."""


def held(view: View) -> Held:
    """The check of this session; a kept one, or a new one, when there is none.

    The page ends here while one has to be made by a job.
    """
    from core import checkups

    lib = state.library()
    every: dict[str, Held] = st.session_state.setdefault("checkups", {})
    key = f"{view.collection.uid} {view.encoding.encoder} {view.snapshot.version}"
    found = every.get(key)
    kept = checkups.kept(lib, view)
    if kept is not None and (found is None or kept.at > found.checkup.at):
        current = checkups.is_current(lib, view, kept)
        if current or found is not None or not checkups.is_quick(lib, view):
            found = every[key] = _held(kept, found)
    if found is not None:
        return found
    if not checkups.is_quick(lib, view):
        _not_yet(view)
    every[key] = _held(_made(view))
    return every[key]


def _held(checkup: Checkup, before: Held | None = None) -> Held:
    """A check to begin with; what was done in this session can still be taken back."""
    if before is None:
        return Held(checkup, known=checkup.revision)
    return Held(checkup, number=before.number, known=checkup.revision, done=before.done)


def _not_yet(view: View) -> NoReturn:
    st.subheader("Not checked yet")
    st.write("Every label is compared with those of the images most like it. It takes minutes.")
    again(view, "Check the labels")
    st.stop()


def again(view: View, text: str = "Check again") -> None:
    """A button that checks anew: at once where it takes seconds, else as a job."""
    from core import checkups

    if st.button(text, icon=":material/fact_check:", key="check again"):
        if checkups.is_quick(state.library(), view):
            _made(view)
            st.rerun()
        empty.start(
            ["labels", "check", "--collection", view.collection.name,
             "--encoder", view.encoding.encoder],
            f"Check the labels of {view.collection.name}",
        )  # fmt: skip


def _made(view: View) -> Checkup:
    from core import checkups

    with st.spinner("Comparing every label with those of the images most like it"):
        return checkups.check(state.library(), view, seed=0)


def decide(view: View, current: Held, said: Sequence[Decision], *, by: str, seen: int) -> bool:
    """Keep what was decided, as one action; what others said meanwhile is told and stays."""
    lib, uid = state.library(), view.collection.uid
    before = labels.revision(lib.catalogue, uid)
    try:
        done = labels.decide(lib.catalogue, uid, said, by=by, how=labels.CHECK, seen=seen)
    except CoreError as error:
        state.say(error)
        return False
    if done.events:
        current.done = (*current.done, done.action)
    _follow(view, current, before)
    rounds.say_taken(done)
    return True


def undo(view: View, current: Held, *, by: str) -> None:
    """Take the last action of this session back."""
    if not current.done:
        return
    before = labels.revision(state.library().catalogue, view.collection.uid)
    try:
        undone = labels.undo(state.library().catalogue, view.collection.uid, current.done[-1],
                             by=by)  # fmt: skip
    except CoreError as error:
        state.say(error)
        return
    current.done = current.done[:-1]
    current.passed = current.passed - set(undone.restored)
    _follow(view, current, before)
    say_undone(undone)


def _follow(view: View, current: Held, before: int) -> None:
    """One's own words are no news."""
    if current.known == before:
        current.known = labels.revision(state.library().catalogue, view.collection.uid)


def kept_as_it_is(mistake: Mistake) -> Decision:
    """Confirmed: it is not asked again."""
    reason = f"confirmed: {mistake.likelier} seemed likelier ({mistake.probability:.2f})"
    return Decision(mistake.id, mistake.label, reason=reason)


def put_right(mistake: Mistake, label: str) -> Decision:
    """It is something else."""
    confidence = dict(mistake.others).get(label)
    return Decision(mistake.id, label, "validated", confidence, f"put right: was {mistake.label}")


def set_aside(mistake: Mistake) -> Decision:
    """Nobody can say for sure."""
    reason = f"set aside: {mistake.label} or {mistake.likelier}"
    return Decision(mistake.id, mistake.label, "dubious", reason=reason)


def mistake_tile(uid: str, image: Image, mistake: Mistake) -> Tile:
    """The label given, and under it what it seems to be."""
    line = f"{mistake.likelier}? {mistake.probability:.0%}"
    return image_tile(uid, image, title=mistake.label, lines=[line])


def evidence(uid: str, images: dict[str, Image], mistake: Mistake) -> list[tuple[str, list[str]]]:
    """The nearest images of both labels, to be shown beside the one looked at."""
    return [
        (title, [state.thumb(uid, images[id]) for id in ids if id in images])
        for title, ids in (
            (f"most like it of {mistake.label}", mistake.near_label),
            (f"most like it of {mistake.likelier}", mistake.near_likelier),
        )
    ]
