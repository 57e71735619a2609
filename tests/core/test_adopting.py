"""Chroma stores as notebooks leave them: written here by a notebook's own calls."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.adopting import adopt
from core.arrays import unit_rows
from core.errors import EncoderError, SourceError, StoreError
from core.indexing import index
from core.library import Library
from core.matching import similar_to_id, similar_to_image
from tests.core.conftest import Command, Pictures, chroma_server

TIMM = "timm:test_resnet/random"
slow = pytest.mark.slow
URLS = [f"https://example.org/vignettes/{n:03d}.png" for n in range(120)]
EMBEDDINGS = np.random.default_rng(3).normal(size=(120, 2048)) * 7  # raw features, of no length


def notebook(client: Any, name: str, ids: list[str], embeddings: np.ndarray) -> None:
    """No configuration, so distances are l2; no metadata."""
    collection = client.create_collection(name)
    collection.add(ids=ids, embeddings=embeddings.tolist())


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A notebook's store."""
    import chromadb

    folder = tmp_path / "vector_store"
    client = chromadb.PersistentClient(path=str(folder))
    notebook(client, "plankton", URLS, EMBEDDINGS)
    client.close()
    return folder


def digests(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check_matches(library: Library) -> None:
    view = library.vectors(library.catalogue.collection("c"))
    unit = unit_rows(EMBEDDINGS).astype(np.float64)
    for row in (0, 57, 119):
        found = similar_to_id(library, view, URLS[row], k=24)
        distances = 1 - unit @ unit[row]
        distances[row] = -1
        truth = np.argsort(distances, kind="stable")[:25]
        assert [match.image.id for match in found.matches] == [URLS[r] for r in truth]
        assert found.matches[0].distance == 0
        np.testing.assert_allclose(
            [m.distance for m in found.matches[1:]], distances[truth[1:]], atol=1e-5
        )


def test_a_notebooks_store(library: Library, left: Path, pictures: Pictures):
    before = digests(left)
    report = adopt(library, f"{left}#plankton", collection="c")
    assert (report.indexed, report.already, report.skipped_count) == (120, 0, 0)
    assert digests(left) == before  # byte for byte
    collection = library.catalogue.collection("c")
    assert collection.encoder == "precomputed:plankton"
    view = library.vectors(collection)
    assert sorted(view.snapshot.ids) == sorted(URLS)
    np.testing.assert_allclose(
        np.asarray(view.snapshot.vectors)[[view.snapshot.ids.index(id) for id in URLS]],
        unit_rows(EMBEDDINGS),
        atol=1e-6,
    )
    assert {image.uri for image in library.catalogue.images(collection.uid)} == set(URLS)
    check_matches(library)
    picture = (pictures(1) / "00000.png").read_bytes()
    with pytest.raises(EncoderError, match=r"were made elsewhere.*--made-by ENCODER"):
        similar_to_image(library, view, picture, name="mine.png")
    assert list(library.workspace.uploads.iterdir()) == []  # the copy is gone


def test_adopted_twice(library: Library, left: Path):
    adopt(library, f"{left}#plankton", collection="c")
    report = adopt(library, f"{left}#plankton", collection="c")
    assert (report.indexed, report.already) == (0, 120)
    check_matches(library)


def test_what_was_learnt_of_an_image_stays_when_it_is_adopted_again(library: Library, left: Path):
    adopt(library, f"{left}#plankton", collection="c")
    uid = library.catalogue.collection("c").uid
    row = library.catalogue.image_rows(uid)[0]
    said = replace(row, content_hash="00", width=8, height=9, um_per_px=2.5, metadata={"net": 1})
    library.catalogue.put_images(uid, [said])
    adopt(library, f"{left}#plankton", collection="c")
    assert library.catalogue.image_rows(uid)[0] == said


def test_a_store_that_cannot_be_copied(library: Library, left: Path):
    (left / "index").symlink_to("nowhere")
    with pytest.raises(SourceError, match=r"cannot be copied to be read \(.*No such file.*space"):
        adopt(library, f"{left}#plankton", collection="c")
    assert library.catalogue.collections() == []


@slow
def test_on_the_command_line(command: Command, left: Path):
    done = command("index", f"chroma:{left}#plankton", "--collection", "c", "--json")
    assert done.returncode == 0, done.stderr
    again = command("index", f"chroma:{left}#nothing", "--collection", "d", "--json")
    assert again.returncode == 2 and again.stdout == ""
    assert "has no collection 'nothing'; it has: plankton" in again.stderr


def test_pictures_cannot_be_added(library: Library, left: Path, pictures: Pictures):
    adopt(library, f"{left}#plankton", collection="c")
    with pytest.raises(EncoderError, match=r"made elsewhere, so images cannot be added"):
        index(library, collection="c", source=str(pictures(2)))
    check_matches(library)


def test_names_and_dimensions_that_do_not_fit(library: Library, left: Path, pictures: Pictures):
    import chromadb

    index(library, collection="pictures", source=str(pictures(2)))
    with pytest.raises(SourceError, match=r"exists and holds descriptors; choose another name"):
        adopt(library, f"{left}#plankton", collection="pictures")
    adopt(library, f"{left}#plankton", collection="c")
    client = chromadb.PersistentClient(path=str(left))
    client.delete_collection("plankton")
    notebook(client, "plankton", URLS[:5], EMBEDDINGS[:5, :64])
    client.create_collection("empty")
    client.close()
    with pytest.raises(EncoderError, match=r"vectors of 2048 numbers, these have 64"):
        adopt(library, f"{left}#plankton", collection="c")
    with pytest.raises(SourceError, match=r"collection 'empty' of .* is empty"):
        adopt(library, f"{left}#empty", collection="d")
    check_matches(library)


def test_images_of_it_can_be_encoded_here(library: Library, tmp_path: Path, pictures: Pictures):
    import chromadb

    ids = [str(path) for path in sorted(pictures(6).iterdir())]
    client = chromadb.PersistentClient(path=str(tmp_path / "store"))
    notebook(client, "files", ids, EMBEDDINGS[:6, :16])
    client.close()
    where = f"{tmp_path / 'store'}#files"
    adopt(library, where, collection="c")
    assert index(library, collection="c", encoder="descriptors").indexed == 6
    view = library.vectors(library.catalogue.collection("c"), "descriptors")
    assert similar_to_id(library, view, ids[2], k=2).matches[0].distance == 0
    assert adopt(library, where, collection="c").already == 6  # it has another encoder by now


def test_one_more_encoder_of_a_collection_of_the_same_ids(
    library: Library, tmp_path: Path, pictures: Pictures
):
    import chromadb

    index(library, collection="c", source=str(pictures(4)))
    ids = [f"run/{n:05d}.png" for n in range(4)]
    client = chromadb.PersistentClient(path=str(tmp_path / "store"))
    notebook(client, "clip", [*ids[:3], "another"], EMBEDDINGS[:4, :16])
    client.close()
    report = adopt(library, f"{tmp_path / 'store'}#clip", collection="c")
    assert (report.indexed, report.skipped_count) == (3, 1)
    assert "1 of its images have none" in report.notes[0]
    collection = library.catalogue.collection("c")
    assert collection.encoder == "descriptors"
    view = library.vectors(collection, "precomputed:clip")
    assert sorted(view.snapshot.ids) == ids[:3]
    images = library.catalogue.images(collection.uid)
    assert [image.id for image in images] == ids and Path(images[0].uri).exists()
    assert library.catalogue.roots(collection.uid).keys() == {"run"}


def test_metadata_uris_and_vectors_of_no_use(library: Library, tmp_path: Path):
    import chromadb

    client = chromadb.PersistentClient(path=str(tmp_path / "store"))
    collection = client.create_collection("made", configuration={"hnsw": {"space": "ip"}})
    collection.add(
        ids=["1", "2", "3"],
        embeddings=[[3.0, 4.0], [0.0, 0.0], [1.0, 0.0]],
        metadatas=[{"url": "https://e.org/1.png", "depth": 5.5}, {"station": "A"}, {"ok": True}],
    )
    client.close()
    adopt(library, f"{tmp_path / 'store'}#made", collection="c")
    ours = library.catalogue.collection("c")
    images = {image.id: image for image in library.catalogue.images(ours.uid)}
    assert images["1"].uri == "https://e.org/1.png" and images["1"].metadata["depth"] == 5.5
    assert images["2"].metadata == {"station": "A"} and images["3"].metadata == {"ok": True}
    view = library.vectors(ours)
    rows = dict(zip(view.snapshot.ids, np.asarray(view.snapshot.vectors).tolist(), strict=True))
    assert rows["1"] == pytest.approx([0.6, 0.8]) and rows["2"] == [1.0, 0.0]


def test_out_of_a_server(library: Library, tmp_path: Path):
    import chromadb

    with chroma_server(tmp_path / "server") as (url, process):
        host, port = url.removeprefix("http://").split(":")
        client = chromadb.HttpClient(host=host, port=int(port))
        notebook(client, "plankton", URLS, EMBEDDINGS)
        report = adopt(library, f"{url}#plankton", collection="c")
        assert report.indexed == 120
        check_matches(library)
        with pytest.raises(SourceError, match="it has: plankton"):
            adopt(library, f"{url}#nothing", collection="d")
        process.kill()
        process.wait()
        with pytest.raises(StoreError, match="no Chroma server answers"):
            adopt(library, f"{url}#plankton", collection="d")


@slow
def test_made_by(
    library: Library, tmp_path: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
):
    """Vectors of real pictures, made as a notebook makes them: by the model, without our code."""
    import chromadb

    from core import encoders

    encoder = encoders.load(TIMM)
    root = pictures(8)
    paths = sorted(root.iterdir())
    features = encoder.encode(
        [encoder.prepare(np.asarray(Image.open(path).convert("RGB"))) for path in paths]
    )
    client = chromadb.PersistentClient(path=str(tmp_path / "store"))
    notebook(client, "files", [str(path) for path in paths], features * 12.5)
    monkeypatch.chdir(tmp_path)
    notebook(client, "relative", [f"run/{path.name}" for path in paths], features * 12.5)
    notebook(client, "others", [str(path) for path in paths], features[::-1])
    notebook(client, "urls", URLS[:8], features)
    client.close()
    for name in ("files", "relative"):
        adopt(library, f"{tmp_path / 'store'}#{name}", collection=name, made_by=TIMM)
        view = library.vectors(library.catalogue.collection(name))
        assert view.encoding.made_by == TIMM
        found = similar_to_image(library, view, paths[5].read_bytes(), name="mine.png", k=3)
        assert found.matches[0].image.id.endswith(paths[5].name)
        assert found.matches[0].distance == pytest.approx(0, abs=1e-3)
    monkeypatch.chdir("/")
    images = library.catalogue.images(library.catalogue.collection("relative").uid)
    assert all(image.uri.startswith("/") for image in images)  # read from anywhere
    for name, made_by, message in [
        ("others", TIMM, r"did not make these vectors.*none nearer to another's"),
        ("files", "timm:test_vit/random", r"gives 64 numbers, these vectors have|did not make"),
        ("files", "descriptors", r"is fitted to a collection.*leave out --made-by"),
        ("urls", TIMM, r"none of the images could be read to check --made-by"),
    ]:
        with pytest.raises(EncoderError, match=message):
            adopt(library, f"{tmp_path / 'store'}#{name}", collection="x", made_by=made_by)
    assert {c.name for c in library.catalogue.collections()} == {"files", "relative"}


def test_a_store_that_is_damaged(library: Library, left: Path):
    database = left / "chroma.sqlite3"
    database.write_bytes(b"no database" * 500)
    with pytest.raises((SourceError, StoreError)) as info:
        adopt(library, f"{left}#plankton", collection="c")
    assert "\n" not in str(info.value)
    assert library.catalogue.collections() == []
