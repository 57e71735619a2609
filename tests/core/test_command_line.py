"""The command line is a contract: fields, exit codes, one line for every bad input."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.__main__ import main
from core.library import Library
from core.settings import Settings
from core.workspace import Workspace
from tests.core.conftest import ROOT, Command, Pictures, quiet_environment
from tests.core.prepared import IDS, IMAGES, answer, prepared, source

Run = Callable[..., Any]
Fail = Callable[..., str]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PLANKTON_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def filled(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory, settings.workspace)


@pytest.fixture
def images(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source(tmp_path_factory)


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that works and gives the one JSON object it printed."""

    def call(*arguments: str) -> Any:
        status = main([*arguments, "--json", "--workspace", str(settings.workspace)])
        return answer(capsys, status)

    return call


@pytest.fixture
def fail(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Fail:
    """Runs a command that is refused and gives the one line it said."""

    def call(*arguments: str) -> str:
        status = main([*arguments, "--json", "--workspace", str(settings.workspace)])
        out, err = capsys.readouterr()
        assert (status, out) == (2, ""), err
        lines = [line for line in err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, err
        assert err.endswith(lines[0] + "\n")
        return lines[0].removeprefix("error: ")

    return call


# fields of the contract


def test_selections_are_kept_shown_used_and_forgotten(run: Run, fail: Fail, filled, tmp_path):
    some, others = tmp_path / "some.csv", tmp_path / "others.txt"
    some.write_text("id\n" + "\n".join(IDS[:3]) + "\n")
    others.write_text(IDS[5] + "\n")
    made = run("selections", "--collection", "run", "--keep", "mine", "--ids-from", str(some))
    assert [(s["name"], s["images"]) for s in made["selections"]] == [("mine", 3)]
    shown = run("selections", "--collection", "run", "--show", "mine")
    assert shown == {"name": "mine", "ids": IDS[:3]}
    like = run("similar", "--collection", "run", "--ids-from", str(some), "-k", "4")
    assert len(like["matches"]) == 4
    assert like["query"] == {"set": 3, "unlike": 0}
    assert not {m["id"] for m in like["matches"]} & set(IDS[:3])
    unlike = run(
        "similar", "--collection", "run", "--ids-from", str(some), "--unlike-from", str(others),
        "-k", "99",
    )  # fmt: skip
    assert {m["id"] for m in unlike["matches"]} == set(IDS) - {*IDS[:3], IDS[5]}
    assert "give the set with --ids-from" in fail(
        "similar", "--collection", "run", "--id", IDS[0], "--unlike-from", str(others)
    )
    assert "go together" in fail("selections", "--collection", "run", "--keep", "mine")
    assert run("selections", "--collection", "run", "--forget", "mine") == {"selections": []}
    assert "no selection is called" in fail("selections", "--collection", "run", "--show", "mine")


def test_a_fresh_workspace_has_no_collections(run: Run):
    assert run("collections") == {"collections": []}


@pytest.mark.slow
def test_sample(run: Run):
    assert run("sample", "--n", "12").items() >= {"collection": "sample", "indexed": 12}.items()
    (entry,) = run("collections")["collections"]
    assert (entry["name"], entry["encoder"], entry["images"]) == ("sample", "descriptors", 12)


def test_where_no_image_can_be_used_the_reasons_are_told(run: Run, tmp_path: Path):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "a.png").write_bytes(b"\x89PNG and no more")
    done = run("index", str(tmp_path / "damaged"), "--collection", "new", "--map")
    assert (done["indexed"], done["skipped_count"]) == (0, 1)
    assert done["why"] == "No image could be used, so the collection was not made."
    assert run("collections") == {"collections": []}
    assert run("index", str(tmp_path / "damaged"), "--collection", "new")["skipped_count"] == 1


def test_index(run: Run, images: Path, tmp_path: Path):
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "a.png").write_bytes((images / "Copepod" / "00.png").read_bytes())
    (tmp_path / "mixed" / "b.png").write_bytes(b"")
    done = run("index", str(tmp_path / "mixed"), "--collection", "new", "--um-per-px", "2.5")
    assert (done["indexed"], done["updated"], done["already"]) == (1, 0, 0)
    assert (done["skipped_count"], len(done["skipped"])) == (1, 1)
    assert set(done["skipped"][0]) == {"uri", "reason", "count"}
    assert done["skipped"][0]["uri"].endswith("b.png")
    assert done["seconds"] >= 0
    again = run("index", str(tmp_path / "mixed"), "--collection", "new")
    assert (again["indexed"], again["already"]) == (0, 1)


