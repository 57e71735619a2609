"""A filter run over real sources: every image decided once, copies whole, originals untouched."""

from __future__ import annotations

import csv
import errno
import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.applying import Applied, apply
from core.deciding import Screen
from core.destinations import Folder, check_apart, destination
from core.drift import LEAST_IMAGES, in_words
from core.errors import CoreError, LockedError, SourceError
from core.ledger import COLUMNS, STATE, Ledger, read_report
from core.naming import file_names
from core.sources import open_source, remote
from tests.core.conftest import DATA, ROOT, quiet_environment, wait_for
from tests.core.remote_servers import Bucket, s3_server
from tests.core.screen_filter import DISC, FIBRE, vignette, write_filter, write_vignettes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_filter(tmp_path_factory.mktemp("made") / "filter")


@pytest.fixture(scope="module")
def screen(folder: Path) -> Screen:
    return Screen(folder)


def run(screen: Screen, source: Path | str, **options: Any) -> Applied:
    opened = open_source(str(source), **options.pop("given", {}))
    for name in ("keep_to", "drop_to"):
        if isinstance(options.get(name), Path):
            options[name] = Folder(options[name])
    return apply(screen, opened, where=str(source), workers=0, **options)


def rows(report: Path) -> list[dict[str, str]]:
    with report.open(newline="", encoding="utf-8", errors="surrogatepass") as stream:
        return list(csv.DictReader(stream))


def digests(root: Path) -> dict[str, str]:
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def test_every_image_of_a_folder_is_decided_reported_and_copied(screen: Screen, tmp_path: Path):
    root, report = tmp_path / "run", tmp_path / "report.csv"
    write_vignettes(root, 12)
    before = digests(root)
    done = run(screen, root, keep_to=tmp_path / "kept", drop_to=tmp_path / "out", report_to=report)
    assert (done.kept, done.dropped, done.unfamiliar, done.unreadable) == (4, 8, 0, 0)
    assert (done.copied, done.not_copied, done.already) == (12, 0, 0)
    found = rows(report)
    assert tuple(found[0]) == COLUMNS
    assert [row["id"] for row in found] == [f"run/{path}" for path in before]
    for row in found:
        assert row["decision"] == ("keep" if f"/{DISC}/" in row["id"] else "drop")
        assert (float(row["score"]) >= 0.5) == (row["decision"] == "keep")
        words = "at or above" if row["decision"] == "keep" else "below"
        assert row["reason"] == f"score {words} the threshold" and row["unfamiliar"] == "false"
        assert row["uri"] == str(root / row["id"].removeprefix("run/"))
        assert -1 <= float(row["nearest"]) <= 1
    copies = digests(tmp_path / "kept") | digests(tmp_path / "out")
    assert copies == {f"run/{path}": digest for path, digest in before.items()}
    assert [row["file"] for row in found] == [row["id"] for row in found]
    assert digests(root) == before  # nothing deleted, moved or changed


def test_scores_are_those_of_the_encoder_and_the_model(screen: Screen, tmp_path: Path):
    paths = write_vignettes(tmp_path / "run", 5)
    run(screen, tmp_path / "run", report_to=tmp_path / "r.csv")
    images = [np.asarray(Image.open(path)) for path in sorted(paths)]
    expected = screen.filter.decide_images(images, encoder=screen.encoder)
    found = [float(row["score"]) for row in rows(tmp_path / "r.csv")]
    assert found == pytest.approx(expected.score.tolist(), abs=1e-6)


