"""The label history as a file: what is read is what was written, or an error that says where."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import labels
from core.errors import CoreError, SourceError
from core.label_files import COLUMNS, read_ecotaxa, read_labels, write_history
from core.labels import Decision
from core.library import Library

UID = "u"
ROW = {
    "id": "a", "label": "Salp", "status": "validated", "by": "ann",
    "at": "2026-01-31T09:30:00+00:00", "how": "single", "confidence": "0.5", "reason": "",
    "action": "x1",
}  # fmt: skip


def written(path: Path, *rows: dict[str, str | None]) -> Path:
    frame = pd.DataFrame(rows)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return path


texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
).filter(str.strip)


@given(
    st.lists(
        st.tuples(texts, st.none() | texts, st.none() | st.floats(0, 1), st.none() | texts),
        min_size=1,
        max_size=6,
    ),
    texts,
    st.sampled_from(["csv", "parquet"]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_read_is_what_was_written(
    library: Library,
    tmp_path: Path,
    said: list[tuple[str, str | None, float | None, str | None]],
    by: str,
    kind: str,
):
    uid = labels.new_action()
    decisions = [Decision(i, label, "dubious", c, reason) for i, label, c, reason in said]
    labels.record(library.catalogue, uid, decisions, by=by)
    to = tmp_path / f"history.{kind}"
    assert write_history(library.catalogue, uid, to) == len(said)
    assert read_labels(to).events == list(labels.every_event(library.catalogue, uid))


def test_a_spreadsheet_is_given_no_formulas(library: Library, tmp_path: Path):
    labels.record(library.catalogue, UID, [Decision("=a", "+b", reason="@c")], by="-d")
    write_history(library.catalogue, UID, tmp_path / "a.csv")
    (row,) = pd.read_csv(tmp_path / "a.csv", dtype=str).to_dict("records")
    assert (row["id"], row["label"], row["reason"], row["by"]) == ("'=a", "'+b", "'@c", "'-d")
    assert tuple(row) == COLUMNS


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"status": "sure"}, "row 2: the status is 'sure'; expected one of validated"),
        ({"at": "yesterday"}, "row 2: at is 'yesterday'; expected a time such as"),
        ({"confidence": "2"}, "row 2: the confidence is '2'; expected 0 to 1"),
        ({"confidence": "much"}, "row 2: the confidence is 'much'"),
        ({"by": None}, "row 2: by is empty; expected what the history says"),
        ({"id": None}, "row 2: id is empty"),
    ],
)
def test_cells_that_say_what_cannot_be(tmp_path: Path, kind: str, changed: dict, says: str):
    path = written(tmp_path / f"a.{kind}", ROW, ROW | changed)
    with pytest.raises(SourceError, match=says):
        read_labels(path)


def test_files_that_are_no_label_table(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(SourceError, match="no text in UTF-8"):
        read_labels(tmp_path / "a.csv")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match="no Parquet file that can be read"):
        read_labels(tmp_path / "b.parquet")
    (tmp_path / "c.csv").write_text("name,count\na,1\n")
    with pytest.raises(SourceError, match="has the columns name, count; expected id, label"):
        read_labels(tmp_path / "c.csv")
    (tmp_path / "d.csv").write_text("id,label\na\n")
    with pytest.raises(SourceError, match="line 2: it has 1 cells, the header 2"):
        read_labels(tmp_path / "d.csv")
    (tmp_path / "e.csv").write_text('id,label\na,"b\n')
    with pytest.raises(SourceError, match="check the quotes"):
        read_labels(tmp_path / "e.csv")
    with pytest.raises(SourceError, match=r"is no label table; expected \.csv"):
        read_labels(tmp_path / "f.txt")
    with pytest.raises(CoreError, match=r"expected \.csv or \.parquet for a label history"):
        write_history(None, UID, tmp_path / "g.txt")  # type: ignore[arg-type]


def test_labels_alone(tmp_path: Path):
    rows = ({"id": "a", "label": "Salp", "label_status": "dubious"}, {"id": "b", "label": "Rod"})
    assert read_labels(written(tmp_path / "a.csv", *rows)).decisions == [
        Decision("a", "Salp", "dubious"), Decision("b", "Rod"),
    ]  # fmt: skip


def test_a_folder_of_pictures_is_no_export_of_ecotaxa(tmp_path: Path, pictures):
    with pytest.raises(SourceError, match="expected EcoTaxa's export"):
        read_ecotaxa(pictures(2))