def test_collections(run: Run, filled: Path):
    (entry,) = run("collections")["collections"]
    assert set(entry) == {"name", "encoder", "dimension", "images"}
    assert entry["images"] == IMAGES


def test_similar(run: Run, images: Path):
    found = run("similar", "--collection", "run", "--id", IDS[3], "-k", "5")
    assert {"query", "exact", "matches"} <= set(found)
    assert found["exact"] is True
    assert len(found["matches"]) == 6
    assert found["matches"][0]["id"] == IDS[3]
    assert found["matches"][0]["distance"] == 0
    assert {"id", "distance", "label", "uri"} <= set(found["matches"][1])
    distances = [match["distance"] for match in found["matches"]]
    assert distances == sorted(distances)
    file = str(images.parent / IDS[3])
    found = run("similar", "--collection", "run", "--image", file, "-k", "5")
    assert len(found["matches"]) == 5
    assert found["matches"][0]["id"] == IDS[3]
    found = run("similar", "--collection", "run", "--id", IDS[3], "--only-label", "Copepod")
    assert {match["label"] for match in found["matches"][1:]} == {"Copepod"}


def test_project_and_cluster_and_export(run: Run, filled: Path, tmp_path: Path):
    done = run("project", "--collection", "run", "--method", "pca")
    assert done["method"] == "pca"
    assert done["points"] == IMAGES
    assert "seconds" in done
    done = run("cluster", "--collection", "run", "--method", "kmeans", "--k", "2", "--name", "mine")
    fields = "name method clusters noise noise_share silhouette stability seconds"
    assert set(fields.split()) <= set(done)
    assert (done["name"], done["clusters"]) == ("mine", 2)
    to = tmp_path / "out.csv"
    assert run("export", "--collection", "run", "--format", "csv", "-o", str(to))["images"] == 20
    assert set(pd.read_csv(to)["cluster"]) == {0, 1}


def test_a_figure_that_cannot_be_had_is_null_with_a_why(run: Run, pictures: Pictures):
    run("index", str(pictures(2)), "--collection", "two")
    done = run("cluster", "--collection", "two", "--method", "hdbscan")
    assert done["silhouette"] is None
    assert "silhouette" in done["why"]


def test_rename_relocate_delete(run: Run, images: Path):
    run("rename", "--collection", "run", "--to", "walk")
    done = run("relocate", "--collection", "walk", "--to", str(images))
    assert done["images"] == IMAGES
    run("delete", "--collection", "walk")
    assert run("collections") == {"collections": []}


def test_doctor_and_jobs(run: Run, filled: Path):
    assert run("doctor") == {"ok": True, "problems": []}
    assert run("doctor", "--repair")["ok"] is True
    assert run("jobs") == {"jobs": []}
    next(filled.glob("thumbnails/*/*/*.webp")).unlink()
    found = run("doctor")  # it could look: exit 0
    assert (found["ok"], len(found["problems"])) == (False, 1)


# how it is called


def test_common_options_stand_before_or_after(
    settings: Settings, capsys: pytest.CaptureFixture[str]
):
    where = ["--workspace", str(settings.workspace)]
    for arguments in (
        ["collections", "--json", *where],
        ["--json", *where, "collections"],
        [*where, "collections", "--json"],
    ):
        assert main(arguments) == 0
        assert json.loads(capsys.readouterr().out) == {"collections": []}