@pytest.mark.slow
def test_worker_processes_decide_the_same(screen: Screen, tmp_path: Path):
    write_vignettes(tmp_path / "run", 40)
    run(screen, tmp_path / "run", report_to=tmp_path / "alone.csv")
    source = open_source(str(tmp_path / "run"))
    apply(screen, source, report_to=tmp_path / "two.csv", workers=2)
    assert (tmp_path / "alone.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_members_of_a_zip_are_copied_as_they_are(screen: Screen, tmp_path: Path):
    paths = write_vignettes(tmp_path / "run", 6)
    packed = tmp_path / "haul.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in paths:
            archive.write(path, f"deep/{path.name}")
    before = packed.read_bytes()
    done = run(screen, packed, keep_to=tmp_path / "kept", report_to=tmp_path / "r.csv")
    assert (done.kept, done.dropped, done.copied) == (2, 4, 2)
    for number in (0, 3):
        copy = tmp_path / "kept" / "haul" / "deep" / f"{number:05d}.png"
        assert copy.read_bytes() == paths[number].read_bytes()
    assert packed.read_bytes() == before


def collage(path: Path, dtype: type[np.generic]) -> np.ndarray:
    """A disc and a fibre side by side; of 16 bits 12 are used."""
    sides = [vignette(kind, seed=7)[:, :, 0] for kind in (DISC, FIBRE)]
    height = max(len(side) for side in sides)
    padded = [np.pad(s, ((0, height - len(s)), (0, 0)), constant_values=210) for s in sides]
    values = np.concatenate(padded, axis=1).astype(dtype)
    if dtype is np.uint16:
        values = values * np.uint16(16) + np.uint16(5)
    Image.fromarray(values).save(path)
    return values


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_parts_of_a_collage_become_pictures_with_their_own_numbers(
    screen: Screen, tmp_path: Path, dtype: type[np.generic]
):
    values = collage(tmp_path / "c.png", dtype)
    width = vignette(DISC, seed=7).shape[1]
    boxes = [(0, 0, width, len(values)), (width, 0, values.shape[1] - width, len(values))]
    table = tmp_path / "parts.csv"
    lines = [f'p{i},"c.png#xywh={x},{y},{w},{h}"' for i, (x, y, w, h) in enumerate(boxes)]
    table.write_text("\n".join(["id,uri", *lines]))
    done = run(screen, table, keep_to=tmp_path / "kept", drop_to=tmp_path / "out")
    assert done.copied == 2 and not done.unreadable
    for i, (x, y, w, h) in enumerate(boxes):
        (copy,) = [*tmp_path.glob(f"kept/p{i}.png"), *tmp_path.glob(f"out/p{i}.png")]
        found = np.asarray(Image.open(copy))
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, values[y : y + h, x : x + w])


def test_triggers_of_a_bin_and_particles_of_a_run(screen: Screen, tmp_path: Path):
    runs = [DATA / "ifcb" / "pyifcb", *sorted((DATA / "flowcam").glob("7-*"))]
    if not all(path.is_dir() for path in runs):
        pytest.skip("no real data here")
    done = run(screen, runs[0], keep_to=tmp_path / "k", drop_to=tmp_path / "d")
    assert (done.kept + done.dropped, done.copied, done.not_copied) == (25, 25, 0)
    for copy in (*tmp_path.glob("k/*"), *tmp_path.glob("d/*")):
        with Image.open(copy) as image:
            assert image.mode == "L"  # grey as the sensor is, not three times that


def test_what_cannot_be_read_is_kept_listed_and_copied_where_it_has_bytes(
    screen: Screen, tmp_path: Path
):
    write_vignettes(tmp_path / "run", 3)
    broken = tmp_path / "run" / "fibre" / "broken.png"
    broken.write_bytes((tmp_path / "run" / "fibre" / "00001.png").read_bytes()[:90])
    (tmp_path / "run" / "notes.txt").write_text("no picture")
    report = tmp_path / "r.csv"
    done = run(screen, tmp_path / "run", keep_to=tmp_path / "kept", report_to=report)
    assert (done.kept, done.dropped, done.unreadable) == (2, 2, 1)
    said = "unreadable: cut off: the picture data ends early"
    assert done.as_json()["unreadable_images"] == [{"uri": str(broken), "reason": said}]
    (row,) = [row for row in rows(report) if row["id"].endswith("broken.png")]
    assert (row["decision"], row["score"], row["reason"]) == ("keep", "", said)
    assert (tmp_path / "kept" / row["file"]).read_bytes() == broken.read_bytes()
    assert [skipped.uri for skipped in done.skipped] == [str(tmp_path / "run" / "notes.txt")]

    table = tmp_path / "gone.csv"
    table.write_text("id,uri\na,run/fibre/00001.png\nb,nowhere.png\n")
    done = run(screen, table, keep_to=tmp_path / "others")
    assert (done.kept, done.dropped, done.unreadable, done.not_copied) == (1, 1, 1, 1)


