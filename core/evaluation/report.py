"""An evaluation as one HTML file to hand around: figures, pictures, and how to repeat it."""

from __future__ import annotations

import base64
import io
import json
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ImageError, RangeError, SourceError
from core.evaluation import charts
from core.evaluation.best import best
from core.evaluation.figures import TITLES, Figure, decimals
from core.evaluation.robustness import CHANGES
from core.evaluation.storing import PREFIX, Evaluation
from core.library import Library
from core.sheets import picture_of
from core.writing import whole_file

DRAWN = (
    "precision_at_1",
    "precision_at_24",
    "mean_average_precision",
    "knn_accuracy",
    "knn_new_samples",
    "linear_probe_accuracy",
    "linear_probe_balanced_accuracy",
    "ami",
)
QUERIES, NEIGHBOURS = 5, 10
CELLS, OF_CELL = 6, 8
MATRIX = 60
"""Kinds of which a matrix is drawn at most."""
SIDE = 96
"""Pixels of a picture's longest side."""

STYLE = """
:root{color-scheme:light dark;--fg:#16242b;--bg:#fff;--soft:#f1f5f7;--line:#c9d3d8}
@media(prefers-color-scheme:dark){:root{--fg:#e6eef1;--bg:#0e1a20;--soft:#16262e;--line:#39505b}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);margin:2rem auto;
max-width:1100px;padding:0 1rem}h1{line-height:1.2}h2{margin-top:2.5rem}
table{border-collapse:collapse;font-size:14px}.wide{overflow-x:auto}
th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{max-width:13rem;white-space:normal;overflow-wrap:anywhere;vertical-align:bottom}
th:first-child,td:first-child{text-align:left}small{opacity:.75}
.said{background:var(--soft);border-left:4px solid #0b7285;padding:.6rem 1rem;margin:.8rem 0}
svg{max-width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--fg)}
.grid{stroke:var(--line)}.cell{stroke:var(--line);stroke-width:.5}
.key{margin-right:1.2rem;white-space:nowrap}.key i{display:inline-block;width:.8em;height:.8em;
border-radius:50%;margin-right:.4em}
.row{display:flex;flex-wrap:wrap;gap:6px;margin:.3rem 0 1rem}figure{margin:0;width:104px}
figure img{display:block;margin:auto;max-width:96px;max-height:96px}figcaption{font-size:11px;
line-height:1.25;overflow-wrap:anywhere}figure .frame{height:100px;display:flex;background:#0003;
border:2px solid transparent}figure.right .frame{border-color:#0b7285}figure.wrong .frame{
border:2px dashed #c2571a}pre{background:var(--soft);padding:1rem;overflow-x:auto;font-size:12px}
"""


def write_report(library: Library, uid: str, evaluation: Evaluation, to: Path) -> None:
    """Write the report in one step.

    Raises
    ------
    RangeError, SourceError
        As `check_report`.
    """
    check_report(to)
    text = report_html(library, uid, evaluation)
    with whole_file(to) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def check_report(to: Path) -> None:
    """Refuse, before minutes of measuring, what a report cannot be written to.

    Raises
    ------
    RangeError
        If the file is not called .html.
    SourceError
        If there is no such folder.
    """
    if to.suffix.lower() not in (".html", ".htm"):
        raise RangeError(f"the report is to be {to.name!r}; expected a name that ends with .html")
    if not to.parent.is_dir():
        raise SourceError(f"{to.parent} is no folder; expected one to write {to.name} into")


def report_html(library: Library, uid: str, evaluation: Evaluation) -> str:
    """The report: one self-contained page without scripts; every name in it is text."""
    meta = evaluation.meta
    name = str(meta["collection"])
    encoders = evaluation.encoders
    labelled = bool(len(evaluation.codes)) and meta["classes"] > 1
    parts = [_head(meta, name)]
    parts += [f"<p><b>{escape(each.sentence)}</b></p>" for each in best(meta)]
    for row in meta["encoders"]:
        said = escape(row["verdict"]["sentence"])
        parts.append(f'<div class="said"><b>{escape(row["encoder"])}</b><br>{said}</div>')
    parts.append("".join(f"<p><small>{_sentence(note)}</small></p>" for note in meta["notes"]))
    if labelled:
        rows = [row["encoder"] for row in (*meta["encoders"], *meta["baselines"])]
        drawn = [
            (TITLES[f], [evaluation.figure(e, f) for e in rows])
            for f in DRAWN
            if f in evaluation.figures
        ]
        parts += [
            "<h2>Figures</h2>",
            f"<p>{charts.legend(rows)}</p>",
            charts.intervals(drawn, rows),
            _figures(evaluation, rows),
        ]
        parts.append(_differences(meta))
        parts.append(_curves(meta))
        parts.append(_confusions(library, uid, evaluation))
        parts.append(_kinds(meta))
    parts.append(_queries(library, uid, evaluation, encoders))
    parts += [_robustness(meta), _cost(meta), _without_labels(meta), _repeat(evaluation)]
    return "\n".join([*filter(None, parts), "</body></html>\n"])


