"""A filter's working point: the target first, then the threshold, then what that costs."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from core.outcome import Outcome
from core.screen import Screen
from core.screen_telling import digits, goal, percent
from dashboard import state
from dashboard.parts.screen_sorting import ask_to_sort

TARGETS = (0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 0.999)


def working_point(made: Screen) -> tuple[Screen, dict[str, float]]:
    """The controls; gives the filter at the point chosen, and the thresholds there are to choose.

    The link says both; without a threshold it is the one found for the target.
    """
    targets = sorted({*TARGETS, made.target})
    key = state.linked("target", targets, made.target)
    left, right = st.columns(2, gap="large", vertical_alignment="bottom")
    with left:
        target: float = st.select_slider(
            "Keep at least this much of the plankton", targets, format_func=goal, key=key,
            on_change=state.follow, args=("target", key), kwargs={"also": ("threshold",)},
        )  # fmt: skip
    found = made.at_target(target)
    # a model kept at a threshold of one's own begins there
    start = made.threshold if target == made.target else found.threshold
    options = _thresholds(made, start, found.threshold)
    first = digits(start)
    key = "screen threshold"
    st.session_state[key] = _asked(options) or first

    def moved() -> None:
        chosen = st.session_state[key]
        state.set_link(threshold=None if chosen == first else chosen)

    with right:
        chosen: str = st.select_slider(
            "Threshold: images with a lower score are dropped", list(options), key=key,
            on_change=moved,
            help="It follows the target. Move it, or drag the point on a curve below, to see what "
            "another one costs.",
        )  # fmt: skip
    at = found if options[chosen] == found.threshold else found.at_threshold(options[chosen])
    return at, options


def _thresholds(made: Screen, *always: float) -> dict[str, float]:
    """Thresholds by their text, ascending: evenly spread over the images, and these exactly."""
    found = {digits(t): t for t in made.screened.kept_dropped()["threshold"]}
    found |= {digits(t): t for t in always}
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


def _asked(options: dict[str, float]) -> str | None:
    """What the link asks for, or what is nearest to it."""
    asked = st.query_params.get("threshold", "")
    if asked in options:
        return asked
    with suppress(ValueError):
        wanted = float(asked)
        if 0 <= wanted <= 1:
            return min(options, key=lambda text: abs(options[text] - wanted))
    return None


def cost(at: Screen, outcome: Outcome) -> None:
    """Whether it is promised, and the price in figures."""
    with st.container(border=True, key="screen cost"):
        _verdict(at)
        _figures(at, outcome)


def _verdict(at: Screen) -> None:
    asked = goal(at.target)
    if at.promised:
        st.markdown(
            f":green-badge[:material/verified: promised] &nbsp;**At least {asked} of the plankton "
            "is kept**, with 95 % confidence."
        )
        return
    found = at.at_target(at.target)
    if found.promised:
        st.markdown(
            f":orange-badge[:material/rule: not promised] &nbsp;**Less than {asked} may be kept "
            f"here**: up to the threshold {digits(found.threshold)} it is promised; this one was "
            "chosen by looking, and what it keeps is an estimate."
        )
        return
    n = at.labels_needed
    until = f"Until then the threshold {digits(at.threshold)} is an estimate."
    if at.threshold > found.threshold:
        until = (
            f"The threshold {digits(at.threshold)} was chosen by looking; {asked} would need one "
            f"of {digits(found.threshold)} or less."
        )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f":orange-badge[:material/rule: an estimate] &nbsp;**{asked} cannot be promised yet**: "
            f"about {n:,} more label{'' if n == 1 else 's'} to keep would be needed, none of them "
            f"lost. {until} {_best(at)}",
            width="stretch",
        )
        if not state.settings().read_only and (at.screened.truth < 0).any():
            ask_to_sort()


def _best(at: Screen) -> str:
    """The most that these labels promise."""
    sure = [target for target in TARGETS if at.at_target(target).promised]
    return (
        f"What can be promised now is **{goal(max(sure))}**."
        if sure
        else (f"Not even {goal(TARGETS[0])} can be promised with these labels.")
    )


def _figures(at: Screen, outcome: Outcome) -> None:
    low, high = outcome.recall_ci95
    n = len(at.screened.samples)
    row = st.container(horizontal=True, gap="small")  # wraps where a window is narrow
    columns = [row.container(width=162) for _ in range(5)]  # two beside each other on a phone
    columns[0].metric(
        "Plankton kept", percent(outcome.recall),
        delta=f"95 %: {100 * low:.1f} to {100 * high:.1f} %", delta_color="off", delta_arrow="off",
        help="Recall: share of the labelled images to keep that the filter keeps, each judged by a "
        "filter that never saw it, with its 95 % interval.",
    )  # fmt: skip
    columns[1].metric(
        "Images dropped", percent(outcome.dropped_share),
        delta=f"{outcome.dropped:,} of {outcome.kept + outcome.dropped:,}",
        delta_color="off", delta_arrow="off",
    )  # fmt: skip
    share = outcome.dropped_bytes_share
    columns[2].metric(
        "Storage saved", "–" if share is None else percent(share),
        delta="not known" if share is None else "of all bytes",
        delta_color="off", delta_arrow="off",
        help=(outcome.why.get("dropped_bytes_share") or "Share of the bytes of all files.")
        .capitalize(),
    )  # fmt: skip
    if n:
        columns[3].metric(
            "Plankton lost a sample", f"{outcome.expected_lost / n:.2g}",
            delta=f"{outcome.expected_lost:,.1f} in {n:,} samples",
            delta_color="off", delta_arrow="off",
            help="Images to keep that are expected among the dropped: labelled ones counted, "
            "others by their score.",
        )  # fmt: skip
    else:
        of = outcome.kept + outcome.dropped
        columns[3].metric(
            "Plankton lost", f"{1000 * outcome.expected_lost / of:.2g}",
            delta="per 1,000 images", delta_color="off", delta_arrow="off",
            help="No image has a sample, so this is of all images: labelled ones counted, others "
            "by their score.",
        )  # fmt: skip
    columns[4].metric(
        "Kept as unfamiliar", f"{outcome.unfamiliar:,}",
        delta=f"of {int(at.screened.unfamiliar.sum()):,} unlike the labelled",
        delta_color="off", delta_arrow="off",
        help="Images unlike anything that was labelled are kept whatever their score: these would "
        "be dropped by it.",
    )  # fmt: skip


def checked(at: Screen, outcome: Outcome) -> None:
    """How the figures came about, and how often it is right."""
    if at.screened.validated_by == "sample":
        n = len({int(code) for code in at.screened.sample[at.screened.truth >= 0] if code >= 0})
        said = (
            f"Checked **by sample**: each of {n:,} samples was judged by filters trained on other "
            "samples, as a new haul will be."
        )
        if at.screened.effect > 1.05:
            said += (
                " Mistakes come together in samples: the interval counts "
                f"{at.screened.effect:.1f} images as one."
            )
    else:
        why = f" ({state.as_text(at.why)})" if at.why else ", since no image has a sample"
        said = (
            f"Checked **by image**{why}: each was judged by a filter that never saw it, but that "
            "saw others of its haul. New samples differ more: expect less there, and audit what "
            "is dropped."
        )
    t = at.training
    right = percent(at.screened.accuracy)
    st.caption(
        f"{said} Trained on {t['keep']:,} images to keep and {t['drop']:,} to drop, of "
        f"{len(at.screened.ids):,}. Of the labelled images {percent(outcome.accuracy)} are decided "
        f"rightly at this threshold, {right} at 0.5; average precision "
        f"{at.screened.average_precision:.3f}.".replace(" %", "\u00a0%")
    )
