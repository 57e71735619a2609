"""The report: one file, all text escaped, figures as they are, nothing fetched."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core import labels
from core.__main__ import main
from core.evaluation import charts
from core.evaluation.figures import Figure, absent
from core.labels import Decision
from core.library import Library
from core.settings import Settings
from tests.core.prepared import IDS, prepared

NASTY = "<script>alert(1)</script>&\"'"


@pytest.fixture(autouse=True)
def filled(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    for name in ("PLANKTON_WORKSPACE", "PLANKTON_STORE", "PLANKTON_CATALOGUE"):
        monkeypatch.delenv(name, raising=False)
    return prepared(tmp_path_factory, settings.workspace)


@pytest.fixture
def report(settings: Settings, tmp_path: Path) -> Callable[..., str]:
    """Writes a report and gives its text."""

    def call(*arguments: str) -> str:
        to = tmp_path / "report.html"
        options = ["-o", str(to), "--json", "--workspace", str(settings.workspace)]
        assert main(["evaluate", "--collection", "run", *arguments, *options]) == 0
        return to.read_text("utf-8")

    return call


class Page(HTMLParser):
    """What a browser would open, fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.addresses: list[str] = []
        self.stack: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.addresses += [v for k, v in attrs if k in ("src", "href", "data", "action")]
        assert not any(key.startswith("on") for key, _ in attrs)
        if tag not in ("meta", "br", "img", "circle", "line", "polyline"):
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def test_it_stands_alone(report: Callable[..., str]):
    text = report()
    page = Page(text)
    assert page.stack == []
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert page.addresses
    for address in page.addresses:
        assert address.startswith("data:image/jpeg;base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(page.addresses[0].split(",")[1])))
    assert picture.format == "JPEG"
    assert max(picture.size) <= 96
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src" in text
    assert page.tags["svg"] >= 2


def test_it_says_what_was_measured_and_how_to_repeat_it(
    report: Callable[..., str], library: Library
):
    from core.evaluation.storing import load

    text = report("--seed", "4")
    uid = library.catalogue.collection("run").uid
    kept = load(library.workspace, uid, "descriptors")
    value = kept.figure("descriptors", "knn_accuracy").value
    assert f'<td title="">{value:.3f}<br>' in text
    assert "20 labelled images of 2 kinds" in text
    assert "python -m core evaluate --collection run --encoder descriptors --seed 4" in text
    assert kept.meta["covers"]["descriptors"]["fingerprint"] in text
    assert "scikit-learn" in text


def test_names_are_text(report: Callable[..., str], library: Library):
    uid = library.catalogue.collection("run").uid
    labels.record(library.catalogue, uid, [Decision(id, NASTY) for id in IDS[::2]], by="ann")
    text = report()
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    Page(text)


def test_it_can_be_had_without_labels_and_without_pictures(
    report: Callable[..., str], library: Library, settings: Settings
):
    uid = library.catalogue.collection("run").uid
    labels.record(library.catalogue, uid, [Decision(id, None) for id in IDS], by="ann")
    text = report()
    assert "20 images without labels" in text
    assert "Nothing can be said yet" in text
    Page(text)


@pytest.mark.parametrize(
    ("name", "words"),
    [("report.pdf", "expected a name that ends with .html"), ("no/x.html", "is no folder")],
)
def test_where_it_cannot_be_written(
    name: str, words: str, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    options = ["--workspace", str(settings.workspace), "-o", str(tmp_path / name)]
    assert main(["evaluate", "--collection", "run", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert "Neighbours" not in err  # told before anything is measured


def test_charts_by_hand():
    drawn = charts.intervals([("a < b", [Figure(0.5, 0.25, 0.75), absent("x")])], ["one", "two"])
    assert "a &lt; b" in drawn
    assert re.findall(r"<circle cx=\"([0-9.]+)\"", drawn) == ["445.0"]  # 230 + 430 / 2
    assert 'x1="337.5" x2="552.5"' in drawn
    told = charts.matrix(np.array([[3, 1], [0, 4]]), ["x", "y"])
    assert "x taken for y: 1 of 4" in told
    assert told.count("<rect") == 4
    assert 'fill-opacity="0.250"' in told
    points = [{"labels": n, "mean": v, "low": v, "high": v} for n, v in ((1, 0.2), (4, 0.6))]
    more = {"labels": 8, "accuracy": Figure(0.7, 0.6, 0.8).as_json()}
    curve = {"knn": points, "extended": {"knn": more}}
    line = charts.curves([("e", curve)], way="knn")
    assert 'points="46.0,202.0 392.7,106.0"' in line
    assert "0.700 (0.600 to 0.800) expected with 8" in line
    none = {"labels": None, "accuracy": absent("no").as_json()}
    assert "expected with" not in charts.curves(
        [("e", {**curve, "extended": {"knn": none}})], way="knn"
    )
