"""What images can be filtered by, and which pass, against the same asked of each image in turn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from core import labels
from core.__main__ import main
from core.columns import (
    NONE,
    Choices,
    Columns,
    Numbers,
    column_name,
    columns,
    fields,
    read_columns,
)
from core.composition import ways
from core.errors import CoreError, NotFoundError, RangeError
from core.filtering import Condition, Filter, check, checked, passing
from core.labels import Decision
from core.library import Library, View
from core.mapdata import colourings
from core.settings import Settings
from tests.core.prepared import IDS, IMAGES, prepared

KNOWN = {
    "station": [f"St {n % 3}" if n != 7 else "" for n in range(IMAGES)],
    "depth_m": [float(5 * n) if n % 5 else None for n in range(IMAGES)],
    "date": [f"2023-05-{1 + n:02d}T12:00:00Z" for n in range(IMAGES)],
    "day": [f"202305{1 + n:02d}" for n in range(IMAGES)],
    "start_date": [20230501 + n for n in range(IMAGES)],
    "living": [n % 4 == 0 for n in range(IMAGES)],
    "roi": list(range(100, 100 + IMAGES)),
    "file": [f"{n}.png" for n in range(IMAGES)],
    "instrument": ["FlowCam"] * IMAGES,
    "label": ["a", "b"] * (IMAGES // 2),
    "mixed": [1, "1", True, 2.5] * (IMAGES // 4),
}


@pytest.fixture
def library(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The prepared collection with metadata: images 0 to 9 in one sample, half at 2 um/px."""
    prepared(tmp_path_factory, settings.workspace)
    opened = Library.open(settings)
    uid = opened.catalogue.collection("run").uid
    place = {id: n for n, id in enumerate(IDS)}
    opened.catalogue.put_images(
        uid,
        [
            replace(
                row,
                sample="cast 1" if n < 10 else None,
                um_per_px=2.0 if n % 2 else None,
                width=10 + n,
                height=5,
                metadata={
                    name: values[n] for name, values in KNOWN.items() if values[n] is not None
                },
            )
            for row in opened.catalogue.image_rows(uid)
            for n in [place[row.id]]
        ],
    )
    yield opened
    opened.close()


@pytest.fixture
def view(library: Library) -> View:
    return library.vectors(library.catalogue.collection("run"))


@pytest.fixture
def known(library: Library, view: View) -> Columns:
    return columns(library, view)


def which(view: View, known: Columns, only: Filter) -> list[int]:
    """Numbers of the images that pass, in the order they were drawn."""
    ids = view.snapshot.ids
    return sorted(IDS.index(ids[row]) for row in np.flatnonzero(passing(known, only)))


def test_only_columns_worth_filtering_by_are_offered(known: Columns):
    found = {field.name: field for field in fields(known)}
    assert list(found)[:4] == ["label", "sample", "size", "station"]
    assert not {"roi", "file", "instrument"} & set(found)  # counts, names each, always the same
    station = found["station"]
    assert (station.kind, station.label, station.missing) == ("choice", "Station", 1)
    assert station.values == (("St 0", 7), ("St 1", 6), ("St 2", 6), (NONE, 1))
    depth = found["depth_m"]
    assert (depth.kind, depth.unit, depth.low, depth.high) == ("number", "m", 5.0, 95.0)
    assert depth.missing == 4
    for name in ("date", "day", "start_date"):
        assert found[name].kind == "date", name
        assert (found[name].low, found[name].high) == (date(2023, 5, 1), date(2023, 5, 20))
    assert found["living"].values == (("no", 15), ("yes", 5))
    assert found["meta_label"].values == (("a", 10), ("b", 10))
    assert found["sample"].values == (("cast 1", 10), (NONE, 10))
    assert (found["size"].unit, found["size"].low, found["size"].high) == ("µm or px", 10.0, 58.0)
    assert found["mixed"].values == (("1", 10), ("2.5", 5), ("yes", 5))


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (["station=St 1"], [n for n in range(IMAGES) if n % 3 == 1 and n != 7]),
        (["station=St 1", "station="], [n for n in range(IMAGES) if n % 3 == 1]),
        (["depth_m>=50"], [n for n in range(10, IMAGES) if n % 5]),
        (["depth_m >= 50", "depth_m<=60"], [11, 12]),
        (["depth_m=30"], [6]),
        (["date>=2023-05-19"], [18, 19]),
        (["date<=20230502"], [0, 1]),
        (["day=2023-05-04"], [3]),
        (["start_date>=20230519", "living=no"], [18, 19]),
        (["living=yes", "label=Detritus"], []),
        (["label=Copepod", "living=yes"], [0, 4, 8, 12, 16]),
        (["meta_label=b", "size<=21"], []),
        (["meta_label=b", "size<=26"], [1, 3]),
        (["size>=50", "sample="], [15, 17, 19]),
        ([], list(range(IMAGES))),
    ],
)
def test_what_passes(view: View, known: Columns, where: list[str], wanted: list[int]):
    only = Filter.of(where=where)
    check(known, only)
    assert which(view, known, only) == wanted
    assert only.active == bool(where)
    again, wrong = Filter.from_link(only.as_link())
    assert not wrong
    assert which(view, known, again) == wanted


