"""Edited clusterings as they are kept: what they remember, and who comes second."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from core import analysis, editing
from core.clustering import Clustering, save_clustering
from core.edits import Dissolve, Merge, Move, Rename
from core.errors import LockedError, NotFoundError, RangeError, StaleError, WorkspaceError
from core.exporting import export
from core.library import Library, View
from core.results import load_result, read_meta, save_result
from core.settings import Settings
from tests.core.prepared import IDS, IMAGES, prepared

LABELS = [0] * 8 + [1] * 6 + [2] * 4 + [-1] * 2
NAME = "hdbscan"
EDITED = "hdbscan (edited)"


@pytest.fixture
def library(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    prepared(tmp_path_factory, settings.workspace)
    opened = Library.open(settings)
    keep(opened)
    yield opened
    opened.close()


@pytest.fixture
def view(library: Library) -> View:
    return look(library)


def look(library: Library) -> View:
    return library.vectors(library.catalogue.collection("run"))


def keep(library: Library, labels: list[int] = LABELS, name: str = NAME) -> None:
    view = look(library)
    of = dict(zip(IDS, labels, strict=True))
    made = Clustering(
        np.array([of[id] for id in view.snapshot.ids], np.int32), "hdbscan", {"seed": 7}, 0.5, 0.9
    )
    path = library.workspace.clustering(view.collection.uid, "descriptors", name)
    save_clustering(path, made, view.snapshot.ids, "f" * 16)


def clusters(library: Library, view: View, name: str = EDITED) -> list[int | None]:
    return analysis.clusters_of(library, view, IDS, name=name)[0]


def meta(library: Library, view: View, name: str = EDITED) -> dict:
    return next(c for c in analysis.clusterings(library, view) if c["name"] == name)


def test_the_first_edit_makes_another_clustering(library: Library, view: View):
    before = library.workspace.clustering(view.collection.uid, "descriptors", NAME).read_bytes()
    done = editing.edit(library, view, NAME, Merge((1, 2)), by="Ada")
    assert done["clustering"] == EDITED
    assert done["from"] == NAME
    assert (done["clusters"], done["noise"], done["edits"]) == (2, 2, 1)
    assert clusters(library, view) == [0] * 8 + [1] * 10 + [-1] * 2
    assert clusters(library, view, NAME) == LABELS
    after = library.workspace.clustering(view.collection.uid, "descriptors", NAME).read_bytes()
    assert after == before
    kept = meta(library, view)
    origin = kept["edited"]["from"]
    assert (origin["name"], origin["fingerprint"]) == (NAME, "f" * 16)
    assert origin["parameters"]["seed"] == kept["parameters"]["seed"] == 7
    (edit,) = kept["edited"]["edits"]
    assert (edit["what"], edit["by"], edit["clusters"], edit["images"]) == (
        "merge",
        "Ada",
        [1, 2],
        4,
    )
    assert edit["at"]
    assert (kept["silhouette"], kept["stability"]) == (None, None)
    assert "edited by hand" in kept["why"]["stability"]


def test_the_edited_one_is_the_newest(library: Library, view: View):
    analysis.make_clustering(library, view, method="kmeans", k=2, seed=0)
    editing.edit(library, view, NAME, Rename(0, "rods"))
    assert analysis.clusterings(library, view)[0]["name"] == EDITED


def test_edits_are_added_and_taken_back_one_by_one(settings: Settings, library: Library):
    view = look(library)
    editing.edit(library, view, NAME, Rename(0, "rods"))
    editing.edit(library, view, EDITED, Merge((0, 2)))
    editing.edit(library, view, EDITED, Move((IDS[0], IDS[18]), None))
    editing.edit(library, view, EDITED, Dissolve(1))
    library.close()
    library = Library.open(settings)  # after a restart
    assert clusters(library, view) == [3] + [0] * 7 + [-1] * 6 + [0] * 4 + [3, -1]
    assert meta(library, view)["names"] == {"0": "rods"}
    assert editing.last_edit(meta(library, view)).said() == (  # type: ignore[union-attr]
        "dissolved cluster 1 to noise (6 images)"
    )
    expected = [
        [3] + [0] * 7 + [1] * 6 + [0] * 4 + [3, -1],
        [0] * 8 + [1] * 6 + [0] * 4 + [-1, -1],
        LABELS,
    ]
    for wanted in expected:
        editing.undo(library, view, EDITED, by="Bo")
        assert clusters(library, view) == wanted
    kept = meta(library, view)
    assert (kept["names"], kept["silhouette"]) == ({"0": "rods"}, 0.5)  # figures are true again
    assert editing.undo(library, view, EDITED)["edits"] == 8
    assert meta(library, view)["names"] == {}
    with pytest.raises(RangeError, match=r"'hdbscan \(edited\)' has no edit to take back"):
        editing.undo(library, view, EDITED)
    what = [edit.what for edit in editing.edits_of(meta(library, view))]
    assert what == ["rename", "merge", "move", "dissolve", *["undo"] * 4]
    library.close()


def test_a_new_cluster_after_an_undo_has_another_number(library: Library, view: View):
    editing.edit(library, view, NAME, Move((IDS[0],), None))
    editing.undo(library, view, EDITED)
    done = editing.edit(library, view, EDITED, Move((IDS[1],), None))
    assert done["edit"]["into"] == 4
    columns = load_result(
        library.workspace.clustering(view.collection.uid, "descriptors", EDITED)
    ).columns
    moved = dict(zip(columns["id"], columns["moved"], strict=True))
    assert {id: text for id, text in moved.items() if text} == {IDS[1]: "2"}


def test_an_edited_one_can_be_the_beginning_of_another(library: Library, view: View):
    editing.edit(library, view, NAME, Rename(0, "rods"))
    editing.edit(library, view, EDITED, Merge((0, 1)))
    done = editing.edit(library, view, EDITED, Dissolve(2), to="mine")
    assert (done["clustering"], done["from"], done["edits"]) == ("mine", EDITED, 1)
    kept = meta(library, view, "mine")
    assert kept["names"] == {"0": "rods"}
    assert kept["edited"]["from"]["from"] == NAME
    assert kept["edited"]["from"]["edits"] == 2
    editing.undo(library, view, "mine")
    assert meta(library, view, "mine")["names"] == {"0": "rods"}
    assert clusters(library, view, "mine") == clusters(library, view, EDITED)


def test_who_comes_second_is_told(library: Library, view: View):
    first = editing.revision_of(meta(library, view, NAME))
    editing.edit(library, view, NAME, Rename(0, "rods"), revision=first)
    with pytest.raises(StaleError, match="is there already; look at it and edit that one"):
        editing.edit(library, view, NAME, Rename(0, "discs"), revision=first)
    seen = editing.revision_of(meta(library, view))
    editing.edit(library, view, EDITED, Merge((0, 1)), by="Ada", revision=seen)
    for again in (
        lambda: editing.edit(library, view, EDITED, Dissolve(2), revision=seen),
        lambda: editing.undo(library, view, EDITED, revision=seen),
    ):
        with pytest.raises(StaleError, match=r"changed since you looked \(merged .* by Ada\)"):
            again()
    assert meta(library, view)["names"] == {"0": "rods"}
    keep(library, [0] * IMAGES)  # computed again under the same name
    analysis.make_clustering(library, view, method="kmeans", k=2, seed=0, name="two")
    seen = editing.revision_of(meta(library, view, "two"))
    analysis.make_clustering(library, view, method="kmeans", k=2, seed=0, name="two")
    with pytest.raises(StaleError, match="'two' changed since you looked; nothing was done"):
        editing.edit(library, view, "two", Rename(0, "x"), revision=seen)


def test_edits_at_the_same_time_all_count(library: Library, view: View):
    editing.edit(library, view, NAME, Rename(0, "rods"))
    errors: list[BaseException] = []

    def move(id: str) -> None:
        try:
            editing.edit(library, view, EDITED, Move((id,), 2))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=move, args=(id,)) for id in IDS[:6]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert clusters(library, view)[:8] == [2] * 6 + [0] * 2
    assert len(editing.edits_of(meta(library, view))) == 7


def test_an_edit_that_waits_in_vain_is_refused(
    library: Library, view: View, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(editing, "WAIT_S", 0.05)
    folder = library.workspace.clusterings(view.collection.uid, "descriptors")
    with (
        FileLock(folder / ".editing.lock"),
        pytest.raises(LockedError, match="edited by another process; try again"),
    ):
        editing.edit(library, view, NAME, Rename(0, "rods"))


def test_what_people_decided_is_not_computed_over(library: Library, view: View):
    editing.edit(library, view, NAME, Rename(0, "rods"))
    with pytest.raises(RangeError, match="holds edits made by hand, which are not overwritten"):
        analysis.make_clustering(library, view, method="kmeans", k=2, name=EDITED, seed=0)
    analysis.make_clustering(library, view, method="kmeans", k=2, name=NAME, seed=0)
    assert meta(library, view)["names"] == {"0": "rods"}


def test_there_is_an_end_to_edits(library: Library, view: View, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(editing, "MAX_EDITS", 2)
    editing.edit(library, view, NAME, Rename(0, "a"))
    editing.edit(library, view, EDITED, Rename(0, "b"))
    with pytest.raises(RangeError, match="2 edits, the most one can have; go on in another"):
        editing.edit(library, view, EDITED, Rename(0, "c"))
    editing.undo(library, view, EDITED)  # what was done can always be taken back
    done = editing.edit(library, view, EDITED, Rename(0, "c"), to="more")
    assert done["edits"] == 1


def test_names_and_images_that_are_not_there(library: Library, view: View):
    with pytest.raises(NotFoundError, match="no clustering is called 'x'; there is 'hdbscan'"):
        editing.edit(library, view, "x", Rename(0, "rods"))
    with pytest.raises(NotFoundError, match=r"1 of 2 images are not covered by .* 'nobody'"):
        editing.edit(library, view, NAME, Move((IDS[0], "nobody"), 1))
    with pytest.raises(RangeError, match="clustering name is ' x'; expected"):
        editing.edit(library, view, NAME, Rename(0, "rods"), to=" x")
    with pytest.raises(RangeError, match="--by is ''; expected who edits"):
        editing.edit(library, view, NAME, Rename(0, "rods"), by="")
    assert [c["name"] for c in analysis.clusterings(library, view)] == [NAME]


def test_a_collection_without_clusterings_has_nothing_to_edit(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
):
    prepared(tmp_path_factory, settings.workspace)
    library = Library.open(settings)
    with pytest.raises(NotFoundError, match="no clustering is called 'x'; there is none yet"):
        editing.undo(library, look(library), "x")
    library.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_workspace_that_cannot_be_written_is_left_as_it_is(library: Library, view: View):
    folder = library.workspace.clusterings(view.collection.uid, "descriptors")
    folder.chmod(0o500)
    try:
        with pytest.raises(WorkspaceError, match="cannot be written"):
            editing.edit(library, view, NAME, Rename(0, "rods"))
    finally:
        folder.chmod(0o700)


def test_a_file_without_its_steps_is_said_to_be_damaged(library: Library, view: View):
    editing.edit(library, view, NAME, Rename(0, "rods"))
    path = library.workspace.clustering(view.collection.uid, "descriptors", EDITED)
    result = load_result(path)
    save_result(path, {k: result.columns[k] for k in ("id", "cluster")}, read_meta(path))
    with pytest.raises(WorkspaceError, match="has no column moved, original"):
        editing.undo(library, view, EDITED)


def test_edits_appear_in_an_export(library: Library, view: View, tmp_path: Path):
    editing.edit(library, view, NAME, Rename(1, "=rods"))
    editing.edit(library, view, EDITED, Merge((1, 2)))
    editing.edit(library, view, EDITED, Move((IDS[18],), 0))
    export(library, view, to=tmp_path / "a.parquet", format="parquet")
    frame = pd.read_parquet(tmp_path / "a.parquet").set_index("id").loc[IDS]
    assert list(frame.columns[3:6]) == ["cluster", "cluster_name", "x"]
    assert list(frame["cluster"]) == [0] * 8 + [1] * 10 + [0, -1]
    assert frame["cluster_name"].fillna("-").tolist() == ["-"] * 8 + ["=rods"] * 10 + ["-", "-"]
    done = export(library, view, to=tmp_path / "a.csv", format="csv")
    assert done["escaped"] == 10
    assert set(pd.read_csv(tmp_path / "a.csv")["cluster_name"].dropna()) == {"'=rods"}
    export(library, view, to=tmp_path / "b.csv", format="csv", clustering=NAME)
    assert "cluster_name" not in pd.read_csv(tmp_path / "b.csv")
