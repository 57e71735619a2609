"""Tables read back with pandas, as a person would."""

from __future__ import annotations

import io
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from core import analysis, labels
from core.errors import CoreError, NotFoundError, SourceError
from core.exporting import csv_bytes, export
from core.indexing import index
from core.labels import Decision
from core.library import Library, View
from core.matching import similar_to_id
from core.settings import Settings
from core.sheets import matches_csv
from tests.core.conftest import Pictures
from tests.core.prepared import IDS, IMAGES, prepared

CONTRACT = ["id", "uri", "label", "label_status", "cluster", "x", "y"]


@pytest.fixture
def library(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    prepared(tmp_path_factory, settings.workspace)
    opened = Library.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def view(library: Library) -> View:
    return library.vectors(library.catalogue.collection("run"))


def describe(library: Library, view: View, id: str, metadata: dict[str, object]) -> None:
    rows = library.catalogue.image_rows(view.collection.uid)
    (row,) = [row for row in rows if row.id == id]
    library.catalogue.put_images(view.collection.uid, [replace(row, metadata=metadata)])


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_columns_of_the_contract_come_first(
    library: Library, view: View, tmp_path: Path, format: str
):
    to = tmp_path / f"out.{format}"
    done = export(library, view, to=to, format=format)
    assert done == {"file": str(to), "format": format, "images": IMAGES, "escaped": 0}
    frame = pd.read_csv(to) if format == "csv" else pd.read_parquet(to)
    assert list(frame.columns[:7]) == CONTRACT
    assert "vector" not in frame
    assert list(frame["id"]) == view.snapshot.ids
    assert set(frame["label"]) == {"Copepod", "Detritus"}
    assert set(frame["label_status"]) == {"validated"}
    assert frame["cluster"].isna().all()
    assert frame["x"].isna().all()
    assert all(Path(uri).is_file() for uri in frame["uri"])
    assert [each.name for each in tmp_path.glob(".*")] == []


def test_clusters_and_places(library: Library, view: View, tmp_path: Path, pictures: Pictures):
    analysis.make_map(library, view, method="pca", seed=0)
    analysis.make_clustering(library, view, method="kmeans", k=2, name="two", seed=0)
    analysis.make_clustering(library, view, method="kmeans", k=3, name="three", seed=0)
    index(library, collection="run", source=str(pictures(1, name="late")))
    view = library.vectors(library.catalogue.collection("run"))
    export(library, view, to=tmp_path / "a.parquet", format="parquet")
    frame = pd.read_parquet(tmp_path / "a.parquet").set_index("id")
    assert set(frame["cluster"].dropna()) == {0, 1, 2}
    assert list(frame.index[frame["cluster"].isna()]) == ["late/00000.png"]
    assert frame[["x", "y"]].notna().all(axis=None)
    assert frame["label"].isna().sum() == 1
    export(library, view, to=tmp_path / "b.csv", format="csv", clustering="two")
    assert set(pd.read_csv(tmp_path / "b.csv", dtype=str)["cluster"].dropna()) == {"0", "1"}
    with pytest.raises(NotFoundError, match="called 'four'; there is 'three', 'two'"):
        export(library, view, to=tmp_path / "c.csv", format="csv", clustering="four")
    assert not (tmp_path / "c.csv").exists()


def test_noise_is_minus_one(library: Library, view: View, tmp_path: Path):
    from core.clustering import Clustering, save_clustering

    made = Clustering(
        np.array([-1] * 3 + [0] * (IMAGES - 3), np.int32), "hdbscan", {}, None, None, {}
    )
    path = library.workspace.clustering(view.collection.uid, "descriptors", "x")
    save_clustering(path, made, view.snapshot.ids, "")
    export(library, view, to=tmp_path / "a.csv", format="csv")
    assert list(pd.read_csv(tmp_path / "a.csv")["cluster"][:4]) == [-1, -1, -1, 0]


def test_vectors(library: Library, view: View, tmp_path: Path):
    to = tmp_path / "a.parquet"
    export(library, view, to=to, format="parquet", vectors=True)
    read = np.stack(pd.read_parquet(to)["vector"])
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, view.snapshot.vectors)
    assert str(pq.read_schema(to).field("vector").type).startswith("list<")
    with pytest.raises(CoreError, match="vectors do not fit a csv file; use --format parquet"):
        export(library, view, to=tmp_path / "a.csv", format="csv", vectors=True)


def test_some_images_in_the_order_asked_for(library: Library, view: View, tmp_path: Path):
    wanted = [IDS[5], IDS[2]]
    export(library, view, to=tmp_path / "a.csv", format="csv", ids=[*wanted, "unknown"])
    assert list(pd.read_csv(tmp_path / "a.csv")["id"]) == wanted