def test_the_older_options_are_the_same_filter(view: View, known: Columns):
    only = Filter.of(label="Detritus", sample="cast 1", size_min=30, size_max=38)
    assert which(view, known, only) == [5, 7, 9]
    assert only.on("size") == Condition("size", low=30, high=38)


def test_copies_pass_once(view: View, known: Columns):
    """The last image is a copy of the first; which of them passes is decided among those left."""
    assert which(view, known, Filter(collapse=True)) == list(range(IMAGES - 1))
    only = Filter.of(where=["date>=2023-05-20"], collapse=True)
    assert which(view, known, only) == [IMAGES - 1]


def test_what_is_not_catalogued_passes_no_filter(library: Library, view: View):
    library.catalogue.remove_images(view.collection.uid, [IDS[4]])
    now = columns(library, view)
    assert 4 not in which(view, now, Filter())
    assert 4 not in which(view, now, Filter.of(where=["sample="]))
    assert dict(next(f for f in fields(now) if f.name == "label").values) == {
        "Copepod": 9, "Detritus": 10,
    }  # fmt: skip


def test_the_standing_of_a_label_and_who_said_it_are_columns(library: Library, view: View):
    uid = view.collection.uid
    labels.record(library.catalogue, uid, [Decision(IDS[3], "Salp", "dubious")], by="Ada")
    labels.record(library.catalogue, uid, [Decision(IDS[5], "Salp")], by="Bo")
    now = columns(library, view)
    assert which(view, now, Filter.of(where=["label_status=dubious"])) == [3]
    assert which(view, now, Filter.of(where=["labelled_by=Ada", "labelled_by=Bo"])) == [3, 5]
    found = {field.name: field for field in fields(now)}
    assert found["labelled_by"].shown == {
        "person 1": "import", "person 2": "Ada", "person 3": "Bo",
    }  # fmt: skip
    assert found["labelled_by"].values == (("person 1", 18), ("person 2", 1), ("person 3", 1))
    asked, wrong = checked(now, Filter.of(where=["labelled_by=Ada"]))
    assert (asked.as_link(), wrong) == ("labelled_by:person 2", [])  # a link names nobody
    with pytest.raises(NotFoundError, match="no image has labelled by 'Zoe'"):
        check(now, Filter.of(where=["labelled_by=Zoe"]))
    assert "labelled_by" not in colourings(library, view, now).values()
    assert not {key for key in colourings(library, view, now) if "labelled_by" in key}
    assert "labelled_by" not in ways(fields(now), now, of="cluster")


def test_metadata_of_those_names_is_another_column():
    assert column_name("label_status") == "meta_label_status"
    assert column_name("labelled_by") == "meta_labelled_by"


def test_other_labels_take_the_place_of_those_before(library: Library, view: View, known: Columns):
    labels.record(library.catalogue, view.collection.uid, [Decision(IDS[3], None)], by="me")
    before = read_columns(library, view)
    assert "label" not in before.by_name
    now = columns(library, view)
    assert which(view, now, Filter.of(where=["label="])) == [3]
    assert which(view, known, Filter.of(where=["label="])) == []


@pytest.mark.parametrize(
    ("where", "error", "said"),
    [
        (["stations=St 1"], NotFoundError, "no column 'stations' to filter by; did you mean 'stat"),
        (["station=St 9"], NotFoundError, "no image has station 'St 9'; did you mean 'St"),
        (["station>=3"], RangeError, "'station' holds words, not numbers; expected station=VALUE"),
        (["depth_m=deep"], RangeError, "'depth_m' is 'deep'; it holds numbers"),
        (["depth_m=5", "depth_m=10"], RangeError, "a range with depth_m>= and depth_m<="),
        (["depth_m=5", "depth_m>=1"], RangeError, "give one, or a range"),
        (["depth_m>=2023-05-01"], RangeError, "holds numbers, and was compared with from 2023"),
        (["date>=12"], RangeError, "holds dates, expected such as 2023-05-04"),
        (["depth_m>=deep"], RangeError, "'deep' is neither a number nor a date"),
        (["depth_m>=nan"], RangeError, "'nan' is neither a number nor a date"),
        (["depth_m"], RangeError, "where is 'depth_m'; expected NAME=VALUE, NAME>=NUMBER"),
        (["=5"], RangeError, "expected NAME=VALUE"),
    ],
)
def test_what_cannot_be_asked_is_refused(known: Columns, where, error, said):
    with pytest.raises(error, match=said.replace("(", r"\(")):
        check(known, Filter.of(where=where))


