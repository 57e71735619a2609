"""Every page, run by Streamlit itself without a browser: filled, empty, wrong and read-only."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core import analysis, jobs
from core.indexing import index
from core.library import Library
from core.settings import Settings
from core.workspace import write_json
from dashboard import state
from dashboard.parts import queries, running
from tests.core.tiny_models import drawn
from tests.dashboard.conftest import (
    HOSTILE,
    IDS,
    IMAGES,
    MAIN,
    ROOT,
    Open,
    buttons,
    said,
    without_exception,
)

VIEWS = ("home", "similar", "map", "clusters", "composition", "selection", "collections")
WRITING = {
    "Draw the sample collection", "Index", "Make the map", "Rename", "Delete", "Stop", "Continue",
    "Dismiss",
}  # fmt: skip


def library() -> Library:
    return state.library()


def settings_of(workspace: Path) -> Settings:
    return Settings(workspace=workspace)


def one_error(at: AppTest) -> str:
    """The one sentence a page says is wrong, as it is read."""
    assert len(at.error) == 1, [e.value for e in at.error]
    text = at.error[0].value.replace("\\", "")
    assert "Traceback" not in text
    assert "\n" not in text
    return text


# filled


@pytest.mark.parametrize("name", VIEWS)
def test_a_filled_workspace(filled, open_view: Open, name):
    at = open_view(name)
    assert not at.error
    assert at.selectbox(key="link_collection").value == "run"
    assert at.query_params["collection"] == "run"
    without_exception(at.run())
    assert not at.error


def test_home_counts_what_is_there(filled, open_view: Open):
    at = open_view()
    figures = {metric.label: metric.value for metric in at.metric}
    assert figures["Images"] == str(IMAGES)
    assert figures["Samples"] == "2"
    assert figures["Labelled"] == str(IMAGES)
    assert figures["Clusters"] == "3"


def test_similar_begins_with_an_image_and_keeps_it(filled, open_view: Open):
    at = open_view("similar")
    first = at.query_params["id"]
    assert first in IDS
    without_exception(at.run())
    assert at.query_params["id"] == first
    assert "24" in said(at)


def test_a_link_to_an_image_shows_it(filled, open_view: Open):
    at = open_view("similar", id=IDS[4], k="6")
    assert at.query_params["id"] == IDS[4]
    assert at.select_slider(key="link_k").value == 6
    assert "04" in said(at)


def test_the_walk_goes_back_and_forward(filled, open_view: Open):
    at = open_view("similar", id=IDS[0])
    back, forward = (b for b in at.button if b.label == "")
    assert back.disabled
    assert forward.disabled
    at.query_params["id"] = IDS[1]  # what a click on a match does
    without_exception(at.run())
    back, forward = (b for b in at.button if b.label == "")
    assert not back.disabled
    without_exception(back.click().run())
    assert at.query_params["id"] == IDS[0]
    back, forward = (b for b in at.button if b.label == "")
    assert back.disabled
    without_exception(forward.click().run())
    assert at.query_params["id"] == IDS[1]


def test_a_link_that_lost_its_image_shows_no_other(filled, open_view: Open):
    at = open_view("similar")
    first = at.query_params["id"]
    del at.query_params["id"]  # where the browser's own back button may lead
    without_exception(at.run())
    assert at.query_params["id"] == first


def test_an_id_is_picked_by_the_end_of_it(filled, open_view: Open):
    at = open_view("similar", id=IDS[0])
    without_exception(at.text_input(key="pick_id").set_value("07.png").run())
    assert at.query_params["id"] == IDS[7]
    without_exception(at.text_input(key="pick_id").set_value("nobody.png").run())
    assert any("nobody" in toast.value for toast in at.toast)
    assert at.query_params["id"] == IDS[7]


def test_map_offers_what_was_made_and_what_it_can_be_coloured_by(filled, open_view: Open):
    at = open_view("map")
    assert at.radio(key="link_method").options == ["PCA"]
    colours = at.selectbox(key="link_colour").options
    assert colours[0].startswith("Cluster")
    assert "Label" in colours
    at = open_view("map", colour="label", point=IDS[2])
    assert at.selectbox(key="link_colour").value == "label"
    assert at.query_params["point"] == IDS[2]
    assert "Copepod" in said(at)


def test_a_file_name_is_text(filled, open_view: Open):
    for name, link in (("similar", {"id": IDS[3]}), ("map", {"point": IDS[3]})):
        at = open_view(name, **link)
        everything = said(at)
        assert "<img" not in everything.replace("\\<img", "")
        for element in (*at.markdown, *at.caption):
            assert not element.allow_html
    assert HOSTILE in IDS[3]


def test_images_of_another_process_appear_on_the_next_run(filled, made, tmp_path, open_view: Open):
    at = open_view()
    for n, image in enumerate(drawn(3, seed=9)):
        (tmp_path / "late").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "late" / f"{n}.png")
    other = Library.open(settings_of(filled))  # as another process would
    index(other, collection="run", source=str(tmp_path / "late"))
    other.close()
    without_exception(at.run())
    assert {m.label: m.value for m in at.metric}["Images"] == str(IMAGES + 3)
    at = open_view("map")
    assert (
        f"{IMAGES} of {IMAGES + 3}" in str(at.get("bidi_component")) or not at.error
    )  # the caption itself is drawn by the map


def test_a_collection_deleted_meanwhile_is_no_exception(filled, open_view: Open):
    from core.managing import delete

    pages = [open_view(name) for name in VIEWS]
    other = Library.open(settings_of(filled))
    delete(other, "run")
    other.close()
    for at in pages:
        without_exception(at.run())
    assert "sample collection" in said(pages[0])


# links that name what is not there


@pytest.mark.parametrize("name", ["home", "similar", "map"])
@pytest.mark.parametrize("what", ["collection", "encoder"])
def test_an_unknown_name_in_a_link_is_said_and_something_is_shown(
    filled, open_view: Open, name, what
):
    at = open_view(name, **{what: "<b>nobody</b>"})
    text = one_error(at)
    assert what in text
    assert "<b>nobody</b>" in text
    assert at.query_params["collection"] == "run"
    without_exception(at.run())
    assert not at.error


def test_an_unknown_collection_takes_its_image_along(filled, open_view: Open):
    at = open_view("similar", collection="gone", id="gone/1.png", encoder="gone")
    assert "gone" in one_error(at)
    assert at.query_params["id"] in IDS


def test_collections_says_nothing_of_what_it_just_deleted(filled, open_view: Open):
    assert not open_view("collections", collection="gone").error


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({"id": "run/nothing.png"}, "nothing.png"),
        ({"id": "../../etc/passwd"}, "passwd"),
        ({"upload": "0" * 32}, "upload"),
        ({"upload": "../../workspace.json"}, "upload"),
        ({"text": "a copepod"}, "text"),
    ],
)
def test_a_query_that_cannot_be_answered_is_one_sentence(filled, open_view: Open, link, expected):
    at = open_view("similar", **link)
    assert expected in one_error(at)
    assert "Random image" in buttons(at)


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("similar", {"k": "1000000"}),
        ("similar", {"k": "x"}),
        ("similar", {"um": "nan"}),
        ("map", {"method": "tsne"}),
        ("map", {"colour": "meta:nothing"}),
        ("map", {"point": "run/nothing.png"}),
        ("home", {"id": "\0"}),
    ],
)
def test_other_nonsense_in_a_link_is_left_aside(filled, open_view: Open, name, link):
    assert not open_view(name, **link).error


# uploads


def test_an_upload_becomes_the_query_and_its_link_lasts(filled, made, open_view: Open):
    data = (made / "pictures" / IDS[5]).read_bytes()
    at = open_view("similar", id=IDS[0])
    without_exception(
        at.file_uploader(key="query_upload").upload("new.png", data, "image/png").run()
    )
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    assert at.query_params["upload"] == digest
    assert "id" not in at.query_params
    assert not at.error
    again = open_view("similar", upload=digest)  # another session: after a reload
    assert not again.error
    assert "24 nearest" in said(again)


def png(width: int, height: int) -> bytes:
    stream = BytesIO()
    Image.new("1", (width, height)).save(stream, "png")
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"only some text\n" * 20, b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"<svg onload=alert(1)>"],
    ids=["empty", "text", "cut", "zip", "svg"],
)
def test_an_upload_that_is_no_picture_is_one_sentence(filled, open_view: Open, data):
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    folder = filled / "uploads" / "queries"
    folder.mkdir(parents=True)
    (folder / digest).write_bytes(data)
    at = open_view("similar", upload=digest)
    assert one_error(at)
    assert "Random image" in buttons(at)


@pytest.mark.slow
def test_a_picture_of_20000_by_20000_is_one_sentence(filled, open_view: Open):
    at = open_view("similar", id=IDS[0])
    at.file_uploader(key="query_upload").upload("large.png", png(20_000, 20_000), "image/png")
    without_exception(at.run())
    assert one_error(at)


def test_another_encoder_than_the_one_that_made_the_vectors(filled, made, open_view: Open):
    lib = library()
    run = lib.catalogue.collection("run")
    encoding = lib.catalogue.encoding(run)
    changed = dataclasses.replace(
        encoding, identity=dataclasses.replace(encoding.identity, preprocessing=999)
    )
    lib.catalogue.put_encoding(run.uid, changed)
    data = (made / "pictures" / IDS[5]).read_bytes()
    at = open_view("similar", id=IDS[0])  # its own images are still found
    assert not at.error
    at.file_uploader(key="query_upload").upload("new.png", data, "image/png")
    without_exception(at.run())
    assert "--again" in one_error(at)


# empty and wrong workspaces


@pytest.mark.parametrize("name", VIEWS)
def test_an_empty_workspace_offers_the_sample(empty, open_view: Open, name):
    at = open_view(name)
    assert not at.error
    assert "Draw the sample collection" in buttons(at)


@pytest.mark.parametrize("name", VIEWS)
def test_a_newer_workspace_is_one_sentence_and_untouched(filled, open_view: Open, name):
    path = filled / "workspace.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 999}))
    before = path.read_bytes()
    at = open_view(name)
    assert "999" in one_error(at)
    assert path.read_bytes() == before
    assert not at.title


@pytest.mark.parametrize("name", VIEWS)
def test_a_workspace_that_is_no_folder_is_one_sentence(empty, open_view: Open, name):
    empty.write_text("not a folder")
    assert str(empty.name) in one_error(open_view(name))


@pytest.mark.parametrize("name", VIEWS)
def test_a_collection_without_vectors(filled, open_view: Open, name):
    library().catalogue.create("bare", encoder="descriptors", options={})
    at = open_view(name, collection="bare")
    if name != "collections":
        assert "bare" in said(at)
        assert "Find similar" not in said(at)


@pytest.mark.parametrize("name", ["home", "similar", "map"])
def test_vectors_that_are_lost_are_one_sentence(filled, open_view: Open, name):
    lib = library()
    run = lib.catalogue.collection("run")
    encoding = lib.catalogue.encoding(run)
    shutil.rmtree(lib.workspace.snapshot(run.uid, encoding.encoder, encoding.generation))
    assert one_error(open_view(name))


@pytest.mark.parametrize("name", VIEWS)
def test_a_map_that_is_damaged_is_no_exception(filled, open_view: Open, name):
    lib = library()
    run = lib.catalogue.collection("run")
    path = lib.workspace.projection(run.uid, "descriptors", "pca")
    path.write_bytes(path.read_bytes()[:100])
    open_view(name)


@pytest.mark.parametrize("name", VIEWS)
def test_clusters_that_are_damaged_are_no_exception(filled, open_view: Open, name):
    lib = library()
    run = lib.catalogue.collection("run")
    lib.workspace.clustering(run.uid, "descriptors", "kmeans").write_bytes(b"nothing")
    open_view(name)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_a_handful_of_images_is_a_first_try(empty, tmp_path, open_view: Open, n):
    (tmp_path / "few").mkdir()
    for number, image in enumerate(drawn(n, seed=n)):
        Image.fromarray(image).save(tmp_path / "few" / f"{number}.png")
    lib = Library.open(settings_of(empty))
    index(lib, collection="few", source=str(tmp_path / "few"))
    for name in VIEWS:  # before there is a map
        assert not open_view(name).error
    view = lib.vectors(lib.catalogue.collection("few"))
    analysis.make_map(lib, view, method="umap", seed=0)
    analysis.make_clustering(lib, view, method="hdbscan", seed=0)
    lib.close()
    for name in VIEWS:
        at = open_view(name)
        assert not at.error
    at = open_view("map", point="few/0.png")
    assert not at.error


# who may do what


@pytest.mark.parametrize("name", VIEWS)
def test_read_only_hides_what_writes(filled, open_view: Open, name, monkeypatch):
    monkeypatch.setenv("PLANKTON_READ_ONLY", "1")
    at = open_view(name)
    assert not WRITING & {b.label for b in at.button if not b.disabled}
    assert "only shows" in said(at)


@pytest.mark.parametrize("name", VIEWS)
def test_read_only_and_empty_starts_nothing(empty, open_view: Open, name, monkeypatch):
    monkeypatch.setenv("PLANKTON_READ_ONLY", "1")
    at = open_view(name)
    assert not WRITING & {b.label for b in at.button if not b.disabled}


def made_up_job(workspace: Path, **end: object) -> str:
    """A job as it lies in the workspace; one that runs cannot be shown without a browser."""
    id = "20260101-000000-abcdef"
    folder = workspace / "jobs" / id
    folder.mkdir(parents=True)
    job = {"title": f"Index {HOSTILE}", "arguments": ["index"], "created": "2026-01-01T00:00:00"}
    write_json(folder / "job.json", job)
    write_json(folder / "spawned.json", {"at": time.time(), "pid": None})
    if end:
        write_json(folder / "end.json", end)
    return id


def test_a_job_is_shown_with_what_it_skipped(filled, open_view: Open):
    result = {
        "indexed": 3, "updated": 1, "already": 0, "skipped_count": 1, "seconds": 2.0,
        "skipped": [{"uri": HOSTILE, "reason": "it is empty"}],
    }  # fmt: skip
    id = made_up_job(filled, state="done", result=result)
    at = open_view("collections")
    assert "3 images came in" in said(at)
    (table,) = at.table
    assert table.value["Files"][0].replace("\\", "") == HOSTILE
    assert "<" not in table.value["Files"][0].replace("\\<", "")
    without_exception(at.button(key=f"dismiss {id}").click().run())
    assert not (filled / "jobs" / id).exists()


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("esd_um", 5.4894, "5.49"), ("area_um2", 38725.4, "38725"), ("object_lat", 18.0, "18"),
        ("latitude", 54.01434, "54.0143"), ("lattice", 54.01434, "54"), ("n", 3, "3"),
        ("imaged_at", "2019-10-08T14:24:01.761", "2019-10-08 14:24:01"),
        ("date", "2012-01-28T08:15:15Z", "2012-01-28 08:15:15 UTC"), ("empty", None, ""),
        ("yes", True, "yes"), ("none", float("nan"), "nan"),
    ],
)  # fmt: skip
def test_a_fact_is_said_for_reading(name, value, said):
    assert queries._said(name, value) == said


@pytest.mark.parametrize(
    "name, read",
    [
        ("esd_um", "ESD (µm)"), ("housing_temperature_c", "housing temperature (°C)"),
        ("vitamin_c", "vitamin c"), ("humidity_percent", "humidity (%)"), ("s", "s"),
    ],
)  # fmt: skip
def test_a_fact_has_a_name_and_a_unit(name, read):
    assert queries._named(name) == read


def test_many_facts_are_folded_the_sought_first():
    def page() -> None:
        from dashboard.parts.queries import facts

        columns = {"process_pixel": 10.6, **{f"object_m{n}": n for n in range(30)}}
        facts("Calanus", {**columns, "run": "a long name of it", "sample": "a long name of it"})

    at = without_exception(AppTest.from_function(page).run())
    first, more = (c.value.replace("\\", "") for c in at.caption)
    assert first.startswith("**run** a long name of it  \n**object m0** 0")
    assert "sample" not in first + more
    assert more.endswith("**process pixel** 10.6")
    assert [e.label for e in at.expander] == ["16 more"]


def test_what_a_job_did_none_of_is_not_said():
    result = {"indexed": 1, "updated": 0, "already": 0, "skipped_count": 0}
    assert running._counts(result) == "1 image came in."
    result = {"indexed": 0, "updated": 0, "already": 1506, "skipped_count": 1}
    assert running._counts(result) == "No images came in, 1,506 were there already, 1 was skipped."


@pytest.mark.parametrize(
    "arguments, name",
    [
        (("index", "/x", "--collection", "haul", "--map"), "haul"),
        (("rename", "--collection", "haul", "--to", "trip"), "trip"),
        (("sample", "--map"), "sample"),
        (("index",), None),
    ],
)
def test_the_collection_a_job_leaves_behind(arguments, name):
    assert running.collection_of(arguments) == name


@pytest.mark.parametrize("ended", ["failed", "cancelled", "dead"])
def test_a_job_that_failed_says_why_and_can_go_on(filled, open_view: Open, ended):
    why = f"{HOSTILE} is no picture; give another"
    if ended == "dead":
        id = made_up_job(filled)
        write_json(filled / "jobs" / id / "spawned.json", {"at": 0.0, "pid": None})
        (filled / "jobs" / id / "log.txt").write_text(f"first\n{why}\n")
    else:
        made_up_job(filled, state=ended, error=why)
    at = open_view("collections")
    if ended == "cancelled":  # wanted, so no error
        assert not at.error
        assert any(HOSTILE in info.value.replace("\\", "") for info in at.info)
    else:
        assert HOSTILE in one_error(at)
    assert "Continue" in buttons(at)


def test_a_path_elsewhere_is_not_read(filled, tmp_path, open_view: Open, monkeypatch):
    monkeypatch.setenv("PLANKTON_ROOTS", str(tmp_path / "mine"))
    at = open_view("collections")
    field = next(i for i in at.text_input if "older" in i.label)
    for wrong in ("/etc", "a\0b", "~nobody-of-that-name", str(tmp_path / "mine" / ".." / "x")):
        without_exception(field.set_value(wrong).run())
        assert one_error(at)
        assert next(b for b in at.button if b.label == "Index").disabled


@pytest.mark.slow
def test_deleting_wants_the_name_and_then_deletes(filled, made, open_view: Open):
    at = open_view("collections")
    assert next(b for b in at.button if b.label == "Delete").disabled
    field = at.text_input(key="delete run")
    without_exception(field.set_value("ru").run())
    assert next(b for b in at.button if b.label == "Delete").disabled
    without_exception(field.set_value("run").run())
    without_exception(next(b for b in at.button if b.label == "Delete").click().run())
    deadline = time.monotonic() + 120
    while any(job.active for job in jobs.listed(library().workspace)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (job,) = jobs.listed(library().workspace)
    assert job.state == "done", job.error
    without_exception(at.run())
    assert "Draw the sample collection" in buttons(at)
    assert (made / "pictures" / IDS[0]).exists()


# the sidebar


def test_another_collection_takes_its_own_things_out_of_the_link(filled, tmp_path, open_view: Open):
    (tmp_path / "second").mkdir()
    for n, image in enumerate(drawn(4, seed=3)):
        Image.fromarray(image).save(tmp_path / "second" / f"{n}.png")
    index(library(), collection="second", source=str(tmp_path / "second"))
    at = open_view("similar", collection="run", id=IDS[0], k="12")
    without_exception(at.selectbox(key="link_collection").select("second").run())
    assert not at.error
    assert at.query_params["collection"] == "second"
    assert at.query_params["id"].startswith("second/")
    assert at.query_params["k"] == "12"


def test_the_link_wins_over_what_the_session_remembers(filled, open_view: Open):
    at = open_view("similar", id=IDS[0], k="12")
    at.query_params["k"] = "48"
    without_exception(at.run())
    assert at.select_slider(key="link_k").value == 48
    without_exception(at.select_slider(key="link_k").set_value(6).run())
    assert at.query_params["k"] == "6"


def test_a_drawn_collection_says_so(filled, open_view: Open):
    run = library().catalogue.collection("run")
    assert "Drawn" not in said(open_view())
    library().catalogue.set_options(run.uid, {**run.options, "drawn": True})
    assert "Drawn by a program" in said(open_view())


# first paint

PAINT = """
import sys
from streamlit.testing.v1 import AppTest
at = AppTest.from_file(sys.argv[1], default_timeout=60)
if sys.argv[2] != "home":
    at.switch_page(f"views/{sys.argv[2]}.py")
at.run()
assert not at.exception and not at.error, [*at.exception, *at.error]
heavy = {"torch", "torchvision", "open_clip", "timm", "chromadb", "umap", "numba", "sklearn"}
print(sorted(heavy & set(sys.modules)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", VIEWS)
def test_first_paint_imports_nothing_heavy(filled, name):
    done = subprocess.run(
        [sys.executable, "-c", PAINT, str(MAIN), name],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "[]"