def test_help(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    every = "sample index collections delete rename relocate jobs similar project cluster export"
    for name in [*every.split(" "), "doctor"]:
        assert name in said
    with pytest.raises(SystemExit) as ended:
        main(["similar", "--help"])
    assert ended.value.code == 0


def test_a_person_reads_lines(filled: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["collections", "--workspace", str(filled)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[:2] == ["collections: 1", "  name  encoder      dimension  images"]
    assert out.splitlines()[2].split() == ["run", "descriptors", "185", str(len(IDS))]
    assert main(
        ["similar", "--collection", "run", "--id", IDS[0], "-k", "2", "--workspace", str(filled)]
    ) == 0  # fmt: skip
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    head = next(line for line in lines if "distance" in line)
    first = lines[lines.index(head) + 1]
    assert dict(zip(head, first, strict=False)) | {"id": IDS[0], "distance": "0"} == dict(
        zip(head, first, strict=False)
    )


@pytest.mark.slow
def test_real_processes(command: Command, filled: Path):
    done = command()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: python -m core: ")
    done = command("index", "/nowhere", "--collection", "x", "--json")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    done = command("similar", "--collection", "run", "--id", IDS[0], "--json")
    assert len(json.loads(done.stdout)["matches"]) == IMAGES
    assert done.stderr == ""


@pytest.mark.slow
def test_progress_goes_to_stderr(command: Command, pictures: Pictures):
    done = command("index", str(pictures(3)), "--collection", "c", "--json")
    assert json.loads(done.stdout)["indexed"] == 3
    assert done.stdout.count("\n") == 1
    assert "Reading and encoding images: 3 of 3" in done.stderr


LIGHT = """
import sys
from core.__main__ import main
status = main(sys.argv[1:])
heavy = "torch open_clip timm chromadb sklearn umap pandas skimage pyarrow scipy streamlit"
print([name for name in heavy.split() if name in sys.modules], file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.parametrize(
    "arguments", [["collections"], ["similar", "--collection", "run", "--id", IDS[0]], ["jobs"]]
)
def test_what_only_reads_opens_at_once(filled: Path, arguments: list[str]):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *arguments, "--json", "--workspace", str(filled)],
        cwd=ROOT, env=quiet_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_a_locale_that_cannot_write_the_id(filled: Path):
    library = Library.open(Settings(filled))
    library.catalogue.create("Ålgå 🦐", encoder="descriptors", options={})
    library.close()
    done = subprocess.run(
        [sys.executable, "-m", "core", "collections", "--json", "--workspace", str(filled)],
        cwd=ROOT,
        env=quiet_environment() | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    names = [each["name"] for each in json.loads(done.stdout.decode("latin-1"))["collections"]]
    assert names == ["run", "Ålgå 🦐"]


# bad input


def png(width: int, height: int) -> bytes:
    """A PNG that says it is so large, of black."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    data = b"".join([packer.compress(bytes(1 + width)) for _ in range(height)]) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def test_sources_that_cannot_be_used(fail: Fail, run: Run, filled: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a.txt").write_text("x")
    (tmp_path / "bad.zip").write_bytes(b"PK")
    with zipfile.ZipFile(tmp_path / "up.zip", "w") as archive:
        archive.writestr("../a.png", b"x")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(30_000_000))
    before = run("collections")
    for name, words in {
        "missing": "there is no folder",
        "empty": "it is empty; expected files such as",
        "words": "none of them a picture; expected files such as",
        "bad.zip": "is not a zip, or is damaged; pack it again",
        "up.zip": "names a file outside itself",
        "bomb.zip": "this looks like a zip bomb",
    }.items():
        assert words in fail("index", str(tmp_path / name), "--collection", "new"), name
    assert "expected PATH#NAME" in fail("index", "chroma:nothing", "--collection", "new")
    assert run("collections") == before


def test_files_that_are_no_pictures(fail: Fail, filled: Path, tmp_path: Path):
    files = {
        "missing.png": None,
        "empty.png": b"",
        "words.png": b"these are words",
        "large.png": png(20_000, 20_000),
    }
    for name, data in files.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        said = fail("similar", "--collection", "run", "--image", str(tmp_path / name))
        assert name in said
    assert "no such file" in fail("similar", "--collection", "run", "--image", "missing")


def test_a_picture_too_large_is_skipped_and_the_run_goes_on(run: Run, tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "large.png").write_bytes(png(20_000, 20_000))
    (tmp_path / "in" / "small.png").write_bytes(png(20, 20))
    done = run("index", str(tmp_path / "in"), "--collection", "new")
    assert (done["indexed"], done["skipped_count"]) == (1, 1)
    assert "20,000 x 20,000 pixels is more than" in done["skipped"][0]["reason"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["similar", "--collection", "ran", "--id", "x"], "did you mean 'run'?"),
        (["similar", "--collection", "run", "--id", "00.png"], "did you mean 'run/Copepod/00.png'"),
        (["similar", "--collection", "run", "--encoder", "timm:x", "--id", "x"], "it has: descr"),
        (["similar", "--collection", "run", "--id", IDS[0], "-k", "0"], "k is 0; expected 1 to"),
        (["similar", "--collection", "run", "--id", IDS[0], "-k", "many"], "invalid int value"),
        (["similar", "--collection", "run", "--text", "round cells"], "text"),
        (["similar", "--collection", "run"], "one of the arguments --id --image --text"),
        (["similar", "--collection", "run", "--id", "a", "--text", "b"], "not allowed with"),
        (["similar", "--collection", "run", "--id", "a", "--size-min", "nan"], "expected a number"),
        (["similar", "--id", "a"], "arguments are required: --collection"),
        (["similar", "--coll", "run", "--id", "a"], "arguments are required: --collection"),
        (["index", "{}", "--collection", "x", "--um-per-px", "nan"], "expected a number such"),
        (["index", "{}", "--collection", "x", "--um-per-px", "-1"], "expected more than 0"),
        (["index", "{}", "--collection", "x", "--um-per-px", "0"], "expected more than 0"),
        (["index", "{}", "--collection", "a/b"], "expected 1 to 100 printable characters"),
        (["index", "{}", "--collection", "x", "--encoder", "magic"], "there is no encoder 'magic'"),
        (["index", "{}", "--collection", "x", "--made-by", "timm:x"], "leave it out"),
        (["index", "--collection", "ran"], "did you mean 'run'?"),
        (["index", "--collection", "run", "--labels", "folder"], "--labels: says how to read"),
        (["index", "chroma:a#b", "--collection", "x", "--again"], "--again: not for vectors made"),
        (["project", "--collection", "run", "--method", "tsne"], "invalid choice: 'tsne'"),
        (["project", "--collection", "run", "--seed", "-1"], "expected 0 to 4,294,967,295"),
        (["cluster", "--collection", "run", "--method", "spectral"], "expected one of kmeans"),
        (["cluster", "--collection", "run", "--method", "kmeans", "--k", "999"], "999"),
        (["cluster", "--collection", "run", "--method", "kmeans", "--k", "0"], "k is 0"),
        (["export", "--collection", "run", "--format", "xls", "-o", "a"], "expected one of csv"),
        (["export", "--collection", "run", "--format", "csv", "-o", "/no/a"], "is no folder"),
        (["delete", "--collection", "ran"], "did you mean 'run'?"),
        (["rename", "--collection", "run", "--to", ""], "expected 1 to 100 printable"),
        (["relocate", "--collection", "run", "--to", "/nowhere"], "does not exist; expected"),
        (["jobs", "--cancel", "x"], "there is no job 'x'; `jobs` lists them"),
        (["sample", "--n", "0"], "expected 1 to"),
        (["dance"], "invalid choice: 'dance'"),
        (["collections", "--colour"], "collections: unrecognized arguments: --colour; see"),
        (
            ["screen", "train", "--collection", "x", "--model", "m", "--recall", "0.9"],
            "screen train: unrecognized arguments: --recall 0.9 (did you mean --target-recall?)",
        ),
        (["collections", "--store", "localhost"], "expected the url of a `chroma run` server"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_line_says_what_is_wrong(
    fail: Fail, run: Run, images: Path, arguments: list[str], words: str
):
    before = run("collections")
    assert words in fail(*[a.format(images) for a in arguments])
    assert run("collections") == before


def test_a_newer_workspace(fail: Fail, filled: Path):
    (filled / "workspace.json").write_text('{"format": 99}')
    assert "has format 99; this version reads up to 1, update" in fail("collections")


def test_a_server_that_is_down(fail: Fail, run: Run, images: Path):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    said = fail("index", str(images), "--collection", "run", "--store", url)
    assert f"no Chroma server answers at {url}" in said
    assert "start one with `chroma run" in said
    assert run("collections")["collections"][0]["images"] == IMAGES


def test_a_second_writer(fail: Fail, settings: Settings, images: Path):
    with Workspace.open(settings).writing("index --collection other"):
        said = fail("delete", "--collection", "run")
    assert "`index --collection other`" in said
    assert str(os.getpid()) in said


def test_a_mistake_of_ours_is_exit_1(filled: Path):
    code = (
        "import core.managing as m, sys\n"
        "m.summary = lambda library: 1 / 0\n"
        "from core.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "collections", "--json", "--workspace", str(filled)],
        cwd=ROOT, env=quiet_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "ZeroDivisionError" in done.stderr


# names that may hold anything

ODD = [
    "<img src=x onerror=alert(1)>.png",
    "with spaces  two.png",
    "50% #3 ?a=b&c.png",
    "new\nline.png",
    "\x1b[31mred.png",
    "=cmd().png",
    "-k.png",
    "'quoted\".png",
    "🦐" * 50 + ".png",
    unicodedata.normalize("NFC", "é.png"),
    unicodedata.normalize("NFD", "é.png"),
]


@pytest.fixture
def odd(tmp_path: Path, images: Path) -> Iterator[Path]:
    folder = tmp_path / "odd & <b>"
    folder.mkdir()
    for name, id in zip(ODD, IDS, strict=False):
        (folder / name).write_bytes((images.parent / id).read_bytes())
    if len(list(folder.iterdir())) < len(ODD):
        pytest.skip("this file system takes two of these names for one")
    yield folder


def test_odd_names_go_all_the_way(
    run: Run, fail: Fail, odd: Path, settings: Settings, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    done = run("index", str(odd), "--collection", "odd")
    assert (done["indexed"], done["skipped"]) == (len(ODD), [])
    for name in ODD:
        id = f"{odd.name}/{name}"
        found = run("similar", "--collection", "odd", f"--id={id}", "-k", "1")
        assert found["matches"][0]["id"] == id
        picture = run("similar", "--collection", "odd", "--image", str(odd / name), "-k", "1")
        assert picture["matches"][0]["distance"] == pytest.approx(0, abs=1e-5)
    for format in ("csv", "parquet"):
        run("export", "--collection", "odd", "--format", format, "-o", str(tmp_path / format))
    wanted = {f"{odd.name}/{name}" for name in ODD}
    assert set(pd.read_parquet(tmp_path / "parquet")["id"]) == wanted
    assert set(pd.read_csv(tmp_path / "csv")["id"]) == wanted
    where = ["--workspace", str(settings.workspace)]
    assert main(["similar", "--collection", "odd", f"--id={odd.name}/{ODD[3]}", *where]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "new\\nline.png" in said
    assert "\x1b" not in fail("similar", "--collection", "odd", "--id", "\x1b[31m")


# clusters


def test_clusters(run: Run, filled: Path):
    assert "no clustering yet" in run_fails(filled)
    run("cluster", "--collection", "run", "--method", "kmeans", "--k", "3")
    told = run("clusters", "--collection", "run")
    assert told["clustering"] == "kmeans"
    assert (told["images"], told["not_covered"], told["noise"]) == (IMAGES, 0, None)
    assert [each["cluster"] for each in told["clusters"]] == [0, 1, 2]
    assert sum(each["size"] for each in told["clusters"]) == IMAGES
    first = told["clusters"][0]
    assert set(first) == {
        "cluster", "name", "size", "share", "size_range", "label", "stability", "suggested",
        "central", "borderline", "doubtful", "outliers", "central_images", "nearest",
    }  # fmt: skip
    assert {each["cluster"] for each in first["nearest"]} == {1, 2}
    assert set(first["central_images"]) <= set(IDS)
    assert (told["edited_from"], told["edits"]) == (None, [])


def run_fails(workspace: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "core", "clusters", "--collection", "run", "--workspace", workspace],
        cwd=ROOT, env=quiet_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def test_edit_clusters(run: Run, fail: Fail, filled: Path, tmp_path: Path):
    run("cluster", "--collection", "run", "--method", "kmeans", "--k", "3")
    name = ("--collection", "run", "--clustering")
    done = run("edit-clusters", *name, "kmeans", "--rename", "1", "rods", "--by", "Ada")
    assert (done["clustering"], done["from"], done["edits"]) == ("kmeans (edited)", "kmeans", 1)
    assert (done["edit"]["what"], done["edit"]["by"]) == ("rename", "Ada")
    edited = ("edit-clusters", *name, "kmeans (edited)")
    assert run(*edited, "--merge", "1", "0")["clusters"] == 2
    (tmp_path / "ids.txt").write_text("\n".join(IDS[:3]))
    moved = run(*edited, "--move", "new", "--ids-from", str(tmp_path / "ids.txt"))
    assert moved["edit"]["into"] == 3
    assert run(*edited, "--move", "noise", "--ids-from", str(tmp_path / "ids.txt"))["noise"] == 3
    told = run("clusters", "--collection", "run")
    assert told["noise"]["size"] == 3
    assert {each["cluster"]: each["name"] for each in told["clusters"]}[1] == "rods"
    assert told["edited_from"] == "kmeans"
    assert run(*edited, "--dissolve", "1")["clusters"] == 1
    for left in (2, 3, 2, 3, 3):
        assert run(*edited, "--undo")["clusters"] == left
    assert "no edit to take back" in fail(*edited, "--undo")
    out = tmp_path / "out.parquet"
    run("edit-clusters", *name, "kmeans", "--rename", "0", "discs", "--as", "mine")
    run("export", *name, "mine", "--format", "parquet", "-o", str(out))
    frame = pd.read_parquet(out)
    assert set(frame["cluster_name"][frame["cluster"] == 0]) == {"discs"}
    assert set(frame["cluster_name"][frame["cluster"] != 0].isna()) == {True}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--rename", "x", "rods"], "the cluster is 'x'; expected its number, such as 3"),
        (["--merge", "0", "x"], "the cluster is 'x'; expected its number"),
        (["--merge", "0"], "expected 2 or more to merge"),
        (["--dissolve", "9"], "there is no cluster 9; there is 0, 1"),
        (["--dissolve", "-1"], "noise is what is in no cluster"),
        (["--move", "1"], "--move and --ids-from belong together"),
        (["--undo", "--as", "x"], "leave it out with --undo"),
        (["--undo"], "has no edit to take back"),
        (["--undo", "--dissolve", "1"], "not allowed with"),
        ([], "is required"),
        (["--rename", "0", "rods", "--as", "kmeans"], "'kmeans' is there already"),
    ],
)
def test_edits_that_are_refused(run: Run, fail: Fail, filled: Path, arguments, text: str):
    run("cluster", "--collection", "run", "--method", "kmeans", "--k", "2")
    said = fail("edit-clusters", "--collection", "run", "--clustering", "kmeans", *arguments)
    assert text in said