def test_metadata_keeps_its_types_and_gives_way_to_the_contract(
    library: Library, view: View, tmp_path: Path
):
    describe(
        library,
        view,
        IDS[0],
        {
            "year": 2023,
            "depth": 1.5,
            "alive": True,
            "mixed": "a",
            "x": "X",
            "meta_x": "mine",
            "vector": "v",
            "width": "wide",
            "large": 2**70,
        },
    )
    describe(library, view, IDS[1], {"mixed": 3, "depth": 2, "none": None})
    export(library, view, to=tmp_path / "a.parquet", format="parquet")
    types = {f.name: str(f.type) for f in pq.read_schema(tmp_path / "a.parquet")}
    assert (types["year"], types["depth"], types["alive"]) == ("int64", "double", "bool")
    frame = pd.read_parquet(tmp_path / "a.parquet").set_index("id").loc[IDS[0]]
    assert (frame["mixed"], frame["meta_x"], frame["meta_meta_x"]) == ("a", "mine", "X")
    assert (frame["meta_vector"], frame["meta_width"]) == ("v", "wide")
    assert frame["large"] == str(2**70)
    export(library, view, to=tmp_path / "a.csv", format="csv")
    text = pd.read_csv(tmp_path / "a.csv", dtype=str, keep_default_na=False).set_index("id")
    assert list(text.loc[[IDS[0], IDS[1]], "year"]) == ["2023", ""]
    assert list(text.loc[[IDS[0], IDS[1]], "depth"]) == ["1.5", "2.0"]
    assert list(text.loc[[IDS[0], IDS[1]], "mixed"]) == ["a", "3"]


def test_texts_come_back_as_they_were(library: Library, view: View, tmp_path: Path):
    odd = ["a,b", 'say "x"', "two\nlines", "é🦐", "\rcr", "<img onerror=x>"]
    for id, text in zip(IDS, odd, strict=False):
        describe(library, view, id, {"note": f"n{text}"})
    for format in ("csv", "parquet"):
        export(library, view, to=tmp_path / f"a.{format}", format=format, ids=IDS[: len(odd)])
    for frame in (
        pd.read_csv(tmp_path / "a.csv", lineterminator="\n"),
        pd.read_parquet(tmp_path / "a.parquet"),
    ):
        assert list(frame["note"]) == [f"n{text}" for text in odd]


def test_a_spreadsheet_is_given_no_formulas(library: Library, view: View, tmp_path: Path):
    harmful = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "＝1+1"]
    decisions = [Decision(id, text) for id, text in zip(IDS, harmful, strict=False)]
    labels.record(library.catalogue, view.collection.uid, decisions, by="me")
    describe(library, view, IDS[0], {"=name": "x", "offset": "-12.5", "sign": "+3"})
    done = export(library, view, to=tmp_path / "a.csv", format="csv", ids=IDS)
    assert done["escaped"] == len(harmful) + 1
    frame = pd.read_csv(tmp_path / "a.csv", dtype=str)
    assert list(frame["label"][: len(harmful)]) == [f"'{text}" for text in harmful]
    assert (frame["offset"][0], frame["sign"][0], frame["'=name"][0]) == ("-12.5", "+3", "x")
    export(library, view, to=tmp_path / "a.parquet", format="parquet", ids=IDS)
    exact = pd.read_parquet(tmp_path / "a.parquet")
    assert list(exact["label"][: len(harmful)]) == harmful


def test_downloads_of_a_page_hold_no_formulas_either(library: Library, view: View):
    harmful = '=HYPERLINK("https://example.org")'
    labels.record(library.catalogue, view.collection.uid, [Decision(IDS[0], harmful)], by="me")
    frame = pd.read_csv(io.BytesIO(csv_bytes(library, view, IDS[:2])), encoding="utf-8-sig")
    assert frame["label"][0] == f"'{harmful}"
    result = similar_to_id(library, view, IDS[0], k=2)
    frame = pd.read_csv(io.BytesIO(matches_csv(result)), encoding="utf-8-sig")
    assert frame["label"][0] == f"'{harmful}"
    assert list(frame["id"]) == [match.image.id for match in result.matches]
    assert list(frame["distance"]) == [match.distance for match in result.matches]


def test_an_older_file_is_replaced_whole_or_stays(library: Library, view: View, tmp_path: Path):
    to = tmp_path / "a.csv"
    to.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))  # as on a full disk
    try:
        with pytest.raises(CoreError, match=r"cannot be written .*; choose another -o"):
            export(library, view, to=to, format="csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert to.read_text() == "old"
    assert [each.name for each in tmp_path.glob(".*")] == []
    export(library, view, to=to, format="csv")
    assert len(pd.read_csv(to)) == IMAGES


def test_places_that_cannot_be_written(library: Library, view: View, tmp_path: Path):
    with pytest.raises(SourceError, match=r"is no folder; expected one to write a\.csv into"):
        export(library, view, to=tmp_path / "no" / "a.csv", format="csv")
    with pytest.raises(CoreError, match=r"cannot be written .Is a directory"):
        export(library, view, to=tmp_path, format="csv")
    long = tmp_path / ("x" * 251 + ".csv")
    assert export(library, view, to=long, format="csv")["images"] == IMAGES


def test_a_format_there_is_not_yet(library: Library, view: View, tmp_path: Path):
    with pytest.raises(CoreError, match="format is 'xlsx'; expected one of csv, parquet, ecotaxa"):
        export(library, view, to=tmp_path / "a", format="xlsx")
