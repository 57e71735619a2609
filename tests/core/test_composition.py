"""What samples are made of: counted by hand, by row order, with noise, with labels and filters."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as how_to
from hypothesis import strategies as st

from core import analysis, labels
from core.__main__ import main
from core.columns import Columns, Numbers, column_of, columns, fields
from core.composition import (
    ALL,
    Composition,
    Kinds,
    composed,
    kinds_of,
    of_clusters,
    of_labels,
    orders,
    set_apart,
    ways,
)
from core.errors import CoreError, NotFoundError, RangeError
from core.filtering import Filter
from core.labels import Decision, Label
from core.library import Library, View
from core.mapdata import groups_of, map_data
from core.settings import Settings
from core.tabling import csv_bytes, distinct, diversity, long, wide
from tests.core.prepared import IDS, IMAGES, prepared

SAMPLES = ["S1"] * 6 + ["S10"] * 4 + ["S2"] * 2 + [None]
CLUSTERS = [0, 0, 0, 1, 1, -1, 0, 1, 2, None, 2, -1, 0]
"""S1: three of 0, two of 1, noise; S10: one of 0, 1, 2, none each; S2: one of 2, and noise."""


def known_of(**values: list[Any]) -> Columns:
    n = len(next(iter(values.values())))
    by_name = {name: column_of(name, column) for name, column in values.items()}
    return Columns(np.ones(n, bool), np.arange(n), by_name, "px")


def count(known: Columns, kinds: Kinds, by: str = "sample", **how: Any) -> Composition:
    made = composed(known, kinds, by=by, **how)
    n, k = made.counts.shape
    assert made.shares.sum(axis=1) == pytest.approx([float(s > 0) for s in made.images])
    for g in range(n):
        assert [len(made.rows(g, [kind])) for kind in range(k)] == made.counts[g].tolist()
        assert len(made.rows(g, range(k))) == made.images[g]
    return made


def told(made: Composition) -> dict[str, dict[str, int]]:
    names = [kind.name for kind in made.kinds]
    rows = [dict(zip(names, row, strict=True)) for row in made.counts.tolist()]
    return {
        group.name: {k: n for k, n in row.items() if n}
        for group, row in zip(made.groups, rows, strict=True)
    }


BY_HAND = {
    "S1": {"cluster 0": 3, "cluster 1": 2, "noise": 1},
    "S2": {"cluster 2": 1, "noise": 1},
    "S10": {"cluster 0": 1, "cluster 1": 1, "cluster 2": 1, "not clustered yet": 1},
    "no sample": {"cluster 0": 1},
}


def test_by_hand():
    made = count(known_of(sample=SAMPLES), of_clusters(CLUSTERS))
    assert told(made) == BY_HAND
    assert list(told(made)) == list(BY_HAND)  # in natural order, those without a sample last
    assert [kind.name for kind in made.kinds] == [
        "cluster 0", "cluster 1", "cluster 2", "noise", "not clustered yet",
    ]  # fmt: skip
    assert made.images.tolist() == [6, 2, 4, 1]
    assert made.shares[0].tolist() == pytest.approx([3 / 6, 2 / 6, 0, 1 / 6, 0])
    assert made.richness.tolist() == [2, 1, 3, 1]
    h = -(3 / 5 * math.log(3 / 5) + 2 / 5 * math.log(2 / 5))
    assert made.shannon.tolist() == pytest.approx([h, 0, math.log(3), 0])
    assert made.evenness[[0, 2]].tolist() == pytest.approx([h / math.log(2), 1])
    assert made.rarefied_to == 1  # S2 counts one image; those without a sample are no sample
    assert made.rarefied.tolist() == pytest.approx([1, 1, 1, 1])
    assert made.without == 3
    assert made.rows(2, [2]) == [8]


def test_rarefied_to_what_was_asked():
    made = count(known_of(sample=SAMPLES), of_clusters(CLUSTERS), rarefy=3)
    # three of S1's five: of the ten draws only one holds nothing of cluster 1, none lacks cluster 0
    assert made.rarefied[0] == pytest.approx(2 - 1 / 10)
    assert made.rarefied[2] == pytest.approx(3)
    assert np.isnan(made.rarefied[[1, 3]]).all()


def test_what_has_no_kind_left_out_and_counted():
    known, kinds = known_of(sample=SAMPLES), of_clusters(CLUSTERS)
    out = count(known, kinds, without="out")
    assert told(out)["S1"] == {"cluster 0": 3, "cluster 1": 2}
    assert out.shares[0].tolist() == pytest.approx([3 / 5, 2 / 5, 0])
    assert (out.without, int(out.images.sum())) == (3, 10)
    made = count(known, kinds)
    assert out.shannon.tolist() == made.shannon.tolist()
    counted = count(known, kinds, without="counted")
    assert told(counted) == BY_HAND
    assert counted.richness.tolist() == [3, 2, 4, 1]
    assert counted.shannon[1] == pytest.approx(math.log(2))


def test_a_kind_set_apart_is_shown_and_not_counted():
    known, kinds = known_of(sample=SAMPLES), of_clusters(CLUSTERS)
    made = count(known, set_apart(kinds, ["cluster 0"]))
    assert told(made) == BY_HAND
    assert [kind.name for kind in made.kinds][2] == "cluster 0"  # after those that count
    assert made.richness.tolist() == [1, 1, 2, 0]
    assert np.isnan(made.shannon[3])
    assert made.kinds[2].place == 0  # the colour stays
    assert "cluster 0" not in told(count(known, set_apart(kinds, ["cluster 0"]), without="out"))
    with pytest.raises(NotFoundError, match="nothing is called 'cluster 9'"):
        set_apart(kinds, ["cluster 9"])


@how_to(deadline=None)  # the first one imports scipy
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from([-1, None, 0, 1, 2])),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from(["apart", "out", "counted"]),
    st.sampled_from([None, "value", "similar", "images"]),
    st.integers(0, 2**32 - 1),
)
def test_row_order_does_not_matter(rows, without, order, seed):
    def counted(pairs) -> Composition:
        samples, clusters = zip(*pairs, strict=True)
        known = known_of(sample=list(samples))
        return count(known, of_clusters(clusters), without=without, order=order)

    before = counted(rows)
    mixed = np.random.default_rng(seed).permutation(len(rows))
    after = counted([rows[n] for n in mixed])
    assert after.groups == before.groups
    assert after.kinds == before.kinds
    assert after.counts.tolist() == before.counts.tolist()
    for name in ("shannon", "evenness", "rarefied"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), nan_ok=True)


# kinds


def test_clusters_have_the_names_people_gave():
    kinds = of_clusters([0, 1, 2, 3, 5], {"1": "Copepods", "3": "Copepods", "2": "noise", "0": ""})
    assert [kind.name for kind in kinds.kinds] == [
        "cluster 0", "Copepods (cluster 1)", "noise (cluster 2)", "Copepods (cluster 3)",
        "cluster 5", "noise", "not clustered yet",
    ]  # fmt: skip
    assert [kind.place for kind in kinds.kinds] == [0, 1, 2, 3, 4, None, None]


def said(*words: str | None, status: str = "validated") -> list[Label | None]:
    return [None if word is None else Label(word, status, "me", "now") for word in words]


def test_labels_by_frequency_and_standing():
    given = said("b", "a", "a", None) + said("b", "b", status="predicted") + said(
        "c", status="rejected"
    )  # fmt: skip
    kinds = of_labels(given)
    assert [kind.name for kind in kinds.kinds] == ["b", "a", "no label"]
    assert kinds.codes.tolist() == [0, 1, 1, 2, 0, 0, 2]
    sure = of_labels(given, validated=True)
    assert [kind.name for kind in sure.kinds] == ["a", "b", "no validated label"]
    assert sure.codes.tolist() == [1, 0, 0, 2, 2, 2, 2]
    assert of_labels(said("no label")).kinds[-1].name == "(no label)"


# groups


def test_samples_are_in_order_of_their_dates_when_each_has_one():
    known = known_of(
        sample=["b", "b", "c", "a"],
        date=["2024-05-02", "2024-05-03", "2023-01-01", "2024-06-01"],
    )
    kinds = of_clusters([0, 1, 0, 1])
    made = count(known, kinds)
    assert [group.name for group in made.groups] == ["c", "b", "a"]
    assert orders(made.groups) == ["date", "value", "similar", "images"]
    names = [group.name for group in count(known, kinds, order="value").groups]
    assert names == ["a", "b", "c"]
    by_size = count(known, kinds, order="images")
    assert [group.name for group in by_size.groups] == ["b", "a", "c"]
    made = count(replace(known, by_name={"sample": known.by_name["sample"]}), kinds)
    assert [group.name for group in made.groups] == ["a", "b", "c"]
    with pytest.raises(RangeError, match="no group has a date"):
        composed(known, kinds, by=ALL, order="date")


def test_like_samples_beside_each_other():
    samples = ["a"] * 10 + ["b"] * 10 + ["c"] * 10 + ["d"] * 10
    clusters = [0] * 9 + [1] + [1] * 9 + [0] + [0] * 8 + [1] * 2 + [1] * 8 + [0] * 2
    made = count(known_of(sample=samples), of_clusters(clusters), order="similar")
    assert "".join(group.name for group in made.groups) in ("acdb", "bdca")


def test_a_filter_leaves_out_images_and_groups():
    known = known_of(sample=SAMPLES, depth_m=[float(n) for n in range(13)])
    made = count(known, of_clusters(CLUSTERS), only=Filter.of(where=["depth_m<=6"]))
    assert told(made) == {"S1": BY_HAND["S1"], "S10": {"cluster 0": 1}}
    nothing = count(known, of_clusters(CLUSTERS), only=Filter.of(where=["depth_m>=99"]))
    assert (nothing.groups, nothing.kinds, nothing.rarefied_to) == ([], [], None)


def test_images_not_catalogued_yet_are_not_counted():
    known = known_of(sample=SAMPLES)
    known.known[:6] = False
    assert "S1" not in told(count(known, of_clusters(CLUSTERS)))


def test_everything_together():
    made = count(known_of(sample=SAMPLES), of_clusters(CLUSTERS), by=ALL)
    assert told(made) == {
        "all images": {"cluster 0": 5, "cluster 1": 3, "cluster 2": 2, "noise": 2,
                       "not clustered yet": 1}
    }  # fmt: skip


def test_ways_to_group_sought_ones_first():
    n = 40
    known = known_of(
        label=["a", "b"] * (n // 2), sample=["one"] * n, size=[float(i) / 3 for i in range(n)],
        flag=[True, False] * (n // 2), depth_m=[5.0, 10.0] * (n // 2), roi=list(range(n)),
        station=["x", "y"] * (n // 2), date=["2024-01-01", "2024-02-01"] * (n // 2),
    )  # fmt: skip
    found = ways(fields(known), known, of="cluster")
    assert list(found) == ["sample", "station", "date", "depth_m", "flag", "size", "label", ALL]
    assert found["depth_m"] == "depth (m)"
    assert found["size"] == "size (px)"
    assert "label" not in ways(fields(known), known, of="label")
    bare = known_of(sample=[None, None])
    assert list(ways(fields(bare), bare, of="cluster")) == [ALL]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"by": "colour"}, "no column 'colour' to group by"),
        ({"without": "magic"}, "expected apart, out, counted"),
        ({"order": "magic"}, "expected one of value, date, similar, images"),
        ({"rarefy": 0}, "rarefied to 0 images"),
    ],
)
def test_what_cannot_be_counted(how, expected):
    with pytest.raises(CoreError, match=expected):
        composed(known_of(sample=SAMPLES), of_clusters(CLUSTERS), **({"by": "sample"} | how))


def test_a_column_with_a_value_for_each_image_is_refused():
    n = 5_001
    known = known_of(note=[f"w{i}" for i in range(n)])
    with pytest.raises(RangeError, match=r"has 5,001 values; expected at most 5,000"):
        composed(known, of_clusters([0] * n), by="note")


def test_dates_need_not_be_of_every_image():
    known = known_of(sample=["a", "b"], date=["2024-01-01", None])
    dates = known.by_name["date"]
    assert isinstance(dates, Numbers)
    made = count(known, of_clusters([0, 0]))
    assert [group.day is None for group in made.groups] == [False, True]
    assert "date" not in orders(made.groups)


# tables


def test_tables_hold_what_was_counted():
    made = count(known_of(sample=SAMPLES), of_clusters(CLUSTERS))
    table = wide(made, "sample")
    assert table["sample"] == ["S1", "S2", "S10", "no sample"]
    assert table["cluster 0"] == [3, 0, 1, 1]
    rows = long(made, "sample")
    assert len(rows["count"]) == 4 * 5
    assert sum(rows["count"]) == 13
    assert rows["is_kind"][:5] == [True, True, True, False, False]
    figures = diversity(made, "sample")
    assert figures["images"] == [6, 2, 4, 1]
    assert figures["counted"] == [5, 1, 3, 1]
    assert figures["evenness"][1] is None


def test_headers_and_cells_that_could_do_harm():
    known = known_of(sample=["=cmd()", "-1.5", "ok"])
    kinds = of_labels(said("@x", "sample", "+1"))
    body = csv_bytes(wide(count(known, kinds), "sample"))
    assert body.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(body.decode("utf-8-sig")))
    assert head == ["sample", "'@x", "sample (2)", "+1"]
    assert [row[0] for row in rows] == ["-1.5", "'=cmd()", "ok"]
    assert distinct("aaba") == ["a", "a (2)", "b", "a (3)"]
    names = known_of(count=["a", "a", "b"])
    assert next(iter(long(count(names, kinds, "count"), "count"))) == "count (2)"


# a workspace, and the command


@pytest.fixture
def library(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    prepared(tmp_path_factory, settings.workspace)
    opened = Library.open(settings)
    uid = opened.catalogue.collection("run").uid
    rows = {row.id: row for row in opened.catalogue.image_rows(uid)}
    opened.catalogue.put_images(
        uid,
        [
            replace(rows[id], sample=f"cast {n % 4}", metadata={"depth_m": float(n % 2)})
            for n, id in enumerate(IDS)
        ],
    )
    yield opened
    opened.close()


@pytest.fixture
def view(library: Library) -> View:
    return library.vectors(library.catalogue.collection("run"))


@pytest.fixture
def run(library: Library, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    def call(*arguments: str) -> tuple[int, Any]:
        status = main(
            ["composition", "--collection", "run", *arguments, "--json", "--workspace",
             str(library.workspace.root)]
        )  # fmt: skip
        out, err = capsys.readouterr()
        return status, json.loads(out) if status == 0 else err.strip()

    return call


def test_kinds_are_the_groups_of_the_map(library, view):
    analysis.make_map(library, view, method="pca", seed=0)
    analysis.make_clustering(library, view, method="kmeans", k=3, seed=0)
    data, known = map_data(library, view, method="pca"), columns(library, view)
    for of, colour in (("cluster", "cluster:kmeans"), ("label", "label")):
        groups, codes = groups_of(library, view, data, known, colour)
        kinds = kinds_of(library, view, of=of)
        place = [kinds.kinds[code].place for code in kinds.codes]
        assert codes.tolist() == [place[row] for row in data.rows]  # so colours are the same
        assert [g["name"] for g in groups] == [k.name for k in kinds.kinds if k.place is not None]


def test_the_command_counts_labels(run, tmp_path: Path):
    to = tmp_path / "counts.csv"
    status, got = run("--of", "label", "-o", str(to))
    assert status == 0
    assert (got["by"], got["images"], got["rarefied_to"]) == ("sample", IMAGES, 5)
    assert [group["group"] for group in got["groups"]] == [f"cast {n}" for n in range(4)]
    first = got["groups"][0]
    assert first["counts"] == {"Copepod": 5, "Detritus": 0}
    assert (first["richness"], first["shannon_ln"], first["evenness"]) == (1, 0, None)
    assert first["why"] == "evenness needs two kinds"
    assert first["shares"] == {"Copepod": 1, "Detritus": 0}
    assert to.read_text("utf-8-sig").splitlines()[:2] == ["sample,Copepod,Detritus", "cast 0,5,0"]
    status, got = run("--of", "label", "--by", "depth_m", "--where", "label=Copepod")
    assert [(g["group"], g["images"]) for g in got["groups"]] == [("0", 10)]
    status, got = run("--of", "label", "--by", ALL, "--apart", "Detritus", "--table", "diversity",
                      "-o", str(to))  # fmt: skip
    assert got["groups"][0]["counted"] == 10
    assert to.read_text("utf-8-sig").splitlines()[1].startswith("all images,,20,10,1,0")


def test_the_command_counts_clusters(run, library, view):
    status, line = run()
    assert status == 2
    assert "no clustering yet" in line
    assert "--of label" in line
    analysis.make_clustering(library, view, method="kmeans", k=3, seed=0)
    status, got = run()
    assert sum(kind["images"] for kind in got["kinds"]) == IMAGES
    assert {kind["name"] for kind in got["kinds"]} == {"cluster 0", "cluster 1", "cluster 2"}
    status, line = run("--clustering", "other")
    assert status == 2
    assert "'other'" in line
    status, line = run("--by", "dpeth_m")
    assert status == 2
    assert "depth_m" in line


def test_where_nothing_has_a_sample_all_are_one_group_and_it_is_said(run, library):
    uid = library.catalogue.collection("run").uid
    rows = [replace(row, sample=None) for row in library.catalogue.image_rows(uid)]
    library.catalogue.put_images(uid, rows)
    _, got = run("--of", "label")
    assert got["by"] == ALL
    assert "--samples folder" in got["why"]
    assert [group["images"] for group in got["groups"]] == [IMAGES]


def test_rejected_labels_do_not_count_and_validated_can_be_asked_for(run, library, view):
    uid = view.collection.uid
    labels.record(library.catalogue, uid, [Decision(IDS[0], "Copepod", "rejected")], by="me")
    labels.record(library.catalogue, uid, [Decision(IDS[2], "Copepod", "predicted")], by="me")
    _, got = run("--of", "label", "--by", ALL)
    assert got["groups"][0]["counts"] == {"Detritus": 10, "Copepod": 9, "no label": 1}
    assert got["without_kind"] == 1
    _, got = run("--of", "label", "--by", ALL, "--validated")
    assert got["groups"][0]["counts"]["no validated label"] == 2
