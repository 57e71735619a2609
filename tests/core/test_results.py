import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import NotFoundError, RangeError, ShapeError, WorkspaceError
from core.results import load_result, read_meta, save_result

IDS = ["a/1.png", "b/2.png", "c/ü <3>.png"]
META = {"seed": 7, "why": None, "parameters": {"k": 3, "versions": {"numpy": "2"}}}


def _save(path: Path) -> None:
    columns = {
        "id": IDS,
        "x": np.array([0.1, -2, 3e8], np.float32),
        "cluster": np.array([0, -1, 2], np.int32),
        "note": np.array(["p", "q", "r"]),
    }
    save_result(path, columns, META)


def test_a_result_comes_back_as_it_was(tmp_path: Path):
    path = tmp_path / "new" / "map.parquet"
    _save(path)
    result = load_result(path)
    assert result.ids == IDS
    assert result.meta == read_meta(path) == META
    assert list(result.columns) == ["id", "x", "cluster", "note"]
    assert result.columns["note"] == ["p", "q", "r"]
    assert result.columns["x"].dtype == np.float32
    assert result.columns["x"].tolist() == np.array([0.1, -2, 3e8], np.float32).tolist()
    assert result.columns["cluster"].dtype == np.int32
    assert result.columns["cluster"].tolist() == [0, -1, 2]


def test_a_result_of_no_images_keeps_its_types(tmp_path: Path):
    save_result(tmp_path / "r.parquet", {"id": [], "c": np.empty(0, np.int32)}, {})
    result = load_result(tmp_path / "r.parquet")
    assert result.ids == []
    assert result.columns["c"].dtype == np.int32


def test_numbers_of_numpy_become_plain(tmp_path: Path):
    meta = {"a": np.float32(0.5), "b": np.int64(3), "c": np.arange(2), "d": np.bool_(True)}
    save_result(tmp_path / "r.parquet", {"id": ["x"]}, meta)
    assert read_meta(tmp_path / "r.parquet") == {"a": 0.5, "b": 3, "c": [0, 1], "d": True}


def test_the_newer_result_replaces_the_older_and_leaves_nothing_else(tmp_path: Path):
    path = tmp_path / "map.parquet"
    _save(path)
    save_result(path, {"id": ["only"]}, {"second": True})
    assert load_result(path).ids == ["only"]
    assert read_meta(path) == {"second": True}
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.parquet"]


def test_a_failed_write_leaves_the_older_result(tmp_path: Path):
    path = tmp_path / "map.parquet"
    _save(path)
    with pytest.raises(TypeError, match="meta holds a "):
        save_result(path, {"id": ["x"]}, {"where": path})
    with pytest.raises(RangeError, match=r"NaN or infinite .*; expected None instead"):
        save_result(path, {"id": ["x"]}, {"silhouette": float("nan")})
    assert load_result(path).ids == IDS
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.parquet"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WorkspaceError, match=r"map\.parquet cannot be written .*free some space"):
        save_result(tmp_path / "file" / "map.parquet", {"id": ["x"]}, {})
    (tmp_path / "taken.parquet").mkdir()
    with pytest.raises(WorkspaceError, match="cannot be written"):
        save_result(tmp_path / "taken.parquet", {"id": ["x"]}, {})
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "taken.parquet"]


def test_columns_that_do_not_fit_are_refused(tmp_path: Path):
    with pytest.raises(ShapeError, match=r"columns \['x'\]; expected `id` among them"):
        save_result(tmp_path / "r.parquet", {"x": np.zeros(2)}, {})
    with pytest.raises(ShapeError, match="expected one number of rows"):
        save_result(tmp_path / "r.parquet", {"id": ["a"], "x": np.zeros(2)}, {})


def test_a_missing_result_is_to_be_built(tmp_path: Path):
    for read in (load_result, read_meta):
        with pytest.raises(NotFoundError, match=r"no result map\.parquet; build it first"):
            read(tmp_path / "map.parquet")


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "middle", "foreign", "format"])
def test_a_damaged_result_says_which_and_what_to_do(tmp_path: Path, damage: str):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "map.parquet"
    columns = {"id": [f"image {number * 7919 % 1000}" for number in range(1000)]}
    save_result(path, columns, META)
    whole = path.read_bytes()
    if damage == "text":
        path.write_text("not a table at all, only words")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "middle":
        path.write_bytes(whole[:600] + bytes(50) + whole[650:])
    elif damage == "foreign":
        pq.write_table(pa.table({"id": ["a"]}), path)
    else:
        table = pa.table({"id": ["a"]})
        later = json.dumps({"format": 99, "meta": {}})
        pq.write_table(table.replace_schema_metadata({"plankton-explorer": later}), path)
    with pytest.raises(WorkspaceError, match=r"map\.parquet cannot be read .*; build it again$"):
        load_result(path)


def test_a_result_of_another_kind_is_not_mistaken(tmp_path: Path):
    save_result(tmp_path / "r.parquet", {"id": ["a"]}, {})
    with pytest.raises(WorkspaceError, match=r"has no column x, y\); build it again"):
        load_result(tmp_path / "r.parquet", columns=("x", "y"))
