"""What the browser fetches: pictures of the catalogue only, points, uploads from our own page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import jobs, mapdata
from core.catalogue import Image as Catalogued
from core.errors import ImageError, NotFoundError, SourceError
from core.library import View
from dashboard import held, routes, state
from tests.dashboard.conftest import HOSTILE, IDS, IMAGES


@pytest.fixture
def client(filled: Path) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes.routes())) as client:
        yield client


@pytest.fixture
def view(filled: Path) -> View:
    return state.view(state.library().catalogue.collection("run"), None)


@pytest.fixture
def uid(view: View) -> str:
    return view.collection.uid


def image_of(uid: str, id: str) -> Catalogued:
    return state.library().catalogue.image(uid, id)


# pictures


def test_a_thumbnail_is_cached_for_good_only_under_its_hash(client, uid):
    image = image_of(uid, IDS[0])
    answer = client.get(state.thumb(uid, image))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in answer.headers["cache-control"]
    assert Image.open(BytesIO(answer.content)).size[0] > 0
    for version in ("", "?v=", "?v=0123", f"?v={image.content_hash[:-1]}"):
        answer = client.get(f"/thumb/{uid}/{IDS[0]}{version}")
        assert answer.status_code == 200
        assert "immutable" not in answer.headers["cache-control"]


def test_a_picture_is_a_png_of_the_image_itself(client, uid, made):
    answer = client.get(state.picture(uid, image_of(uid, IDS[2])))
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    shown = np.asarray(Image.open(BytesIO(answer.content)))
    assert np.array_equal(shown, np.asarray(Image.open(made / "pictures" / IDS[2])))


def test_what_is_known_of_an_image_is_a_few_lines_of_text(client, uid):
    image = image_of(uid, IDS[0])
    answer = client.get(state.about(uid, image))
    assert answer.headers["cache-control"] == "no-store"
    known = answer.json()
    assert known["title"]
    assert known["picture"] == state.picture(uid, image)
    assert known["lines"][-1] == ["id", image.id]
    assert len(known["lines"]) <= routes.ABOUT
    many = replace(image, metadata={**{f"m{i}": i for i in range(40)}, "depth_m": 12.5})
    lines = dict(routes._facts(many))
    assert (len(lines), lines["depth (m)"], lines["id"]) == (routes.ABOUT, "12.5", image.id)
    assert client.get(f"/about/{uid}/../workspace.json").status_code == 404
    assert client.get(f"/about/{uid}/no-such.png").status_code == 404


def test_few_pictures_are_unpacked_at_once(client, uid, monkeypatch):
    monkeypatch.setattr(routes, "PATIENCE_S", 0.01)
    image = image_of(uid, IDS[0])
    with routes._turn(routes._unpacking), routes._turn(routes._unpacking):
        answer = client.get(state.picture(uid, image))
        assert (answer.status_code, "in a minute" in answer.text) == (503, True)
        assert client.get(state.thumb(uid, image)).status_code == 200  # made already
    assert client.get(state.picture(uid, image)).status_code == 200
    for _ in range(3):  # one that cannot be read gives its turn back
        gone = routes._pixels(replace(image, uri="/none.png"), None)
        with pytest.raises(ImageError), gone:
            pass
    assert client.get(state.picture(uid, image)).status_code == 200


def test_a_name_that_looks_like_html_is_only_a_name(client, uid):
    image = image_of(uid, IDS[3])
    assert image.id.endswith(HOSTILE)
    assert client.get(state.thumb(uid, image)).status_code == 200
    assert client.get(state.picture(uid, image)).status_code == 200


@pytest.mark.parametrize("kind", ["thumb", "picture"])
@pytest.mark.parametrize(
    "id",
    [
        "../../../../../../etc/passwd",
        "/etc/passwd",
        "run/../../workspace.json",
        "file:///etc/passwd",
        "run/Copepod/00.png\0",
        "nothing.png",
        "",
    ],
)
def test_only_images_of_the_catalogue_are_served(client, uid, kind, id):
    for address in (f"/{kind}/{uid}/{quote(id, safe='')}", f"/{kind}/{uid}/-?id={quote(id)}"):
        answer = client.get(address)
        assert answer.status_code == 404, address
        assert b"root:" not in answer.content


@pytest.mark.parametrize("kind", ["thumb", "picture"])
def test_an_unknown_collection_has_no_pictures(client, kind):
    assert client.get(f"/{kind}/0123456789abcdef/{quote(IDS[0])}").status_code == 404
    assert client.get(f"/{kind}/..%2f..%2fetc/passwd").status_code == 404


def test_an_id_belongs_to_its_own_collection(client, uid, tmp_path):
    from core.indexing import index

    Image.new("RGB", (20, 20), "red").save(tmp_path / "secret.png")
    (tmp_path / "other").mkdir()
    (tmp_path / "secret.png").rename(tmp_path / "other" / "secret.png")
    index(state.library(), collection="other", source=str(tmp_path / "other"))
    other = state.library().catalogue.collection("other").uid
    assert client.get(f"/thumb/{other}/other/secret.png").status_code == 200
    assert client.get(f"/thumb/{uid}/other/secret.png").status_code == 404
    assert client.get(f"/picture/{uid}/other/secret.png").status_code == 404


@pytest.mark.parametrize("id", ["../data/a.png", "./a.png", "a//b.png", "a\\..\\b.png"])
def test_ids_that_a_browser_would_fold_go_beside_the_path(id):
    image = Catalogued(id, "", "", "77", None, None, None, None, {})
    address = state.thumb("abc", image)
    assert address == f"/thumb/abc/-?id={quote(id, safe='')}&v=77"


def test_an_id_beside_the_path_finds_its_image(client, uid):
    assert client.get(f"/thumb/{uid}/-?id={quote(IDS[0], safe='')}").status_code == 200


def test_a_lost_thumbnail_is_made_again(client, filled, uid):
    address = state.thumb(uid, image_of(uid, IDS[0]))
    before = client.get(address).content
    shutil.rmtree(state.library().workspace.thumbnails(uid))
    assert client.get(address).content == before


def test_a_workspace_that_cannot_be_written_still_shows_its_pictures(client, uid, clean):
    address = state.thumb(uid, image_of(uid, IDS[0]))
    before = client.get(address).content
    folder = state.library().workspace.thumbnails(uid)
    shutil.rmtree(folder)
    folder.write_text("in the way")  # root may write anywhere, but not below a file
    answer = client.get(address)
    assert answer.status_code == 200
    assert Image.open(BytesIO(answer.content)).size == Image.open(BytesIO(before)).size


def test_a_picture_whose_file_is_gone_is_its_thumbnail(client, uid, filled, made):
    image = image_of(uid, IDS[0])
    path = Path(made / "pictures" / IDS[0])
    data = path.read_bytes()
    try:
        for spoilt in (None, b"", b"no picture", data[: len(data) // 2]):
            path.unlink(missing_ok=True)
            if spoilt is not None:
                path.write_bytes(spoilt)
            answer = client.get(state.picture(uid, image))
            assert answer.headers["content-type"] == "image/webp"
            assert answer.status_code == 200
        shutil.rmtree(state.library().workspace.thumbnails(uid))
        for address in (state.picture(uid, image), state.thumb(uid, image)):
            answer = client.get(address)
            assert answer.status_code == 404
            assert answer.headers["content-type"].startswith("text/plain")
    finally:
        path.write_bytes(data)


# the map


def asked(view: View, revision: str | None = None, **more: str) -> dict[str, str]:
    if revision is None:
        revision = state.map_of(view, "pca").revision
    return {
        "uid": view.collection.uid, "encoder": view.encoding.encoder, "method": "pca",
        "revision": revision, **more,
    }  # fmt: skip


def read(body: bytes) -> tuple[dict[str, Any], Any, Any, Any]:
    """Header, x, y and group of a `/points` answer, read as the browser does."""
    size = int.from_bytes(body[:4], "little")
    assert (4 + size) % 4 == 0
    header = json.loads(body[4 : 4 + size])
    n = header["n"]
    x = np.frombuffer(body, "<f4", n, 4 + size)
    y = np.frombuffer(body, "<f4", n, 4 + size + 4 * n)
    return header, x, y, np.frombuffer(body, "<u2", n, 4 + size + 8 * n)


def test_points_are_those_of_the_core(client, view):
    data = state.map_of(view, "pca")
    known = state.columns(view)
    for colour in mapdata.colourings(state.library(), view, known):
        answer = client.get("/points", params=asked(view, colour=colour))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        header, x, y, group = read(answer.content)
        groups, codes = mapdata.groups_of(state.library(), view, data, known, colour)
        assert header["n"] == len(data.ids) == IMAGES
        assert header["groups"] == groups
        assert sum(g["count"] for g in groups) == IMAGES
        assert np.array_equal(np.column_stack([x, y]), data.coordinates)
        assert group.tolist() == codes.tolist()


def test_a_map_that_changed_is_gone(client, view):
    for path in ("/points", "/point"):
        answer = client.get(path, params=asked(view, "0123456789abcdef", row="0"))
        assert answer.status_code == 410
        assert "changed" in answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"uid": "nobody"},
        {"encoder": "openclip:nothing"},
        {"method": "umap"},  # not made
        {"method": "../../catalogue"},
        {"colour": "magic"},
        {"colour": "cluster:nothing"},
    ],
)
def test_points_of_what_is_not_there(client, view, wrong):
    answer = client.get("/points", params=asked(view) | wrong)
    assert answer.status_code == 404
    assert answer.text


def test_a_point_tells_its_image(client, view):
    data = state.map_of(view, "pca")
    for row, id in enumerate(data.ids):
        told = client.get("/point", params=asked(view, row=str(row))).json()
        assert told["id"] == id
        assert told["title"] == id.rsplit("/", 1)[-1]
        assert id.split("/")[1] in told["lines"]  # its label
        assert client.get(told["thumb"]).status_code == 200


def test_parts_of_a_map(client, view):
    data = state.map_of(view, "pca")
    x, y = (sorted(float(v) for v in axis)[: IMAGES // 2] for axis in data.coordinates.T)
    ends = {"x0": x[0], "x1": x[-1], "y0": y[0], "y1": y[-1]}
    told = client.get("/points", params=asked(view, colour="label", **ends))
    header, xs, ys, _ = drawn_part(told.content)
    inside = [
        row for row, (px, py) in enumerate(data.coordinates.tolist())
        if x[0] <= px <= x[-1] and y[0] <= py <= y[-1]
    ]  # fmt: skip
    assert header["of"] == header["drawn"] == len(inside)
    assert np.array_equal(np.column_stack([xs, ys]), data.coordinates[inside])
    some = client.get("/points", params=asked(view, colour="label", rows="3,1"))
    _, xs, ys, rows = drawn_part(some.content)
    assert rows.tolist() == [3, 1]
    assert np.array_equal(np.column_stack([xs, ys]), data.coordinates[[3, 1]])


def drawn_part(body: bytes) -> tuple[dict[str, Any], Any, Any, Any]:
    """Header, x, y and rows of an answer that holds part of a map."""
    size = int.from_bytes(body[:4], "little")
    header, at = json.loads(body[4 : 4 + size]), 4 + size
    m = header["drawn"]
    x, y = np.frombuffer(body, "<f4", m, at), np.frombuffer(body, "<f4", m, at + 4 * m)
    return header, x, y, np.frombuffer(body, "<u4", m, at + 8 * m + -(-2 * m // 4) * 4)


@pytest.mark.parametrize(
    "wrong",
    [{"x0": "a"}, {"x0": "1"}, {"x0": "0", "x1": "nan", "y0": "0", "y1": "1"}, {"rows": "1;2"},
     {"rows": "-1"}, {"rows": ",".join("1" * 201)}, {"rows": ""}],
)  # fmt: skip
def test_parts_that_are_none(client, view, wrong):
    answer = client.get("/points", params=asked(view, colour="label", **wrong))
    assert answer.status_code == 404
    assert "expected" in answer.text or "finite" in answer.text


def test_shading_follows_hidden_groups_and_the_filter(client, view):
    def shades(**more: Any) -> bytes:
        answer = client.get("/density", params=asked(view, colour="label", **more))
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        size = int.from_bytes(answer.content[:4], "little")
        return answer.content[4 + size :]

    names = [g["name"] for g in state.drawing(view, state.map_of(view, "pca"), "label").groups]
    every = shades()
    assert max(every) == 255
    assert max(shades(hidden=names)) == 0
    assert shades(hidden=names[0]) not in (every, shades(hidden=names))
    assert shades(filter=f"label:{names[0]}") == shades(hidden=names[1:])


def test_a_selection_is_fetched_by_its_key(client, view):
    data = state.map_of(view, "pca")
    key = held.keep(data.revision, [0, 5, 29])
    body = client.get("/held", params=asked(view, colour="label", key=key)).content
    bits = np.frombuffer(body[-4:], np.uint8)
    assert np.flatnonzero(np.unpackbits(bits, bitorder="little")).tolist() == [0, 5, 29]
    assert key == held.keep(data.revision, [0, 5, 29]) != held.keep("other", [0, 5, 29])
    for n in range(held.MOST + 1):
        held.keep("many", [n])
    gone = client.get("/held", params=asked(view, colour="label", key=key))
    assert (gone.status_code, "reload" in gone.text) == (410, True)
    assert client.get("/held", params=asked(view, colour="label")).status_code == 410


@pytest.mark.parametrize("row", ["-1", "30", "1e3", "", "x", "9" * 30, "0x1", "٣"])
def test_a_row_that_does_not_exist(client, view, row):
    assert client.get("/point", params=asked(view, row=row)).status_code == 404


def test_plotly_is_our_own_copy(client):
    answer = client.get(routes.plotly_url())
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(answer.content) > 1_000_000


# what a page may read


def test_paths_lie_under_the_roots_links_resolved(tmp_path, clean):
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine / "run", other):
        folder.mkdir(parents=True)
    (mine / "out").symlink_to(other)
    (other / "in").symlink_to(mine / "run")
    clean.setenv("PLANKTON_ROOTS", str(mine))
    assert state.allowed_path(str(mine / "run")) == mine / "run"
    assert state.allowed_path(str(mine)) == mine
    assert state.allowed_path(str(other / "in")) == mine / "run"
    for wrong in (other, mine / "out", mine / ".." / "other", "/etc", "/", f"{mine}else", "."):
        with pytest.raises(SourceError, match="may not be read"):
            state.allowed_path(str(wrong))
    with pytest.raises(SourceError, match="does not exist"):
        state.allowed_path(str(mine / "nothing"))


@pytest.mark.parametrize("wrong", ["~nobody-of-that-name/x", "a\0b", "x" * 5_000, "~" * 400])
def test_a_path_that_is_none_is_one_sentence(clean, wrong):
    clean.setenv("PLANKTON_ROOTS", "/")
    with pytest.raises(SourceError) as caught:
        state.allowed_path(wrong)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_beyond_localhost_no_path_is_read_unless_named(tmp_path, clean):
    clean.setattr(state, "on_localhost", lambda: False)
    clean.setattr(state, "has_login", lambda: True)
    with pytest.raises(SourceError, match="PLANKTON_ROOTS"):
        state.allowed_path(str(Path.home()))
    clean.setenv("PLANKTON_ROOTS", str(tmp_path))
    assert state.allowed_path(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("id", ["../../etc", "..", "", "20260101-000000-abcdef/../x", "a\0"])
def test_a_job_id_is_no_path(filled, id):
    with pytest.raises(NotFoundError):
        jobs.read(state.library().workspace, id)
    with pytest.raises(NotFoundError):
        jobs.forget(state.library().workspace, id)
