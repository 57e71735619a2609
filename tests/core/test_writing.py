"""Files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import CoreError, SourceError
from core.writing import whole_file


def test_a_file_is_whole_or_what_it_was(tmp_path: Path):
    to = tmp_path / "a.csv"
    with whole_file(to) as path:
        path.write_text("1")
        assert not to.exists()
    with pytest.raises(KeyError), whole_file(to) as path:
        path.write_text("2")
        raise KeyError
    assert to.read_text() == "1"
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


def test_places_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(SourceError, match=r"gone is no folder; expected one to write a\.csv into"):
        whole_file(tmp_path / "gone" / "a.csv").__enter__()
    (tmp_path / "a.csv").mkdir()
    with (
        pytest.raises(CoreError, match=r"a\.csv cannot be written \(.*\); choose another -o"),
        whole_file(tmp_path / "a.csv") as path,
    ):
        path.write_text("1")
