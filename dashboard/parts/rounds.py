"""What the label page keeps of a round in this session, and shows beside its screens."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from core.catalogue import Image
from core.library import View
from dashboard import state

if TYPE_CHECKING:
    from core.calibration import Reliability
    from core.queueing import Screen
    from core.rounds import Account, Round, Taken

MANY = 30_000
"""Images from which the first screen is waited for."""


@dataclass
class Held:
    """A round and the screen that is shown."""

    round: Round
    screen: Screen | None = None
    images: list[Image] = field(default_factory=list)
    """Those of the screen, in its order."""
    number: int = 0
    """No other screen of this session has it: what is said of one is never taken for another."""
    asked: tuple[str, int] = ("", 0)
    """The strategy and size the screen was asked with."""


def held(view: View, grow: str | None = None) -> Held | None:
    """The round that was begun on this collection with this encoder in this session.

    Parameters
    ----------
    grow : str, optional
        What a link calls the set that is grown; None for the queue.
    """
    found: Held | None = _rounds().get(_key(view, grow))
    return found


def begin(
    view: View, *, practice: bool = False, grow: str | None = None, seeds: Sequence[str] = ()
) -> Held:
    """Start a round; one that grows from these images where `grow` names them.

    Raises
    ------
    CoreError
        If there is nothing to grow from.
    """
    from core.growing import Growing
    from core.rounds import Round

    number = st.session_state.get("rounds begun", 0)  # practising again asks other images
    lib, beside = state.library(), _beside()
    if grow is None:
        made = Held(Round(lib, view, practice=practice, seed=number, beside=beside))
    else:
        made = Held(Growing(lib, view, seeds, seed=number, beside=beside))
    st.session_state["rounds begun"] = number + 1
    _rounds()[_key(view, grow)] = made
    return made


@st.cache_resource(show_spinner=False)
def _beside() -> ThreadPoolExecutor:
    """One at a time for all sessions: each takes every core there is."""
    return ThreadPoolExecutor(1, thread_name_prefix="suggestions")


def end(view: View, grow: str | None = None) -> None:
    """Forget the round; what was decided is kept."""
    _rounds().pop(_key(view, grow), None)


def screen(view: View, current: Held, strategy: str, size: int) -> Screen:
    """The screen that is shown, a new one when it was decided about or other ones are wanted."""
    if current.asked != (strategy, size):
        current.screen, current.asked = None, (strategy, size)
    while (images := _images(view, current.screen)) is None:
        with st.spinner(_looking(view)):
            current.screen = current.round.screen(strategy, size)
        st.session_state.screens = st.session_state.get("screens", 0) + 1
        current.number = st.session_state.screens
    current.images = images
    return current.screen


def _looking(view: View) -> str:
    n = len(view.snapshot.ids)
    many = f" among {n:,}: for the first screen that takes a while" if n > MANY else ""
    return f"Looking for images that belong together{many}"


def _images(view: View, shown: Screen | None) -> list[Image] | None:
    """A screen's images in its order; None where there is none, or one was deleted meanwhile."""
    if shown is None:
        return None
    found = state.library().catalogue.images(view.collection.uid, shown.ids)
    return found if [image.id for image in found] == shown.ids else None


def _rounds() -> dict[str, Held]:
    if "rounds" not in st.session_state:
        st.session_state.rounds = {}
    found: dict[str, Held] = st.session_state.rounds
    return found


def _key(view: View, grow: str | None) -> str:
    return f"{view.collection.uid} {view.encoding.encoder} {view.snapshot.version} {grow or ''}"


def account_text(account: Account) -> str:
    """How it goes, in one line."""
    parts = [f"**{account.decided:,}** decided", f"**{account.left:,}** left"]
    if account.an_hour is not None:
        parts.append(f"{account.an_hour:,.0f} images an hour")
    if account.decided:
        parts.append(f"{account.actions / account.decided:.2f} actions an image")
    if account.hours_left is not None and account.left:
        minutes = account.hours_left * 60
        ahead = f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
        parts.append(f"about {ahead} to go")
    if account.checked:
        parts.append(f"spot checks {account.agreed} of {account.checked} agree")
    return " · ".join(parts)


def say_taken(taken: Taken) -> None:
    """What somebody else decided meanwhile is shown, never overwritten."""
    if not taken.conflicts:
        return
    n = len(taken.conflicts)
    some = "; ".join(
        f"{state.as_text(each.image.rpartition('/')[2])}: "
        f"{state.as_text(each.label or 'no label')} by {state.as_text(each.by)}"
        for each in taken.conflicts[:5]
    )
    more = f" and {n - 5:,} more" if n > 5 else ""
    st.session_state.conflicts = (
        f"{n:,} image{'' if n == 1 else 's'} somebody else decided on while you looked stay as "
        f"they said: {some}{more}."
    )


def say_conflicts() -> None:
    """What `say_taken` left to be said beside the next screen."""
    if said := st.session_state.pop("conflicts", None):
        st.warning(said, icon=":material/group:")


def diagram(found: Reliability | None, why: str) -> None:
    """How far confidences can be trusted: what was said of held-out labels against the truth."""
    if found is None:
        st.caption(f"Confidences are {state.as_text(why)}.")
        return
    import plotly.graph_objects as go

    said, right = ([round(100 * v, 1) for v in part] for part in (found.said, found.right))
    figure = go.Figure(
        [
            go.Scatter(
                x=[0, 100], y=[0, 100], mode="lines", hoverinfo="skip",
                line={"dash": "dot", "color": "#8a949b"}, name="as it should be",
            ),
            go.Scatter(
                x=said, y=right, mode="lines+markers", name="held-out labels",
                customdata=list(map(int, found.n)),
                marker={"size": [6 + 14 * (n / max(found.n)) ** 0.5 for n in found.n]},
                hovertemplate="said %{x} %, right %{y} % of %{customdata} images<extra></extra>",
            ),
        ]
    )  # fmt: skip
    figure.update_layout(
        height=280, margin={"l": 0, "r": 0, "t": 8, "b": 0}, showlegend=False,
        xaxis={"title": "suggestions said (%)", "range": [0, 103]},
        yaxis={"title": "were right (%)", "range": [0, 103]},
    )  # fmt: skip
    st.plotly_chart(figure, key="reliability", config={"displayModeBar": False})
    st.caption(
        f"Of {int(sum(found.n)):,} labels that were held out, confidence and truth differ by "
        f"{100 * found.error:.1f} points on average (expected calibration error). Points on the "
        "dotted line: what says 90 % is right 90 % of the time."
    )