def test_a_stale_link_keeps_what_still_means_something(known: Columns):
    link = "station:St 9|St 1;gone~1..2;depth_m~5..;date~20230504..;nonsense;label~1..2;once"
    only, unread = Filter.from_link(link)
    assert len(unread) == 1
    assert "'nonsense'" in unread[0]
    kept, wrong = checked(known, only)
    assert [len(wrong), *(w.endswith("it was left out") for w in wrong)] == [3, True, True, True]
    assert kept.as_link() == "station:St 1;depth_m~5..;date~2023-05-04..;once"


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
BOUNDS = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.dates()
CONDITIONS = st.one_of(
    st.builds(
        Condition,
        WORDS.filter(bool),
        st.lists(WORDS, min_size=1, max_size=4, unique=True).map(tuple),
    ),
    st.builds(lambda n, low, high: Condition(n, (), low, high), WORDS.filter(bool), BOUNDS, BOUNDS),
)


@given(st.lists(CONDITIONS, max_size=4), st.booleans())
@how(max_examples=150, deadline=None)
def test_a_link_says_all_of_a_filter(conditions: list[Condition], once: bool):
    only = Filter(collapse=once)
    for condition in conditions:
        only = only.having(condition)
    assert Filter.from_link(only.as_link()) == (only, [])


COLUMNS = Columns(
    known=np.ones(4, bool),
    copies=np.arange(4),
    by_name={
        "w": Choices(np.array([0, 1, -1, 0], np.int32), ["a", "b"]),
        "n": Numbers(np.array([1.0, 2.0, np.nan, 4.0])),
        "d": Numbers(np.array([738_000.0, np.nan, 738_002.0, 738_003.0]), dates=True),
    },
    size_unit="px",
)


@given(WORDS | st.lists(st.sampled_from("wnd:~|.;-1234567890ab%"), max_size=30).map("".join))
@how(max_examples=150, deadline=None)
def test_whatever_a_link_says_something_is_shown(text: str):
    only, wrong = Filter.from_link(text)
    kept, stale = checked(COLUMNS, only)
    assert passing(COLUMNS, kept).shape == (4,)
    assert all(sentence.isprintable() or text for sentence in wrong + stale)
    assert checked(COLUMNS, kept) == (kept, [])


@given(
    st.sampled_from(["w", "n", "d"]),
    st.lists(st.sampled_from(["a", "b", "", "1", "x"]), max_size=2, unique=True),
    st.none() | st.integers(0, 5).map(float),
    st.none() | st.integers(0, 5).map(float),
)
@how(max_examples=100, deadline=None)
def test_a_filter_is_refused_or_holds_for_each_that_passes(name, values, low, high):
    only = Filter().having(Condition(name, tuple(values), low, high))
    try:
        mask = passing(COLUMNS, only)
    except CoreError:
        return
    column = COLUMNS.by_name[name]
    for row in range(4):
        if isinstance(column, Choices):
            word = column.values[column.codes[row]] if column.codes[row] >= 0 else ""
            assert mask[row] == (not only.active or word in values)
            continue
        value = column.values[row]
        ends = [float(values[0])] * 2 if values else [low, high]
        within = (ends[0] is None or value >= ends[0]) and (ends[1] is None or value <= ends[1])
        assert mask[row] == (not only.active or (within and value == value))


# the command line


def told(settings: Settings, capsys, *arguments: str) -> tuple[int, str, str]:
    status = main(
        ["similar", "--collection", "run", "--id", IDS[0], *arguments, "--json", "--workspace",
         str(settings.workspace)]
    )  # fmt: skip
    out, err = capsys.readouterr()
    return status, out, err


def test_where_on_the_command_line(library: Library, settings: Settings, capsys):
    where = ["--where", "depth_m>=50", "--where", "station=St 1", "--where", "station=St 2"]
    status, out, err = told(settings, capsys, *where, "--only-label", "Copepod")
    assert status == 0, err
    matches = json.loads(out)["matches"]
    wanted = {IDS[n] for n in range(10, IMAGES, 2) if n % 5 and n % 3}
    assert {m["id"] for m in matches[1:]} == wanted
    assert matches[0]["id"] == IDS[0]


@pytest.mark.parametrize("wrong", [["--where", "stat=1"], ["--only-label", "Whale"]])
def test_a_filter_that_names_nothing_is_refused_in_one_line(library, settings, capsys, wrong):
    status, out, err = told(settings, capsys, *wrong)
    assert (status, out) == (2, "")
    assert "did you mean" in err or "there is" in err


def test_columns_of_an_empty_or_bare_collection(library: Library, view: View, tmp_path: Path):
    uid = view.collection.uid
    library.catalogue.remove_images(uid, IDS)
    bare = columns(library, view)
    assert fields(bare) == []
    assert not passing(bare, Filter()).any()
