"""`labels ...` on the command line: the fields of the contract, and one line for bad input."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from core import labels
from core.__main__ import main
from core.labels import Decision
from core.library import Library
from core.settings import Settings
from tests.core.conftest import Command
from tests.core.prepared import IDS, answer, prepared, source

Run = Callable[..., Any]
FIELDS = {"event", "id", *labels.FIELDS[1:]}


@pytest.fixture(autouse=True)
def filled(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    for name in ("PLANKTON_WORKSPACE", "PLANKTON_STORE", "PLANKTON_CATALOGUE"):
        monkeypatch.delenv(name, raising=False)
    return prepared(tmp_path_factory, settings.workspace)


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `labels COMMAND` that works and gives the one JSON object it printed."""

    def call(
        what: str, *arguments: str, workspace: Path = settings.workspace, collection: str = "run"
    ) -> Any:
        options = ["--collection", collection, "--json", "--workspace", str(workspace)]
        capsys.readouterr()
        status = main(["labels", what, *arguments, *options])
        return answer(capsys, status)

    return call


@pytest.fixture
def fail(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `labels COMMAND` that is refused and gives the one line it said."""

    def call(what: str, *arguments: str, collection: str = "run") -> str:
        options = ["--collection", collection, "--json", "--workspace", str(settings.workspace)]
        status = main(["labels", what, *arguments, *options])
        out, err = capsys.readouterr()
        assert (status, out) == (2, ""), err
        (line,) = err.splitlines()
        return line.removeprefix("error: ")

    return call


def ids(of: Sequence[str]) -> list[str]:
    return [part for id in of for part in ("--id", id)]


def test_set_and_history(run: Run):
    done = run("set", "--label", "Salp", *ids(IDS[:2]), "--by", "ann")
    assert done["events"] == 2
    (newest, oldest) = run("history", "--id", IDS[0])["events"]
    assert set(newest) == FIELDS
    assert (newest["id"], newest["label"], newest["status"]) == (IDS[0], "Salp", "validated")
    assert (newest["by"], newest["how"], newest["action"]) == ("ann", "selection", done["action"])
    assert (oldest["label"], oldest["by"]) == ("Copepod", "import")
    run("set", "--label", "Salp", "--id", IDS[2], "--status", "dubious")
    (event,) = run("history", "--by", getpass.getuser())["events"]
    assert (event["status"], event["how"]) == ("dubious", "single")
    run("set", "--label", "", "--id", IDS[2])
    assert run("history", "--id", IDS[2])["events"][0]["label"] is None


def test_set_from_a_file(run: Run, tmp_path: Path):
    (tmp_path / "some.csv").write_text("id\n" + "\n".join(IDS[3:6]) + "\n")
    assert run("set", "--label", "Salp", "--ids-from", str(tmp_path / "some.csv"))["events"] == 3


def test_history_by_pages(run: Run):
    run("set", "--label", "Salp", *ids(IDS[:5]), "--by", "ann")
    first = run("history", "--label", "Salp", "--limit", "3")
    assert len(first["events"]) == 3
    rest = run("history", "--label", "Salp", "--limit", "3", "--before", str(first["next"]))
    assert (len(rest["events"]), rest["next"]) == (2, None)
    assert {e["id"] for e in first["events"] + rest["events"]} == set(IDS[:5])
    assert run("history", "--by", "nobody") == {"events": [], "next": None}


def test_undo(run: Run, fail: Callable[..., str]):
    done = run("set", "--label", "Salp", *ids(IDS[:2]), "--by", "ann")
    run("set", "--label", "Rod", "--id", IDS[1], "--by", "bob")
    undone = run("undo", "--by", "ann")
    assert (undone["events"], undone["action"]) == (1, done["action"])
    (since,) = undone["decided_since"]
    assert (since["id"], since["label"], since["by"]) == (IDS[1], "Rod", "bob")
    assert run("history", "--id", IDS[0])["events"][0]["label"] == "Copepod"
    assert "nothing by 'ann'" in fail("undo", "--by", "ann")
    assert "no action 'x' to undo" in fail("undo", "--action", "x")


def test_what_others_decided_since_is_told(run: Run):
    seen = run("names")["newest_event"]
    run("set", "--label", "Rod", "--id", IDS[1], "--by", "bob")
    done = run("set", "--label", "Salp", *ids(IDS[:2]), "--by", "ann", "--seen", str(seen))
    assert done["events"] == 1
    assert [(c["id"], c["label"], c["by"]) for c in done["conflicts"]] == [(IDS[1], "Rod", "bob")]


def test_names_rename_and_merge(run: Run, fail: Callable[..., str]):
    assert run("names")["names"][0] == {"name": "Copepod", "images": 10, "validated": 10}
    assert run("rename", "--label", "Copepod", "--to", "Copepoda", "--by", "ann")["events"] == 10
    assert "'Detritus' already; merge" in fail("rename", "--label", "Copepoda", "--to", "Detritus")
    both = ["--label", "Copepoda", "--label", "Detritus", "--to", "Any"]
    assert "make one of them with --merge" in fail("rename", *both)
    assert run("rename", *both, "--merge", "--by", "ann")["events"] == 20
    assert [n["name"] for n in run("names")["names"]] == ["Any"]
    run("undo", "--by", "ann")
    assert [n["name"] for n in run("names")["names"]] == ["Copepoda", "Detritus"]


def test_a_likely_typo_is_told(settings: Settings, capsys: pytest.CaptureFixture[str]):
    options = ["--collection", "run", "--workspace", str(settings.workspace), "--json"]
    assert main(["labels", "set", "--label", "copepods", "--id", IDS[0], *options]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["similar_names"] == ["Copepod"]
    assert "note: 'copepods' is new and much like 'Copepod'" in err
    assert main(["labels", "set", "--label", "Copepod", "--id", IDS[0], *options]) == 0
    assert capsys.readouterr().err == ""


def test_refusals(fail: Callable[..., str], tmp_path: Path):
    assert "has no image 'x'" in fail("set", "--label", "Salp", "--id", "x")
    assert "has no image 'x'" in fail("history", "--id", "x")
    assert "the label is ' Salp'; expected 1 to 200" in fail("set", "--label", " Salp", "--id", "x")
    assert "invalid choice: 'sure'" in fail(
        "set", "--label", "L", "--id", IDS[0], "--status", "sure"
    )
    assert "--by is ' '; expected who" in fail("set", "--label", "L", "--id", IDS[0], "--by", " ")
    assert "say who" in fail("set", "--label", "L", "--id", IDS[0], "--by", "import")
    assert "no collection is called 'none'" in fail("names", collection="none")
    assert "expected .csv or .parquet" in fail("export", "-o", str(tmp_path / "a.txt"))
    assert "cannot be read" in fail("import", str(tmp_path / "none.csv"))
    assert "the limit is 0" in fail("history", "--limit", "0")
    assert "python -m core labels" in fail("what")


def told(workspace: Path, collection: str = "run") -> list[Any]:
    """The history of a workspace, its numbering aside."""
    library = Library.open(Settings(workspace=workspace))
    kept = labels.waiting(library.catalogue, collection)
    assert kept is not None
    found = list(labels.every_event(library.catalogue, kept.uid))
    library.close()
    return found


def current(workspace: Path) -> Any:
    library = Library.open(Settings(workspace=workspace))
    found = labels.waiting(library.catalogue, "run")
    assert found is not None
    now = labels.current(library.catalogue, found.uid)
    library.close()
    return now


@pytest.fixture
def decided(run: Run, settings: Settings) -> Path:
    """The workspace after some decisions of all kinds; its labels hold what is hard to write."""
    run("set", "--label", '=Salp, "big"', *ids(IDS[:3]), "--by", "ann")
    run("set", "--label", "'=Rod", *ids(IDS[2:4]), "--by", "böb", "--status", "dubious")
    run("set", "--label", "", "--id", IDS[4], "--by", "ann")
    run("undo", "--by", "böb")
    run("rename", "--label", "Detritus", "--to", "Détritus", "--by", "@nn")
    library = Library.open(settings)
    uid = library.catalogue.collection("run").uid
    said = [Decision(IDS[5], "Bubble", "predicted", 1 / 3, "5 of 7 neighbours,\r\nmore")]
    labels.record(library.catalogue, uid, said, by="model", how="suggestion")
    library.close()
    return settings.workspace


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_there_and_back(run: Run, decided: Path, tmp_path: Path, kind: str):
    """Into an empty workspace, by the command line: the same labels and the same history."""
    file, other = tmp_path / f"history.{kind}", tmp_path / "other"
    before = told(decided)
    assert run("export", "-o", str(file)) == {"file": str(file), "events": len(before)}
    done = run("import", str(file), workspace=other)
    assert done == {"events": len(before), "already": 0, "kept": 0, "images_not_here": 20}
    assert told(other) == before
    assert current(other) == current(decided)
    assert {e["confidence"] for e in before} == {None, 1 / 3}
    again = run("import", str(file), workspace=other)
    assert (again["events"], again["already"]) == (0, len(before))
    assert told(other) == before
    assert run("import", str(file))["events"] == 0  # nor is it news where it came from
    back = tmp_path / f"back.{kind}"
    run("export", "-o", str(back), workspace=other)
    assert back.read_bytes() == file.read_bytes()


def test_labels_wait_for_their_images(
    run: Run, decided: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    file, other = tmp_path / "history.csv", tmp_path / "other"
    run("export", "-o", str(file))
    run("import", str(file), workspace=other)
    named = run("names", workspace=other)["names"]
    assert named == run("names")["names"]
    assert run("undo", "--by", "ann", workspace=other)["events"] == 1
    where = ["--collection", "run", "--workspace", str(other)]
    assert main(["index", str(source(tmp_path_factory)), *where, "--labels", "folder"]) == 0
    library = Library.open(Settings(workspace=other))
    collection = library.catalogue.collection("run")
    now = labels.current(library.catalogue, collection.uid)
    library.close()
    assert now[IDS[0]].label == '=Salp, "big"'
    assert (now[IDS[3]].label, now[IDS[3]].by) == ("Détritus", "@nn")


def test_a_name_that_was_used_before(run: Run, decided: Path, tmp_path: Path):
    file = tmp_path / "history.csv"
    run("export", "-o", str(file))
    library = Library.open(Settings(workspace=tmp_path / "other"))
    uid = library.catalogue.create("run", encoder="descriptors", options={}).uid
    library.catalogue.delete(uid)
    library.close()
    run("import", str(file), workspace=tmp_path / "other")
    assert told(tmp_path / "other") == told(decided)


def test_a_table_of_labels_never_overrules_a_person(run: Run, tmp_path: Path):
    run("set", "--label", "Salp", "--id", IDS[0], "--by", "ann")
    table = tmp_path / "labels.csv"
    rows = [("id", "label", "label_status"), (IDS[0], "Rod", ""), (IDS[1], "Rod", "dubious")]
    rows += [("unknown", "Rod", ""), (IDS[2], "Copepod", ""), (IDS[3], "", "")]
    table.write_text("\n".join(",".join(row) for row in rows) + "\n")
    done = run("import", str(table))
    assert done == {"events": 1, "already": 2, "kept": 0, "images_not_here": 1}
    (event, *_) = run("history", "--id", IDS[1])["events"]
    assert (event["label"], event["status"], event["by"]) == ("Rod", "dubious", "import")
    assert run("history", "--id", IDS[0])["events"][0]["label"] == "Salp"
    assert run("import", str(table))["events"] == 0


def test_a_table_that_export_wrote(
    run: Run, settings: Settings, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    table = tmp_path / "run.parquet"
    where = ["--collection", "run", "--workspace", str(settings.workspace)]
    assert main(["export", *where, "--format", "parquet", "-o", str(table)]) == 0
    fresh = tmp_path / "fresh"
    where[3] = str(fresh)
    assert main(["index", str(source(tmp_path_factory)), *where]) == 0
    assert run("import", str(table), workspace=fresh)["events"] == 20
    assert {said.by for said in current(fresh).values()} == {"import"}


@pytest.mark.slow
def test_ecotaxa_and_back(run: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory):
    run("set", "--label", "Salp", *ids(IDS[:2]), "--by", "ann", "--status", "dubious")
    file, fresh = tmp_path / "run.zip", tmp_path / "fresh"
    assert run("export", "-o", str(file))["images"] == 20
    where = ["--collection", "run", "--workspace", str(fresh)]
    assert main(["index", str(source(tmp_path_factory)), *where]) == 0
    done = run("import", str(file), workspace=fresh)
    assert (done["events"], done["images_not_here"]) == (20, 0)
    now = current(fresh)
    assert (now[IDS[0]].label, now[IDS[0]].status, now[IDS[0]].by) == ("Salp", "dubious", "ann")
    assert now[IDS[3]].by == "import"
    assert run("import", str(file), workspace=fresh)["events"] == 0
    run("set", "--label", "Rod", "--id", IDS[0], "--by", "bob", workspace=fresh)
    again = run("import", str(file), workspace=fresh)
    assert (again["events"], again["kept"]) == (0, 1)
    assert current(fresh)[IDS[0]].label == "Rod"


@pytest.mark.slow
def test_in_a_process_of_its_own(command: Command, tmp_path: Path):
    done = command("labels", "set", "--collection", "run", "--label", "L", "--id", IDS[0], "--json")
    assert (done.returncode, json.loads(done.stdout)["events"]) == (0, 1), done.stderr
    shown = command("labels", "history", "--collection", "run", "--id", IDS[0])
    assert shown.returncode == 0
    assert "events: 2" in shown.stdout


@pytest.mark.slow
def test_suggestions_are_accepted_with_who_and_how_sure(
    run: Run, settings: Settings, tmp_path: Path
):
    assert main(["sample", "--n", "200", "--workspace", str(settings.workspace), "--json"]) == 0
    library = Library.open(settings)
    uid = library.catalogue.collection("sample").uid
    truth = {id: each.label for id, each in labels.current(library.catalogue, uid).items()}
    hidden = sorted(truth)[::4]
    (tmp_path / "ids.txt").write_text("\n".join(hidden))
    run("set", "--label", "", "--ids-from", str(tmp_path / "ids.txt"), collection="sample")
    before = labels.revision(library.catalogue, uid)

    found = run("suggest", "--min-confidence", "0.5", collection="sample")["suggestions"]
    assert labels.revision(library.catalogue, uid) == before  # nothing is recorded
    assert len(found) > len(hidden) / 2
    assert {each["id"] for each in found} <= set(hidden)
    sure = [each["confidence"] for each in found]
    assert sure == sorted(sure, reverse=True)
    assert 0.5 <= sure[-1] <= sure[0] <= 1
    right = sum(truth[each["id"]] == each["label"] for each in found) / len(found)
    assert right > 0.6
    for each in found:
        assert each["evidence"]
        assert {truth[id] for id in each["evidence"]} == {each["label"]}
        assert not set(each["evidence"]) & set(hidden)

    done = run("accept", "--min-confidence", "0.5", "--by", "Ada", collection="sample")
    assert done["events"] == len(found)
    (event,) = run("history", "--id", found[0]["id"], "--by", "Ada", collection="sample")["events"]
    assert (event["how"], event["status"]) == ("suggestion", "validated")
    assert event["confidence"] == pytest.approx(found[0]["confidence"])
    now = labels.current(library.catalogue, uid)
    assert {id for id in hidden if id in now} == {each["id"] for each in found}
    run("undo", "--by", "Ada", collection="sample")
    assert not set(labels.current(library.catalogue, uid)) & set(hidden)
    library.close()


def test_few_labels_say_what_they_lack(run: Run, fail: Callable[..., str]):
    told = run("suggest")
    assert told["suggestions"] == []
    assert "not calibrated yet" in told["why"]["confidence"]
    assert run("accept")["events"] == 0
    assert "expected 0 to 1" in fail("suggest", "--min-confidence", "2")
