"""Where a table's uris may lead."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ImageError
from core.sources import Skipped, open_source
from core.sources.reading import read_bytes


@pytest.mark.parametrize("member", ["../secret.png", "a/../../secret.png", "{root}/secret.png"])
def test_a_zip_that_becomes_a_folder_leads_nowhere_else(tmp_path: Path, member: str):
    """A page may send more files into the folder of a table that was looked at before."""
    inside = tmp_path / "upload"
    inside.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    uri = "c.zip#" + member.replace("{root}", str(tmp_path))
    (inside / "t.csv").write_text(f"uri\n{uri}\n")
    (found,) = open_source(str(inside / "t.csv"), bounded=True).refs()
    assert isinstance(found, Skipped)
    assert "outside of its zip" in found.reason
    (inside / "c.zip").mkdir()
    (inside / "c.zip" / "x.png").write_bytes(b"picture")
    assert read_bytes(f"{inside}/c.zip#x.png") == b"picture"
    with pytest.raises(ImageError, match="outside of its folder"):
        read_bytes(f"{inside}/{uri}")