def _head(meta: Mapping[str, Any], name: str) -> str:
    by = "sample" if meta["intervals_by"] == "sample" else "image"
    counted = (
        f"{meta['images']:,} labelled images of {meta['classes']} kinds"
        if meta["images"]
        else f"{meta['of']:,} images without labels"
    )
    title = f"What encoders are worth on {name}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1><p>{escape(counted)}. Intervals hold 95 % and are over {by}s. "
        f"Made {escape(str(meta['at']))}.</p>"
    )


def _figures(evaluation: Evaluation, rows: Sequence[str]) -> str:
    ceiling = evaluation.meta["ceiling"]
    chance = evaluation.row(rows[0])["chance"]
    head = "".join(f"<th>{escape(row)}</th>" for row in rows)
    body = []
    for figure in evaluation.figures:
        cells = [_cell(evaluation.figure(row, figure)) for row in rows]
        by_chance = _cell(Figure.from_json(chance[figure])) if figure in chance else "<td></td>"
        best = f"{ceiling[figure]:.3f}" if figure in ceiling else "1"
        body.append(
            f"<tr><td>{escape(TITLES[figure])}</td>{''.join(cells)}{by_chance}<td>{best}</td></tr>"
        )
    return (
        f'<div class="wide"><table><tr><th></th>{head}<th>by chance</th><th>at best</th></tr>'
        f"{''.join(body)}</table></div><p><small>At best: what a perfect encoder gets, 1 only "
        "where every kind has an image more than are looked at. By chance: labels shuffled."
        "</small></p>"
    )


def _cell(figure: Figure) -> str:
    if figure.value is None:
        return f'<td title="{escape(figure.why or "")}">-</td>'
    ends = figure.ends()
    small = f"<br><small>{ends}</small>" if ends else ""
    return f'<td title="{escape(figure.why or "")}">{decimals(figure.value)}{small}</td>'


def _differences(meta: Mapping[str, Any]) -> str:
    shown = ("precision_at_24", "knn_accuracy", "linear_probe_accuracy")
    body = []
    for pair in meta["comparisons"]:
        cells = []
        for name in shown:
            gap = pair["differences"].get(name)
            if gap is None:
                cells.append("<td>-</td>")
                continue
            word = {True: "real", False: "may be chance", None: "unknown"}[gap["real"]]
            cells.append(_cell(Figure.from_json(gap)).replace("</td>", f"<br>{word}</td>"))
        first, second = map(escape, pair["encoders"])
        body.append(f"<tr><td>{second}<br>less {first}</td>{''.join(cells)}</tr>")
    if not body:
        return ""
    head = "".join(f"<th>{escape(TITLES[name])}</th>" for name in shown)
    return (
        "<h2>Differences</h2><p>On the same images, drawn together; real where the interval "
        f'leaves out 0.</p><div class="wide"><table><tr><th></th>{head}</tr>{"".join(body)}'
        "</table></div>"
    )


def _curves(meta: Mapping[str, Any]) -> str:
    every = [(r["encoder"], r.get("label_efficiency")) for r in meta["encoders"]]
    rows = [(name, curve) for name, curve in every if curve and not curve["why"]]
    if not rows:
        why = next((curve["why"] for _, curve in every if curve), None)
        return f"<h2>What labels bring</h2><p>{_sentence(why)}</p>" if why else ""
    parts = [
        "<h2>What labels bring</h2>",
        f"<p>Accuracy with so many labels of each kind, every kind weighing the same, on the "
        f"{len(rows[0][1]['kinds'])} kinds with images enough to tell; bars are the lowest and "
        "highest of the draws. Hollow: expected, where the largest measured point could be "
        f"predicted from the others.</p><p>{charts.legend([name for name, _ in rows])}</p>",
    ]
    for way, title in (("probe", "A classifier"), ("knn", "Nearest neighbours")):
        parts.append(f"<h3>{title}</h3>{charts.curves(rows, way=way)}")
        for name, curve in rows:
            why = curve["extended"][way]["accuracy"].get("why")
            if why and curve["extended"][way]["labels"] is None:
                said = f"{name} is not extrapolated: {why}"
                parts.append(f"<p><small>{_sentence(said)}</small></p>")
    return "".join(parts)


