"""Figures of trust for a person: each with one plain sentence on what it means here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.trust import CHANCE, DISSOLVED, REPEATABLE

APART, TOUCHING = 0.5, 0.25
"""Silhouettes from which groups lie apart, and from which they touch (Kaufman & Rousseeuw 1990)."""
SAME, ALIKE = 0.8, 0.4
"""Adjusted mutual information from which two groupings say the same, and much the same."""
NAMED = 5
"""Clusters that one sentence names."""


@dataclass(frozen=True)
class Told:
    """One figure."""

    title: str
    value: str
    """As it is shown; a dash where it cannot be had."""
    sentence: str


def verdict_words(meta: Mapping[str, Any]) -> tuple[str, str]:
    """``trust``, ``partly``, ``nothing``, or ``unknown`` of an older clustering; and the sentence.

    Examples
    --------
    >>> verdict_words({"verdict": "partly", "verdict_sentence": "Trust these groups in part: ..."})
    ('partly', 'Trust these groups in part: ...')
    >>> verdict_words({"stability": 0.9})[0]
    'unknown'
    """
    if meta.get("verdict") is None:
        return "unknown", (
            "How far to trust this clustering is not known: it was made before that was measured, "
            "or edited since. Make it again to know."
        )
    return meta["verdict"], meta["verdict_sentence"]


def figures(meta: Mapping[str, Any]) -> list[Told]:
    """Of a clustering as it was kept: noise, silhouette, stability, which clusters fall apart."""
    told = [_noise(meta), _silhouette(meta), _stability(meta)]
    each = meta.get("cluster_stability")
    if meta.get("stability") is None or not each:
        return told
    back = sum(value is not None and value >= DISSOLVED for value in each)
    sentence = weak_clusters(each, left_out=left_out_text(meta))
    return [*told, Told("Clusters that come back", f"{back} of {len(each)}", sentence)]


def noise_sentence(share: float) -> str:
    """What a share of noise means.

    Examples
    --------
    >>> noise_sentence(0.41), noise_sentence(0.04), noise_sentence(0.0)
    ('About 4 in 10 images fit no group.', 'About 1 in 25 images fits no group.', 'Every image is \
in a group.')
    """
    if share == 0:
        return "Every image is in a group."
    if share == 1:
        return "No image is in a group."
    if share < 0.15:
        return f"About 1 in {round(1 / share):,} images fits no group."
    if share > 0.95:
        return "Nearly no image fits any group."
    return f"About {round(10 * share)} in 10 images fit no group."


def weak_clusters(each: Sequence[float | None], *, left_out: str) -> str:
    """Which clusters fall apart.

    Examples
    --------
    >>> weak_clusters([0.9, 0.8, 0.3], left_out="20 % of the images are left out")
    'Cluster 2 falls apart when 20 % of the images are left out.'
    """
    weak = [number for number, value in enumerate(each) if value is not None and value < DISSOLVED]
    if not weak:
        return f"No cluster falls apart when {left_out}."
    if len(weak) == len(each):
        return f"Every cluster falls apart when {left_out}."
    if len(weak) == 1:
        return f"Cluster {weak[0]} falls apart when {left_out}."
    if len(weak) <= NAMED:
        named = f"{', '.join(map(str, weak[:-1]))} and {weak[-1]}"
        return f"Clusters {named} fall apart when {left_out}."
    return f"{len(weak)} of {len(each)} clusters fall apart when {left_out}."


def agreement_told(found: Mapping[str, Any], other: str) -> Told:
    """How a clustering agrees with another; `found` is of `core.analysis.compared`."""
    ami, ari = found["ami"], found["ari"]
    title = "Agreement"
    if ami is None:
        return Told(title, "–", f"No image is in both this clustering and “{other}”.")
    if ami >= SAME:
        sentence = f"“{other}” finds nearly the same groups."
    elif ami >= ALIKE:
        sentence = f"“{other}” finds many of the same groups, and draws others differently."
    else:
        sentence = f"“{other}” finds other groups: at most one of the two can be relied on."
    return Told(title, f"AMI {ami:.2f} · ARI {ari:.2f}", sentence)


def labels_told(found: Mapping[str, Any]) -> list[Told]:
    """How clusters go with labels; `found` is of `core.analysis.against_labels`."""
    if found["ami"] is None:
        return []
    ami, pure, whole = found["ami"], found["homogeneity"], found["completeness"]
    known = f"the {found['labels']} labels on {found['images']:,} images"
    if ami >= SAME:
        agree = f"The groups are nearly those of {known}."
    elif ami >= ALIKE:
        agree = f"The groups follow {known} in good part."
    elif ami >= 0.1:
        agree = f"The groups follow {known} a little."
    else:
        agree = f"The groups have nothing to do with {known}."
    return [
        Told("Agreement with labels", f"{ami:.2f}", agree),
        Told("Homogeneity", f"{pure:.2f}", _degree(
            pure,
            "A group holds nearly always one label.",
            "A group holds mostly one label, with some of others.",
            "A group mixes several labels.",
        )),
        Told("Completeness", f"{whole:.2f}", _degree(
            whole,
            "Images of one label are nearly always in one group.",
            "Images of one label are mostly in one group, some in others.",
            "Images of one label are spread over several groups.",
        )),
    ]  # fmt: skip


def _degree(value: float, high: str, middle: str, low: str) -> str:
    return high if value >= 0.85 else middle if value >= 0.6 else low


def _noise(meta: Mapping[str, Any]) -> Told:
    share = meta.get("noise_share")
    if share is None:
        return Told("In no group", "–", "There are no images.")
    percent = f"{share:.1%}" if 0 < share < 0.095 else f"{share:.0%}"
    return Told("In no group", percent.replace("%", " %"), noise_sentence(share))


def _silhouette(meta: Mapping[str, Any]) -> Told:
    value, title = meta.get("silhouette"), "Silhouette"
    if value is None:
        return Told(title, "–", _reason(meta, "silhouette"))
    if value >= APART:
        sentence = "The groups lie well apart"
    elif value >= TOUCHING:
        sentence = "The groups touch one another"
    else:
        sentence = "The groups run into one another"
    again, cloud = meta.get("rerun_silhouette"), meta.get("shapeless_silhouette")
    if again is not None and cloud is not None:
        sentence += (
            f"; clustered again it is {again:.2f}, and {cloud:.2f} in one shapeless cloud of "
            "vectors, with 0 for images in no group"
        )
    return Told(title, f"{value:.2f}", f"{sentence}.")


def _stability(meta: Mapping[str, Any]) -> Told:
    value, title = meta.get("stability"), "Stability"
    if value is None:
        return Told(title, "–", _reason(meta, "stability"))
    low, high = meta.get("stability_low"), meta.get("stability_high")
    shown = f"{value:.2f}" if low is None else f"{value:.2f} ({low:.2f} to {high:.2f})"
    left_out = left_out_text(meta)
    if value >= REPEATABLE:
        sentence = f"Much the same groups come back when {left_out}."
    elif value >= CHANCE:
        sentence = f"Only part of the grouping comes back when {left_out}."
    else:
        sentence = f"Other groups come out when {left_out}."
    return Told(title, shown, sentence)


def left_out_text(meta: Mapping[str, Any]) -> str:
    """What the re-runs did without, as the end of a sentence that begins with "when".

    Examples
    --------
    >>> left_out_text({"points": 1500, "stability_images": 1200})
    '20 % of the images are left out'
    >>> left_out_text({"points": 100_000, "stability_images": 4000})
    'only 4,000 of the images are used'
    """
    size, n = meta.get("stability_images"), meta.get("points")
    if size is None or n is None or size >= 0.75 * n:
        return "20 % of the images are left out"
    return f"only {size:,} of the images are used"


def _reason(meta: Mapping[str, Any], figure: str) -> str:
    why = meta.get("why") or {}
    text = why.get(figure) if isinstance(why, Mapping) else None
    return f"It cannot be measured: {text}." if text else "It was not measured."
