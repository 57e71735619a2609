"""Jobs on a page: progress while they run, what they did when they end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import streamlit as st

from core import jobs
from core.errors import CoreError, NotFoundError
from core.progress import Progress, duration, sentence
from dashboard import state
from dashboard.parts.aside import left_aside

ICONS = {
    "done": ":material/check_circle:",
    "failed": ":material/error:",
    "cancelled": ":material/cancel:",
    "dead": ":material/heart_broken:",
    "starting": ":material/hourglass_top:",
    "running": ":material/sync:",
}

WAYS = (
    ("similar", "image_search", "Find similar images"),
    ("map", "scatter_plot", "See them on a map"),
)


def running_jobs() -> bool:
    """Every job that runs, on top of each page; says whether there is one."""
    active = [job.id for job in jobs.listed(state.library().workspace) if job.active]
    for id in active:
        job_card(id)
    return bool(active)


def job_card(id: str) -> None:
    """One job: live while it runs; the page is drawn anew once it ended."""
    try:
        job = jobs.read(state.library().workspace, id)
    except NotFoundError:
        return
    with st.container(border=True):
        if job.active:
            _live(id)
        else:
            _ended(job)


@st.fragment(run_every=1.0)
def _live(id: str) -> None:
    workspace = state.library().workspace
    job = jobs.read(workspace, id)
    if not job.active:
        st.rerun()  # the whole page: there is something new to show
    text, fraction = "Starting ...", None
    if job.progress is not None:
        progress = Progress(**job.progress)
        text = sentence(progress)
        if progress.total:
            fraction = min(progress.done / progress.total, 1.0)
    text += f" · {duration(seconds_since(job.created))} so far"
    head = st.columns([5, 1], vertical_alignment="center")
    head[0].markdown(f"{ICONS[job.state]} **{state.as_text(job.title)}**")
    if not state.settings().read_only and head[1].button("Stop", key=f"stop {id}", width="stretch"):
        jobs.cancel(workspace, id)
    st.progress(fraction or 0.0, text=text)


def seconds_since(moment: str) -> float:
    """Seconds since an ISO 8601 time, UTC unless it says otherwise; 0 for one to come."""
    then = datetime.fromisoformat(moment)
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max((datetime.now(UTC) - then).total_seconds(), 0.0)


def _ended(job: jobs.Job) -> None:
    settings, workspace = state.settings(), state.library().workspace
    with st.container(horizontal=True, vertical_alignment="center"):
        title = f"{ICONS[job.state]} **{state.as_text(job.title)}** · {job.state}"
        st.markdown(title, width="stretch")
        if (
            job.state != "done"
            and not settings.read_only
            and st.button("Continue", key=f"continue {job.id}")
        ):
            try:
                jobs.resume(settings, job.id)
            except CoreError as error:
                state.say(error)
                return
            st.rerun()
        if not settings.read_only and st.button("Dismiss", key=f"dismiss {job.id}"):
            jobs.forget(workspace, job.id)
            st.rerun()
    if job.error:
        show = st.info if job.state == "cancelled" else st.error
        show(state.as_text(job.error))
    if job.result:
        _report(job.result)
    if job.state == "done":
        _onward(job)


def _report(result: dict) -> None:
    if "indexed" in result:
        st.write(_counts(result))
    for note in result.get("notes") or []:
        st.caption(f":material/info: {state.as_text(note)}")
    if result.get("why"):
        why = result["why"]
        st.caption(state.as_text(why if isinstance(why, str) else " ".join(map(str, why.values()))))
    if result.get("skipped"):
        with st.expander(f"What was skipped and why ({result['skipped_count']:,})"):
            left_aside((s["uri"], s["reason"], s.get("count", 1)) for s in result["skipped"])


def _counts(result: dict) -> str:
    """``3 images came in, 1 was skipped.``: what there was none of is not said."""
    n = result["indexed"]
    told = [f"{n:,} image{'' if n == 1 else 's'} came in" if n else "No images came in"]
    for name, what in (
        ("updated", "updated"), ("already", "there already"), ("skipped_count", "skipped"),
    ):  # fmt: skip
        if n := result[name]:
            told.append(f"{n:,} {'was' if n == 1 else 'were'} {what}")
    return ", ".join(told) + "."


def _onward(job: jobs.Job) -> None:
    """From a collection that was just made or changed to where it is looked at."""
    name = collection_of(job.arguments)
    if name is None or name not in {c.name for c in state.collections()}:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        for page, icon, text in WAYS:
            st.page_link(
                f"views/{page}.py", label=text, icon=f":material/{icon}:", width="content",
                query_params={"collection": name},
            )  # fmt: skip


def collection_of(arguments: Sequence[str]) -> str | None:
    """The collection that a command leaves behind; None where it is not said."""
    said = dict(pairwise(arguments))
    if arguments[:1] == ("sample",):
        return said.get("--collection", "sample")
    return said.get("--to") or said.get("--collection")
