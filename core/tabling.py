"""A composition to take away: as tables, as CSV, and as the command line answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from core.cells import is_formula
from core.columns import columns
from core.composition import ALL, Composition, composed, has_samples, kinds_of, set_apart
from core.filtering import Filter, check
from core.library import Library, View
from core.writing import whole_file

Table: TypeAlias = Mapping[str, Sequence[Any]]
"""header -> cells, one a row; None for a figure that cannot be had."""

TABLES = ("wide", "long", "diversity")


def distinct(names: Iterable[str]) -> list[str]:
    """Names with a number behind those that were there before, so that each is a header.

    Examples
    --------
    >>> distinct(["sample", "Copepod", "sample"])
    ['sample', 'Copepod', 'sample (2)']
    """
    out: dict[str, None] = {}
    for name in names:
        free, n = name, 1
        while free in out:
            n += 1
            free = f"{name} ({n})"
        out[free] = None
    return list(out)


def wide(made: Composition, by: str) -> Table:
    """Counts, a row a group, a column a kind; those that are no kind come last."""
    names = distinct([by, *(kind.name for kind in made.kinds)])
    cells = [[group.name for group in made.groups], *made.counts.T.tolist()]
    return dict(zip(names, cells, strict=True))


def long(made: Composition, by: str) -> Table:
    """Count and share of each kind in each group, zeros too, a row each."""
    g, k = made.counts.shape
    head = distinct(["kind", "is_kind", "count", "share", by])[-1]
    return {
        head: [group.name for group in made.groups for _ in range(k)],
        "kind": [kind.name for kind in made.kinds] * g,
        "is_kind": [not kind.none for kind in made.kinds] * g,
        "count": made.counts.ravel().tolist(),
        "share": made.shares.round(6).ravel().tolist(),
    }


def diversity(made: Composition, by: str) -> Table:
    """Effort and diversity of each group."""
    fixed = ["images", "counted", "richness", "shannon_ln", "evenness", "rarefied_richness"]
    fixed += ["rarefied_to", "date"]
    head = distinct([*fixed, by])[-1]
    return {
        head: [group.name for group in made.groups],
        "date": [None if g.day is None else _iso(g.day) for g in made.groups],
        "images": made.images.tolist(),
        "counted": made.counts[:, made.counted].sum(axis=1).tolist(),
        "richness": made.richness.tolist(),
        "shannon_ln": _figures(made.shannon),
        "evenness": _figures(made.evenness),
        "rarefied_richness": _figures(made.rarefied),
        "rarefied_to": [made.rarefied_to] * len(made.groups),
    }


def shown(made: Composition, title: str, *, shares: bool) -> Table:
    """Diversity, then the count of each kind, or its share in percent: what a page shows."""
    figures = list(diversity(made, title).values())
    heads = [title[:1].upper() + title[1:], "Date", "Images", "Counted", "Richness", "Shannon"]
    heads += ["Evenness", f"Rarefied to {made.rarefied_to}"]
    cells = list(zip(heads, figures, strict=False))
    if any(group.day is None and not group.missing for group in made.groups):
        del cells[1]
    if made.rarefied_to is None:
        cells.pop()
    numbers = ((made.shares * 100).round(1) if shares else made.counts).T.tolist()
    cells += [(kind.name, column) for kind, column in zip(made.kinds, numbers, strict=True)]
    return dict(
        zip(distinct(head for head, _ in cells), (column for _, column in cells), strict=True)
    )


def table(made: Composition, by: str, kind: str) -> Table:
    """One of `TABLES`."""
    return {"wide": wide, "long": long, "diversity": diversity}[kind](made, by)


def csv_bytes(table: Table) -> bytes:
    """A table as CSV that spreadsheets read as UTF-8, and no cell of which they run."""
    import pandas as pd

    frame = pd.DataFrame({_safe(name): [_safe(c) for c in cells] for name, cells in table.items()})
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8-sig", "backslashreplace")


def _safe(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and is_formula(cell) else cell


def _figures(values: Any) -> list[float | None]:
    return [None if np.isnan(v) else round(float(v), 6) for v in values]


def _iso(day: float) -> str:
    return date.fromordinal(int(day)).isoformat()


def composition(
    library: Library,
    view: View,
    *,
    of: str = "cluster",
    clustering: str | None = None,
    validated: bool = False,
    apart: Collection[str] = (),
    by: str | None = None,
    where: Iterable[str] = (),
    without: str = "apart",
    order: str | None = None,
    rarefy: int | None = None,
    to: Path | None = None,
    kind: str = "wide",
) -> dict[str, Any]:
    """What the command line answers; with `to`, a table is written there too."""
    known = columns(library, view)
    only = Filter.of(where=where)
    check(known, only)
    kinds = kinds_of(library, view, of=of, clustering=clustering, validated=validated)
    kinds = set_apart(kinds, apart)
    chosen = by or ("sample" if has_samples(known) else ALL)
    made = composed(known, kinds, by=chosen, only=only, without=without, order=order, rarefy=rarefy)
    answer: dict[str, Any] = {
        "of": of,
        "by": chosen,
        "binned": made.binned or None,
        "images": int(made.images.sum()),
        "without_kind": made.without,
        "without": without,
        "rarefied_to": made.rarefied_to,
        "kinds": [
            {"name": name, "images": int(n), "counted": bool(counts)}
            for name, n, counts in zip(
                distinct(k.name for k in made.kinds),
                made.counts.sum(axis=0),
                made.counted,
                strict=True,
            )
        ],
        "groups": _entries(made, chosen),
    }
    if by is None and chosen == ALL:
        answer["why"] = (
            "No image has a sample, so all are one group: index the folder again with "
            "`--samples folder`, or give another column with --by."
        )
    if to is not None:
        with whole_file(to) as path:
            path.write_bytes(csv_bytes(table(made, chosen, kind)))
        answer["file"] = str(to)
    return answer


def _entries(made: Composition, by: str) -> list[dict[str, Any]]:
    figures = diversity(made, by)
    names = distinct(kind.name for kind in made.kinds)
    out = []
    for g, group in enumerate(made.groups):
        entry: dict[str, Any] = {"group": group.name}
        for name, cells in list(figures.items())[1:-1]:
            entry[name] = cells[g]
        shares = made.shares[g].round(6).tolist()
        entry["counts"] = dict(zip(names, made.counts[g].tolist(), strict=True))
        entry["shares"] = dict(zip(names, shares, strict=True))
        if (why := _why(entry, made.rarefied_to)) is not None:
            entry["why"] = why
        out.append(entry)
    return out


def _why(entry: Mapping[str, Any], drawn: int | None) -> str | None:
    """Why a figure of a group cannot be had."""
    if not entry["counted"]:
        return "no image of it is counted"
    if drawn is not None and entry["counted"] < drawn:
        return f"fewer than {drawn:,} images to draw"
    if entry["evenness"] is None:
        return "evenness needs two kinds"
    return None