def test_an_image_that_the_encoder_refuses_costs_itself_only(screen: Screen):
    good = screen.encoder.prepare(vignette(DISC, seed=5))
    found = screen.judge([good, np.full_like(good, np.nan), "cut off"])
    assert [each.keep for each in found] == [True, True, True]
    assert found[0].score is not None and found[0].score > 0.5
    assert found[1].score is None and "NaN" in found[1].reason
    assert found[2].reason == "unreadable: cut off"


def test_what_is_unfamiliar_is_kept(tmp_path: Path):
    strict = Screen(write_filter(tmp_path / "strict", familiar_from=0.999_999))
    write_vignettes(tmp_path / "run", 6)
    done = run(strict, tmp_path / "run", report_to=tmp_path / "r.csv")
    assert (done.kept, done.dropped, done.unfamiliar) == (6, 0, 6)
    (reason,) = {row["reason"] for row in rows(tmp_path / "r.csv")}
    assert reason == "unlike the images the filter was trained on"


@pytest.mark.parametrize("familiar_from", [-1.0, 0.999_999])
def test_a_run_says_whether_its_images_are_like_those_of_the_training(
    tmp_path: Path, familiar_from: float
):
    of_training = {"unfamiliar_share": 0.01}
    made = Screen(
        write_filter(tmp_path / "made", familiar_from=familiar_from, training=of_training)
    )
    write_vignettes(tmp_path / "run", LEAST_IMAGES)
    found = run(made, tmp_path / "run").as_json()["drift"]
    share = float(familiar_from > 0)
    assert found["images"] == LEAST_IMAGES and found["unfamiliar"]["statistic"] == share
    assert found["why"] == (
        "the card has no quantiles of the training's scores; "
        "the card has no quantiles of the training's similarity"
    )
    said = in_words(found)
    if not share:
        assert said is None
        return
    assert said is not None and said.startswith(
        "100% of the last 30 images are unlike all that the filter was trained on, and so kept"
    )


def test_what_drifted_is_said_the_worst_first():
    fine, bad = {"drifted": False}, {"drifted": True}
    found = {"images": 50, "drifted": True, "unfamiliar": fine, "scores": bad, "similarity": bad}
    assert "are less like those" in str(in_words(found))
    assert "score otherwise" in str(in_words(found | {"similarity": fine}))
    assert "score otherwise" in str(in_words(found | {"similarity": None, "unfamiliar": None}))


def test_only_the_last_images_of_this_run_tell_of_drift(tmp_path: Path, screen: Screen):
    write_vignettes(tmp_path / "run", 6)
    report = tmp_path / "r.csv"
    run(screen, tmp_path / "run", report_to=report)
    done = run(screen, tmp_path / "run", report_to=report)
    assert done.already == 6 and done.drift is not None
    assert done.drift["why"] == f"0 images are too few; expected {LEAST_IMAGES} or more"


