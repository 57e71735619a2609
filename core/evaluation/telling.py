"""An evaluation in the terminal: what it comes to in words, then the figures as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.evaluation.best import best
from core.evaluation.figures import TITLES, Figure
from core.showing import printable, table

WORST = 8
"""Kinds told worst that are named."""
REST = "kinds, confusions, label efficiency and images of disagreement"


def told(meta: Mapping[str, Any]) -> list[str]:
    """Lines for people of what ``evaluate --json`` prints.

    Parameters
    ----------
    meta : mapping
        With ``report``, the path, where one was written.
    """
    by = f"; intervals hold 95 % and are over {meta['intervals_by']}s"
    counted = f"{meta['labelled']:,} labelled of {meta['of']:,} images, {meta['classes']:,} kinds"
    lines = [f"{meta['collection']}: {counted}{by if meta['classes'] > 1 else ''}", ""]
    lines += [each.sentence for each in best(meta)]
    for row in meta["encoders"]:
        lines += [f"{row['encoder']}: {row['verdict']['sentence']}"]
    if meta["classes"] > 1:
        lines += ["", *_figures(meta), *_differences(meta)]
        for row in meta["encoders"]:
            lines += _worst(row)
    lines += [f"note: {note}" for note in meta["notes"]]
    lines += ["", f"--json gives all: {REST}"]
    if "report" in meta:
        lines.append(f"report: {meta['report']}")
    return [printable(line) for line in lines]


def _figures(meta: Mapping[str, Any]) -> list[str]:
    rows = [*meta["encoders"], *meta["baselines"]]
    chance, ceiling = rows[0]["chance"], meta["ceiling"]
    head = ["", *(row["encoder"] for row in rows), "by chance", "at best"]
    body = []
    for name in TITLES:
        if not any(name in row for row in rows):
            continue
        by_chance = f"{chance[name]['value']:.3f}" if name in chance else ""
        cells = [str(Figure.from_json(row[name])) if name in row else "-" for row in rows]
        body.append([TITLES[name], *cells, by_chance, f"{ceiling.get(name, 1):.3f}"])
    return table([head, *body])


def _differences(meta: Mapping[str, Any]) -> list[str]:
    """Between encoders; what is not real is said to be perhaps chance."""
    words = {True: "real", False: "may be chance", None: "unknown"}
    rows = [
        [f"{second} less {first}", TITLES[name], str(Figure.from_json(gap)), words[gap["real"]]]
        for pair in meta["comparisons"]
        for first, second in [pair["encoders"]]
        for name in ("precision_at_24", "knn_accuracy", "linear_probe_accuracy")
        if (gap := pair["differences"].get(name)) is not None
    ]
    return ["", *table(rows)] if rows else []


def _worst(row: Mapping[str, Any]) -> list[str]:
    every = row.get("kinds", [])  # nobody finds another of a kind of one image
    kinds = [k for k in every if k["precision_at_24"]["value"] is not None and k["ceiling"] > 0]
    worst = sorted(kinds, key=lambda kind: kind["precision_at_24"]["value"] / kind["ceiling"])
    head = ["told worst", "images", TITLES["precision_at_24"], "at best", "taken for"]
    body = [
        [
            kind["kind"],
            f"{kind['images']:,}",
            str(Figure.from_json(kind["precision_at_24"])),
            f"{kind['ceiling']:.3f}",
            ", ".join(f"{taken['kind']} {taken['images']:,}" for taken in kind["taken_for"][:3]),
        ]
        for kind in worst[:WORST]
    ]
    return ["", f"{row['encoder']}", *table([head, *body])] if body else []
