"""Small files that would become large in memory, and are sent by whoever may open a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import SourceError
from core.sources import npz, open_source
from tests.core.remote_servers import Bucket, s3_server


def test_rows_of_all_ecotaxa_tables_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.png").write_bytes(b"picture")
    for name in ("ecotaxa_1.tsv", "ecotaxa_2.tsv"):
        rows = "".join(f"a.png\t{name}{n}\n" for n in range(3))
        (tmp_path / name).write_text(f"img_file_name\tobject_id\n[t]\t[t]\n{rows}")
    assert len(list(open_source(str(tmp_path)).refs())) == 6
    monkeypatch.setattr("core.sources.ecotaxa.MAX_ROWS", 5)
    with pytest.raises(SourceError, match=r"ecotaxa_2\.tsv, line 5: more than the 5 rows allowed"):
        open_source(str(tmp_path))


def test_columns_of_an_npz_fit_into_memory_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """2,000 arrays of long texts that are all alike are packed into some megabytes."""
    path, texts = tmp_path / "v.npz", np.array(["text"] * 3)
    wide = {f"column{n}": texts for n in range(5)}
    np.savez(path, **wide, vectors=np.ones((3, 4)), ids=np.array(["a", "b", "c"]))
    monkeypatch.setattr(npz, "MAX_ROW", 2 * texts.itemsize)
    source = open_source(str(path))
    found = list(source.refs())
    assert [getattr(ref, "id", None) for ref in found] == ["a", "b", "c"]  # always there
    assert [getattr(ref, "metadata", None) for ref in found] == 3 * [
        {"column0": "text", "column1": "text"}
    ]
    (note,) = source.notes
    assert "column4" in note and "at most 32 bytes of them together" in note


def test_names_of_a_bucket_are_counted_in_letters(monkeypatch: pytest.MonkeyPatch):
    """A storage of a visitor's own may give names of megabytes, page after page."""
    monkeypatch.setenv("no_proxy", "*")
    with s3_server() as url:
        bucket = Bucket(url, public=True)
        bucket.put_many([f"run/{n:020d}.png" for n in range(4)], b"picture")
        source = open_source(bucket.uri(), endpoint_url=url, anonymous=True)
        assert len(list(source.refs())) == 4
        monkeypatch.setattr("core.sources.remote_bucket.MAX_NAMES", 99)
        with pytest.raises(SourceError, match="names of its objects have more than 99 letters"):
            open_source(bucket.uri(), endpoint_url=url, anonymous=True)