def test_a_dry_run_writes_no_copy_and_its_report_makes_way(screen: Screen, tmp_path: Path):
    write_vignettes(tmp_path / "run", 6)
    kept, report = tmp_path / "kept", tmp_path / "r.csv"
    done = run(screen, tmp_path / "run", keep_to=kept, dry_run=True)
    assert (done.kept, done.dropped, done.copied) == (2, 4, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    run(screen, tmp_path / "run", keep_to=kept, report_to=report, dry_run=True)
    assert len(rows(report)) == 6 and not kept.exists()
    done = run(screen, tmp_path / "run", keep_to=kept, report_to=report)
    assert (done.already, done.copied) == (0, 2) and len(rows(report)) == 6
    with pytest.raises(SourceError, match="choose another --report for --dry-run"):
        run(screen, tmp_path / "run", keep_to=kept, report_to=report, dry_run=True)


def test_again_only_what_is_new_or_changed(screen: Screen, tmp_path: Path):
    root, report, kept = tmp_path / "run", tmp_path / "r.csv", tmp_path / "kept"
    paths = write_vignettes(root, 6)
    run(screen, root, keep_to=kept, report_to=report)
    done = run(screen, root, keep_to=kept, report_to=report)
    assert (done.kept, done.dropped, done.already, done.copied) == (2, 4, 6, 0)
    write_vignettes(root, 3, start=6)
    Image.fromarray(vignette(DISC, seed=4)).save(paths[1])  # a fibre became a disc
    done = run(screen, root, keep_to=kept, report_to=report)
    assert (done.kept, done.dropped, done.already, done.copied) == (4, 5, 5, 2)
    ids = [row.id for row in read_report(report)]
    assert len(ids) == 10 and Counter(ids)["run/fibre/00001.png"] == 2


def test_the_report_of_a_killed_run_is_cut_to_what_was_confirmed(screen: Screen, tmp_path: Path):
    root, report = tmp_path / "run", tmp_path / "r.csv"
    write_vignettes(root, 6)
    run(screen, root, report_to=report)
    whole = report.read_bytes()
    write_vignettes(root, 3, start=6)
    with report.open("ab") as stream:
        stream.write(b'"run/disc/00006.png,half a li')
    assert len(list(read_report(report))) == 6
    run(screen, root, report_to=report)
    assert report.read_bytes().startswith(whole) and len(rows(report)) == 9
    assert len({row["id"] for row in rows(report)}) == 9


@pytest.mark.slow
def test_kill_9_and_continue(folder: Path, tmp_path: Path):
    root, report = tmp_path / "run", tmp_path / "r.csv"
    write_vignettes(root, 620)
    asked = [sys.executable, "-m", "core", "screen", "apply", str(folder), str(root), "--json"]
    asked += ["--keep-to", str(tmp_path / "kept"), "--report", str(report)]
    asked += ["--drop-to", str(tmp_path / "out")]
    place: dict[str, Any] = {"cwd": ROOT, "env": quiet_environment()}
    for copies in (3, 300):
        killed = subprocess.Popen(
            asked, **place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_for(
                lambda least=copies: sum(1 for _ in tmp_path.glob("[ko]*/run/*/*.png")) >= least,
                timeout_s=200,
            )
        finally:
            killed.send_signal(signal.SIGKILL)
            killed.wait()
    done = subprocess.run(asked, **place, capture_output=True, text=True, check=True)
    assert '"images": 620' in done.stdout
    found = rows(report)
    assert len(found) == len({row["id"] for row in found}) == 620
    copies_now = digests(tmp_path / "kept") | digests(tmp_path / "out")
    expected = {f"run/{path}": digest for path, digest in digests(root).items()}
    assert {path: d for path, d in copies_now.items() if not path.endswith(".part")} == expected
    assert {row["file"] for row in found} == set(expected)


def test_two_runs_of_one_report_do_not_meet(screen: Screen, tmp_path: Path):
    write_vignettes(tmp_path / "run", 3)
    report = tmp_path / "r.csv"
    about = {"filter": "a", "source": "b"}
    with Ledger(report, about), pytest.raises(LockedError, match="written by another run"):
        run(screen, tmp_path / "run", report_to=report)
    with Ledger(report, about), pytest.raises(LockedError, match="written by another run"):
        list(read_report(report))


def test_a_report_is_of_one_filter_one_source_and_one_place(screen: Screen, tmp_path: Path):
    report = tmp_path / "r.csv"
    for name in ("run", "haul"):
        write_vignettes(tmp_path / name, 3)
    run(screen, tmp_path / "run", report_to=report)
    with pytest.raises(SourceError, match="is of another source"):
        run(screen, tmp_path / "haul", report_to=report)
    with pytest.raises(SourceError, match=r"is of another --keep-to \(nowhere; now .*kept\)"):
        run(screen, tmp_path / "run", report_to=report, keep_to=tmp_path / "kept")
    other = Screen(write_filter(tmp_path / "other", threshold=0.4))
    with pytest.raises(SourceError, match="is of another filter"):
        run(other, tmp_path / "run", report_to=report)
    (tmp_path / f"r.csv{STATE}").unlink()
    with pytest.raises(SourceError, match="is there already"):
        run(screen, tmp_path / "run", report_to=report)
    mine = tmp_path / "mine.csv"
    mine.write_text("my,own,table\n")
    with pytest.raises(SourceError, match="is there already"):
        run(screen, tmp_path / "run", report_to=mine)
    assert mine.read_text() == "my,own,table\n"
    (tmp_path / "r.csv.state").write_bytes(b"no database, but long enough to be looked at" * 30)
    with pytest.raises(SourceError, match="is damaged"):
        run(screen, tmp_path / "run", report_to=report)


def test_copies_do_not_overwrite_and_their_names_are_safe(screen: Screen, tmp_path: Path):
    root, kept = tmp_path / "run", tmp_path / "kept"
    names = [
        "a.png",
        "A.png",
        "-rf.png",
        "con.png",
        "=1+1.png",
        "a b;c`$(x).png",
        "ü" * 100 + ".png",
    ]
    root.mkdir()
    for seed, name in enumerate(names):
        Image.fromarray(vignette(DISC, seed=seed)).save(root / name)
    mine = kept / "run" / "con.png"
    (kept / "run").mkdir(parents=True)
    (kept / "run" / "-rf.png").mkdir()
    (kept / "run" / "_con.png").write_bytes(b"mine")
    done = run(screen, root, keep_to=kept, report_to=tmp_path / "r.csv")
    assert done.copied == done.kept == len(names)
    by_id = {row.id: row.file for row in read_report(tmp_path / "r.csv")}
    assert len({name.lower() for name in by_id.values()}) == len(names)
    for id, name in by_id.items():
        copy = kept / name
        assert copy.resolve().is_relative_to(kept.resolve())
        assert copy.read_bytes() == (tmp_path / id).read_bytes()
    assert by_id["run/con.png"] == "run/_con_2.png" and not mine.exists()
    assert by_id["run/-rf.png"] == "run/-rf_2.png"
    assert (kept / "run" / "_con.png").read_bytes() == b"mine"
    assert "\n'=1" not in (tmp_path / "r.csv").read_text()  # ids begin with their source


def test_ids_of_a_table_may_be_anything(screen: Screen, tmp_path: Path):
    ids = ["../../etc/passwd", "=cmd|' /C calc'!A0", "a", "a/b", "/abs", "x\\y", " .. ", "nul"]
    Image.fromarray(vignette(DISC, seed=1)).save(tmp_path / "one.png")
    with (tmp_path / "t.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["id", "uri"], *([id, "one.png"] for id in ids)])
    kept = tmp_path / "deep" / "kept"
    done = run(screen, tmp_path / "t.csv", keep_to=kept, report_to=tmp_path / "r.csv")
    assert done.copied == done.kept > 5
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "deep", "one.png", "r.csv", f"r.csv{STATE}", "t.csv"
    ]  # fmt: skip
    found = list(read_report(tmp_path / "r.csv"))
    assert "=cmd|' /C calc'!A0" in {row.id for row in found}
    assert not any(row["id"].startswith("=") for row in rows(tmp_path / "r.csv"))
    assert len({row.file for row in found}) == len(found)
    assert all((kept / row.file).is_file() for row in found)


def test_an_image_called_like_the_folder_of_another(tmp_path: Path):
    to = Folder(tmp_path / "kept")
    assert to.put("a", b"1") and not to.put("a/b.png", b"2") and to.put("c/d.png", b"3")
    assert not to.put("c", b"4") and to.put("a", b"1") and not to.put("a", b"5")
    assert digests(tmp_path / "kept").keys() == {"a", "c/d.png"}


def test_a_link_to_the_same_bytes_is_no_copy(tmp_path: Path):
    """A person who takes the original away would be left with a link to nothing."""
    original = tmp_path / "original.png"
    original.write_bytes(b"1")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a.png").symlink_to(original)
    to = Folder(tmp_path / "kept")
    assert not to.put("a.png", b"1") and to.put("a_2.png", b"1")
    assert (tmp_path / "kept" / "a.png").is_symlink()


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_comes_while_a_copy_is_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
):
    """Another program takes the name after it was looked up, here or without hard links."""
    true_sync, true_link = os.fsync, os.link

    def meanwhile(handle: int) -> None:
        true_sync(handle)
        (tmp_path / "a.png").write_bytes(b"theirs")

    def link(one: Path, other: Path) -> None:
        if not links:
            raise OSError(errno.EPERM, "no hard links here")
        true_link(one, other)

    monkeypatch.setattr(os, "fsync", meanwhile)
    monkeypatch.setattr(os, "link", link)
    to = Folder(tmp_path)
    assert not to.put("a.png", b"ours") and to.put("a.png", b"theirs")
    monkeypatch.setattr(os, "fsync", true_sync)
    assert to.put("b.png", b"ours")
    assert digests(tmp_path).keys() == {"a.png", "b.png"}
    assert (tmp_path / "a.png").read_bytes() == b"theirs"


@given(
    id=st.text(min_size=1, max_size=300), suffix=st.sampled_from(["", ".png", ".x" * 40, ".a:b"])
)
def test_names_stay_where_they_belong(id: str, suffix: str):
    names = file_names(id, suffix)
    for name in (next(names), next(names)):
        parts = name.split("/")
        assert all(part not in ("", ".", "..") and len(part.encode()) <= 255 for part in parts)
        assert not set(name) & set('\0\n:"|?*\\<>')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"--keep-to": "run"}, "--keep-to .*run lies in the source"),
        ({"--drop-to": "run/disc"}, "--drop-to .*disc lies in the source"),
        ({"--report": "run/r.csv"}, "--report .*r.csv lies in the source"),
        ({"--keep-to": "."}, "the source .*run lies in --keep-to"),
        ({"--keep-to": "out", "--drop-to": "out"}, "--drop-to .*out lies in --keep-to"),
        ({"--keep-to": "out/kept", "--drop-to": "out"}, "--keep-to .*kept lies in --drop-to"),
        ({"--keep-to": "link/kept"}, "--keep-to .*kept lies in the source"),
    ],
)
def test_places_lie_apart(tmp_path: Path, options: dict[str, str], message: str):
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    places = {option: str(tmp_path / place) for option, place in options.items()}
    with pytest.raises(SourceError, match=message):
        check_apart(str(tmp_path / "run"), places)
    check_apart(str(tmp_path / "run"), {"--keep-to": str(tmp_path / "run2"), "--report": "r.csv"})