def _confusions(library: Library, uid: str, evaluation: Evaluation) -> str:
    kinds = evaluation.kinds
    parts = ["<h2>What is taken for what</h2>"]
    for encoder in evaluation.encoders:
        counts = evaluation.confusion(encoder)
        parts.append(f"<h3>{escape(encoder)}</h3>")
        if len(kinds) <= MATRIX:
            parts.append(f'<div class="wide">{charts.matrix(counts, kinds)}</div>')
        if encoder.startswith(PREFIX):
            continue
        off = counts - np.diag(np.diag(counts))
        for place in np.argsort(-off, axis=None, kind="stable")[:CELLS]:
            row, column = divmod(int(place), len(kinds))
            if not off[row, column]:
                break
            ids = evaluation.cell(encoder, kinds[row], kinds[column])
            said = f"{kinds[row]} taken for {kinds[column]}: {len(ids)} of {counts[row].sum()}"
            pictures = _pictures(library, uid, [(id, "", "") for id in ids[:OF_CELL]])
            parts.append(f'<p>{escape(said)}</p><div class="row">{pictures}</div>')
    return "".join(parts)


def _kinds(meta: Mapping[str, Any]) -> str:
    parts = ["<h2>Kinds</h2>"]
    for row in meta["encoders"]:
        body = []
        for kind in row.get("kinds", []):
            taken = ", ".join(f"{t['kind']} {t['images']}" for t in kind["taken_for"])
            apart = {True: "yes", False: "no", None: "too few to say"}[kind["told_apart"]]
            cells = "".join(
                _cell(Figure.from_json(kind[name]))
                for name in ("precision_at_24", "knn_recall", "linear_probe_recall")
            )
            body.append(
                f"<tr><td>{escape(kind['kind'])}</td><td>{kind['images']}</td>{cells}"
                f"<td>{kind['ceiling']:.3f}</td><td>{apart}</td><td>{escape(taken)}</td></tr>"
            )
        parts.append(
            f"<details><summary>{escape(row['encoder'])}</summary>"
            '<div class="wide"><table><tr><th>kind</th><th>images</th><th>of 24 nearest</th>'
            "<th>found by votes</th><th>found by a classifier</th><th>of 24 at best</th>"
            f"<th>told apart</th><th>taken for</th></tr>{''.join(body)}</table></div></details>"
        )
    return "".join(parts)


def _queries(library: Library, uid: str, evaluation: Evaluation, encoders: Sequence[str]) -> str:
    there = [encoder for encoder in encoders if encoder in evaluation.near]
    if not there:
        return ""
    kind_of = {
        id: evaluation.kinds[code]
        for id, code in zip(evaluation.ids, evaluation.codes.tolist(), strict=False)
    }
    parts = ["<h2>Some images and their nearest</h2>"]
    if kind_of:
        parts.append("<p>A line around a picture: of the same kind; dashed: of another.</p>")
    for id in evaluation.ids[:QUERIES]:  # their order is drawn
        for encoder in there:
            near = evaluation.neighbours(encoder, id)[:NEIGHBOURS]
            shown = [(id, kind_of.get(id, ""), "")]
            for other in near:
                word = kind_of.get(other, "")
                shown.append((other, word, "right" if word == kind_of.get(id, "") else "wrong"))
            if not kind_of:
                shown = [(other, "", "") for other, _, _ in shown]
            parts.append(
                f'<p>{escape(encoder)}</p><div class="row">{_pictures(library, uid, shown)}</div>'
            )
    return "".join(parts)


def _pictures(library: Library, uid: str, shown: Sequence[tuple[str, str, str]]) -> str:
    """Pictures with a word under them, each a JPEG inside the page."""
    known = {image.id: image for image in library.catalogue.images(uid, [id for id, *_ in shown])}
    parts = []
    for id, word, mark in shown:
        inside = "gone"
        if id in known:
            try:
                inside = _image(library, uid, known[id], id)
            except ImageError as error:
                inside = escape(error.reason)
        parts.append(
            f'<figure class="{mark}"><div class="frame">{inside}</div>'
            f"<figcaption>{escape(word)}</figcaption></figure>"
        )
    return "".join(parts)


def _image(library: Library, uid: str, image: Any, id: str) -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture_of(library, uid, image, side=SIDE)).save(out, "JPEG", quality=85)
    data = base64.b64encode(out.getvalue()).decode("ascii")
    return f'<img alt="{escape(id)}" title="{escape(id)}" src="data:image/jpeg;base64,{data}">'


def _robustness(meta: Mapping[str, Any]) -> str:
    rows = [row for row in meta["encoders"] if "robustness" in row]
    if not rows:
        return ""
    head = "".join(f"<th>{escape(row['encoder'])}</th>" for row in rows)
    kept = {
        change: [Figure.from_json(row["robustness"]["kept"][change]) for row in rows]
        for change in CHANGES
        if change in rows[0]["robustness"]["kept"]
    }
    names = [row["encoder"] for row in rows]
    body = (
        f"<tr><td>{escape(change)}</td>{''.join(map(_cell, figures))}</tr>"
        for change, figures in kept.items()
    )
    return (
        "<h2>When a picture is changed</h2><p>Share of the 24 nearest that are kept.</p>"
        f"<p>{charts.legend(names)}</p>{charts.intervals(list(kept.items()), names)}"
        f'<div class="wide"><table><tr><th></th>{head}</tr>{"".join(body)}</table></div>'
    )


def _cost(meta: Mapping[str, Any]) -> str:
    body = []
    names = ("vector_bytes", "vectors_mb", "download_mb", "images_per_second", "memory_mb")
    for row in meta["encoders"]:
        cells = "".join(
            f'<td title="{escape(row["cost"]["why"].get(name, ""))}">'
            f"{'-' if row['cost'][name] is None else format(row['cost'][name], ',.10g')}</td>"
            for name in names
        )
        body.append(f"<tr><td>{escape(row['encoder'])}</td>{cells}</tr>")
    return (
        '<h2>What it costs</h2><div class="wide"><table><tr><th></th><th>bytes a vector</th>'
        "<th>MB of vectors here</th><th>MB to download</th><th>images a second here</th>"
        f"<th>MB of memory</th></tr>{''.join(body)}</table></div>"
    )


def _without_labels(meta: Mapping[str, Any]) -> str:
    said = meta["without_labels"]
    lines = [
        f"{' and '.join(pair['encoders'])} share {Figure.from_json(pair['shared'])} of an image's "
        f"nearest (by chance {pair['chance']:.3f})"
        for pair in said["agreement"]
    ]
    lines += [
        f"clusters of {one['encoder']} ({one['name']}) come back with a stability of "
        f"{one['stability']:.2f}"
        for one in said["clusterings"]
        if one["stability"] is not None
    ]
    lines.append(f"{said['copies']:,} images are copies of others")
    return (
        "<h2>What needs no labels</h2><ul>"
        + "".join(f"<li>{_sentence(line)}</li>" for line in lines)
        + "</ul>"
    )


def _repeat(evaluation: Evaluation) -> str:
    meta = evaluation.meta
    words = ["python", "-m", "core", "evaluate", "--collection", str(meta["collection"])]
    for encoder in meta["covers"]:
        words += ["--encoder", encoder]
    made_here = set(evaluation.encoders) - set(meta["covers"])
    words += ["--joined"] if made_here else []
    words += ["--robustness"] if any("robustness" in row for row in meta["encoders"]) else []
    words += ["--seed", str(meta["seed"])]
    kept = {
        key: meta[key]
        for key in ("seed", "at", "seconds", "parameters", "versions", "covers", "labels_revision")
    }
    return (
        f"<h2>To repeat it</h2><pre>{escape(shlex.join(words))}</pre>"
        f"<pre>{escape(json.dumps(kept, indent=2, ensure_ascii=False))}</pre>"
    )


def _sentence(text: str) -> str:
    whole = text[:1].upper() + text[1:]
    return escape(whole if whole.endswith(".") else f"{whole}.")