def test_where_copies_cannot_go(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    for where, message in [
        (str(tmp_path / "file"), "is a file; expected a folder"),
        ("https://a.org/x", "cannot be written to"),
        ("", "cannot be written to"),
        ("s3://", "names no bucket"),
    ]:
        with pytest.raises(SourceError, match=message):
            destination(where)


def test_a_source_without_images(screen: Screen, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no pictures"):
        run(screen, tmp_path / "empty")
    write_vignettes(tmp_path / "run", 3)
    with pytest.raises(SourceError, match="no folder"):
        run(screen, tmp_path / "run", report_to=tmp_path / "none" / "r.csv")


def test_brightness_is_that_of_the_training(tmp_path: Path):
    """A dark picture of 16 bits is read by the card's range, not by its own or all 16 bits."""
    values = vignette(DISC, seed=3)[:, :, 0].astype(np.uint16)
    (tmp_path / "run").mkdir()
    Image.fromarray(values).save(tmp_path / "run" / "a.png")
    scores = {}
    for name, said in (("plain", {}), ("ranged", {"value_range": [0, 255]})):
        made = Screen(write_filter(tmp_path / name, **said))
        run(made, tmp_path / "run", report_to=tmp_path / f"{name}.csv")
        (scores[name],) = [row.score for row in read_report(tmp_path / f"{name}.csv")]
    expected = Screen(tmp_path / "plain").decide([vignette(DISC, seed=3)])[0].score
    assert scores["ranged"] == pytest.approx(expected, abs=1e-6)
    assert scores["plain"] != pytest.approx(expected, abs=1e-3)
    with pytest.raises(CoreError, match="value range is"):
        Screen(write_filter(tmp_path / "wrong", value_range=[5, 5])).value_range  # noqa: B018


def test_three_lines_for_other_pipelines(folder: Path, tmp_path: Path):
    (path,) = write_vignettes(tmp_path / "a#b", 1)
    screen = Screen(folder)
    picture = np.asarray(Image.open(path))
    verdicts = screen.decide([path, str(path), path.read_bytes(), picture, b"none", "/no/such"])
    assert [each.decision for each in verdicts] == ["keep"] * 6
    assert len({each.score for each in verdicts[:4]}) == 1
    assert [each.score for each in verdicts[4:]] == [None, None]
    assert "no such file" in verdicts[5].reason
    with pytest.raises(CoreError, match="2 pixel sizes for 1 images"):
        screen.decide([path], um_per_px=[1.0, 2.0])
    assert "expected (h, w, 3) uint8" in screen.decide([np.zeros((4, 4))])[0].reason  # type: ignore[list-item]


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with s3_server() as url:
        yield url


@pytest.fixture
def bucket(storage: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    remote._systems.clear()
    yield Bucket(storage)
    remote._systems.clear()


def test_from_and_to_object_storage(screen: Screen, tmp_path: Path, bucket: Bucket, storage: str):
    paths = write_vignettes(tmp_path / "run", 6)
    for path in paths:
        bucket.put(f"raw/{path.name}", path.read_bytes())
    bucket.put("kept/raw/00000.png", b"another's")
    where = f"s3://{bucket.name}/raw"
    to = destination(f"s3://{bucket.name}/kept", endpoint_url=storage)
    options: dict[str, Any] = {
        "given": {"endpoint_url": storage},
        "keep_to": to,
        "report_to": tmp_path / "r.csv",
    }
    done = run(screen, where, **dict(options))
    assert (done.kept, done.dropped, done.copied) == (2, 4, 2)
    files = {row.id: row.file for row in read_report(tmp_path / "r.csv") if row.keep}
    assert files == {"raw/00000.png": "raw/00000_2.png", "raw/00003.png": "raw/00003.png"}
    for id, name in files.items():
        number = int(id[4:9])
        assert bucket.get(f"kept/{name}") == paths[number].read_bytes()
    assert bucket.get("kept/raw/00000.png") == b"another's"
    shutil.copy(tmp_path / "r.csv", tmp_path / "old.csv")
    for name in ("r.csv", f"r.csv{STATE}"):
        (tmp_path / name).unlink()
    again = run(screen, where, **dict(options))  # finds its copies made
    assert again.copied == 2
    assert (tmp_path / "r.csv").read_bytes() == (tmp_path / "old.csv").read_bytes()
    missing = destination("s3://no-such-bucket-here/x", endpoint_url=storage)
    with pytest.raises(CoreError, match="cannot be written: there is no such bucket"):
        run(screen, where, given={"endpoint_url": storage}, keep_to=missing)


def test_a_place_that_cannot_be_written_ends_the_run_which_continues(
    screen: Screen, tmp_path: Path
):
    write_vignettes(tmp_path / "run", 3)
    (tmp_path / "kept").symlink_to("/proc/self/no-such-place")
    with pytest.raises(CoreError, match="cannot be written"):
        run(screen, tmp_path / "run", keep_to=tmp_path / "kept", report_to=tmp_path / "r.csv")
    (tmp_path / "kept").unlink()
    done = run(screen, tmp_path / "run", keep_to=tmp_path / "kept", report_to=tmp_path / "r.csv")
    assert (done.kept, done.copied, done.already) == (1, 1, 0) and len(
        rows(tmp_path / "r.csv")
    ) == 3
