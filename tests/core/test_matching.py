"""The nearest matches of images, pictures and descriptions in a real collection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core import labels
from core.arrays import unit_rows
from core.catalogue import Encoding, Image, NewImage
from core.encoders.card import Identity
from core.errors import EncoderError, ImageError, NotFoundError, RangeError
from core.filtering import Filter
from core.labels import Decision
from core.library import Library, View
from core.matching import (
    Found,
    by_size,
    esd_of,
    similar_to_id,
    similar_to_image,
    similar_to_set,
    similar_to_text,
    size_of,
    times_larger,
)
from core.settings import Settings
from core.store import Store
from tests.core.prepared import IDS, IMAGES, prepared, source


@pytest.fixture
def library(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    prepared(tmp_path_factory, settings.workspace)
    opened = Library.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def view(library: Library) -> View:
    return library.vectors(library.catalogue.collection("run"))


@pytest.fixture
def run(view: View, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source(tmp_path_factory).parent


def ids(result: object) -> list[str]:
    return [match.image.id for match in result.matches]  # type: ignore[attr-defined]


def by_hand(view: View, id: str) -> list[str]:
    """Every id, nearest first, by plain arithmetic."""
    vectors = np.asarray(view.snapshot.vectors, np.float64)
    row = view.snapshot.ids.index(id)
    distances = np.round(1 - vectors @ vectors[row], 6)
    order = sorted(range(len(distances)), key=lambda r: (distances[r], view.snapshot.ids[r]))
    return [id, *(view.snapshot.ids[r] for r in order if r != row)]


def test_the_image_itself_comes_first_then_its_k_nearest(library: Library, view: View):
    found = similar_to_id(library, view, IDS[3], k=5)
    assert found.exact
    assert found.query == {"id": IDS[3]}
    assert (found.matches[0].image.id, found.matches[0].distance) == (IDS[3], 0.0)
    assert ids(found) == by_hand(view, IDS[3])[:6]
    distances = [match.distance for match in found.matches]
    assert distances == sorted(distances)


def test_an_image_comes_before_its_copy(library: Library, view: View):
    first, last = IDS[0], IDS[-1]
    assert ids(similar_to_id(library, view, last, k=1)) == [last, first]
    assert ids(similar_to_id(library, view, first, k=1)) == [first, last]


def test_json_has_the_fields_of_the_contract(library: Library, view: View):
    found = similar_to_id(library, view, IDS[3], k=2).as_json()
    assert {"query", "exact", "matches"} <= set(found)
    assert {"id", "distance", "label", "uri"} <= set(found["matches"][0])
    assert found["matches"][0]["label"] == "Detritus"
    assert found["matches"][0]["label_status"] == "validated"


def test_a_label_is_null_when_there_is_none(library: Library, view: View):
    labels.record(library.catalogue, view.collection.uid, [Decision(IDS[3], None)], by="me")
    match = similar_to_id(library, view, IDS[3], k=1).as_json()["matches"][0]
    assert (match["label"], match["label_status"]) == (None, None)


def test_more_than_there_are(library: Library, view: View):
    assert len(similar_to_id(library, view, IDS[0], k=1000).matches) == IMAGES


@pytest.mark.parametrize("k", [0, -1, 1001])
def test_k_outside_its_range(library: Library, view: View, k: int):
    expected = f"k is {k}; expected 1 to 1,000"
    with pytest.raises(RangeError, match=expected):
        similar_to_id(library, view, IDS[0], k=k)
    with pytest.raises(RangeError, match=expected):
        similar_to_image(library, view, b"", name="x", k=k)
    with pytest.raises(RangeError, match=expected):
        similar_to_text(library, view, "a", k=k)


def test_an_unknown_id_suggests_one(library: Library, view: View):
    with pytest.raises(NotFoundError, match=r"no image '03\.png'; did you mean 'run/Detritus/03"):
        similar_to_id(library, view, "03.png")


def test_an_image_without_a_vector_yet(library: Library, view: View):
    new = NewImage("run/new.png", "run", "new.png", "1", "h")
    library.catalogue.put_images(view.collection.uid, [new])
    with pytest.raises(NotFoundError, match="no vector of encoder 'descriptors' yet; run `index"):
        similar_to_id(library, view, "run/new.png")


# pictures and words


def test_the_same_file_is_nearest_to_itself(library: Library, view: View, run: Path):
    found = similar_to_image(library, view, (run / IDS[3]).read_bytes(), name="mine.png", k=4)
    assert found.query == {"image": "mine.png"}
    assert ids(found) == by_hand(view, IDS[3])[:4]
    assert found.matches[0].distance == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("data", [b"", b"words, not a picture"])
def test_what_is_no_picture(library: Library, view: View, data: bytes):
    with pytest.raises(ImageError, match=r"mine\.png: "):
        similar_to_image(library, view, data, name="mine.png")


@pytest.mark.parametrize("um_per_px", [0.0, -1.0, float("nan"), float("inf"), 1e5])
def test_a_pixel_size_that_cannot_be(library: Library, view: View, run: Path, um_per_px: float):
    data = (run / IDS[3]).read_bytes()
    with pytest.raises(RangeError, match="expected more than 0 and at most 10,000"):
        similar_to_image(library, view, data, name="x", um_per_px=um_per_px)


def test_an_encoder_that_reads_no_text(library: Library, view: View):
    with pytest.raises(EncoderError, match=r"descriptors.*text"):
        similar_to_text(library, view, "a chain of round cells")
    with pytest.raises(RangeError, match="the description is empty; expected words"):
        similar_to_text(library, view, " ")


def test_vectors_made_elsewhere(library: Library):
    collection = library.catalogue.create("n", encoder="precomputed:n", options={})
    identity = Identity("precomputed:n", weights="unknown", preprocessing=0, dimension=3)
    encoding = Encoding("precomputed:n", identity, generation=1, created="2024")
    library.catalogue.put_encoding(collection.uid, encoding)
    addresses = [f"https://x/{n}.png" for n in range(5)]
    library.catalogue.put_images(
        collection.uid, [NewImage(a, "precomputed:n", a, "", "") for a in addresses]
    )
    with library.workspace.writing("test"):
        store = Store.open(library.settings, library.workspace)
        writer = store.vectors(library.workspace, collection.uid, encoding)
        rows = unit_rows(np.random.default_rng(0).normal(size=(5, 3)))
        writer.put(addresses, addresses, rows)
    view = library.vectors(collection)
    found = similar_to_id(library, view, addresses[1], k=4, only=Filter(collapse=True))
    assert ids(found) == by_hand(view, addresses[1])  # nothing says that they are copies
    with pytest.raises(EncoderError, match=r"made elsewhere.*--made-by ENCODER"):
        similar_to_image(library, view, b"x", name="x")
    with pytest.raises(EncoderError, match="made elsewhere"):
        similar_to_text(library, view, "x")


# filters


def test_only_a_label(library: Library, view: View):
    found = similar_to_id(library, view, IDS[1], k=100, only=Filter.of(label="Copepod"))
    assert ids(found)[0] == IDS[1]
    assert sorted(ids(found)[1:]) == sorted(IDS[0::2])


def test_only_a_sample(library: Library, view: View):
    uid = view.collection.uid
    rows = library.catalogue.image_rows(uid)
    chosen = {IDS[4], IDS[9]}
    library.catalogue.put_images(
        uid, [replace(row, sample="St 1") for row in rows if row.id in chosen]
    )
    found = similar_to_id(library, view, IDS[4], k=9, only=Filter.of(sample="St 1"))
    assert ids(found) == [IDS[4], IDS[9]]


def test_only_a_size(library: Library, view: View):
    sizes = {i.id: size_of(i) for i in library.catalogue.images(view.collection.uid)}
    every = sorted(size[0] for size in sizes.values() if size)
    low, high = every[3], every[-4]
    only = Filter.of(size_min=low, size_max=high)
    found = ids(similar_to_id(library, view, IDS[0], k=100, only=only))[1:]
    wanted = {id for id, size in sizes.items() if size and low <= size[0] <= high}
    assert set(found) == wanted - {IDS[0]}


def test_sizes_are_micrometres_where_the_pixel_size_is_known(library: Library, view: View):
    image = library.catalogue.image(view.collection.uid, IDS[0])
    assert size_of(replace(image, width=30, height=40)) == (40.0, "px")
    assert size_of(replace(image, width=30, height=40, um_per_px=2.5)) == (100.0, "µm")
    assert size_of(replace(image, width=None)) is None


def test_nothing_passes(library: Library, view: View, run: Path):
    only = Filter.of(label="Whale")
    assert ids(similar_to_id(library, view, IDS[0], only=only)) == [IDS[0]]
    data = (run / IDS[0]).read_bytes()
    assert ids(similar_to_image(library, view, data, name="x", only=only)) == []


def test_copies_count_once_and_others_take_their_place(library: Library, view: View):
    """Even when there are more copies than were asked for at first."""
    uid = view.collection.uid
    rows = library.catalogue.image_rows(uid)
    near = by_hand(view, IDS[3])
    copies = set(near[:15])
    library.catalogue.put_images(
        uid, [replace(row, content_hash="same") for row in rows if row.id in copies]
    )
    found = similar_to_id(library, view, IDS[3], k=2, only=Filter(collapse=True))
    assert ids(found) == [near[0], near[15], near[16]]


def test_an_unfinished_run_shows_nothing_it_has_not_catalogued(library: Library, view: View):
    library.catalogue.remove_images(view.collection.uid, [IDS[-1]])
    assert IDS[-1] not in ids(similar_to_id(library, view, IDS[0], k=100))


def test_what_is_not_catalogued_takes_no_match_s_place(library: Library, view: View):
    near = ids(similar_to_id(library, view, IDS[3], k=6))
    library.catalogue.remove_images(view.collection.uid, near[1:4])
    found = ids(similar_to_id(library, view, IDS[3], k=3))
    assert found == [near[0], *near[4:7]]


# sizes


def sized(image: Image, longest: int, um_per_px: float | None = None) -> Found:
    return Found(replace(image, width=longest, height=1, um_per_px=um_per_px), 0.0, None, None)


def test_how_many_times_larger(library: Library, view: View):
    image = library.catalogue.image(view.collection.uid, IDS[0])
    query = sized(image, 10, 2.0).image
    assert times_larger(sized(image, 124, 1.0).image, query) == pytest.approx(6.2)
    assert times_larger(sized(image, 1, 2.0).image, query) == pytest.approx(0.1)
    assert times_larger(sized(image, 124).image, query) is None  # pixels beside micrometres
    assert times_larger(sized(image, 30).image, sized(image, 10).image) == 3.0
    assert times_larger(replace(image, width=None), query) is None
    assert times_larger(query, None) is None
    cell = replace(query, metadata={"esd_um": 5.0})
    chain = replace(query, metadata={"esd_um": 30})  # in pictures of one size
    assert times_larger(chain, cell) == 6.0
    assert times_larger(chain, query) == 1.0  # a diameter says nothing beside a picture's side
    for odd in (0.0, -1.0, "5", True, None):
        assert esd_of(replace(query, metadata={"esd_um": odd})) is None


def test_matches_by_size(library: Library, view: View):
    image = library.catalogue.image(view.collection.uid, IDS[0])
    unknown = Found(replace(image, width=None), 0.0, None, None)
    pixels, small, large, same = (
        sized(image, 3), sized(image, 5, 1.0), sized(image, 90, 1.0), sized(image, 10, 0.5),
    )  # fmt: skip
    assert by_size([unknown, large, pixels, small, same]) == [small, same, large, pixels, unknown]
    assert by_size([same, small]) == [same, small]
    thin, round_ = (
        Found(replace(found.image, metadata={"esd_um": esd}), 0.0, None, None)
        for found, esd in ((large, 4.0), (small, 9.0))
    )
    assert by_size([round_, thin]) == [thin, round_]
    assert by_size([large, round_, thin]) == [round_, large, thin]  # not all were measured


def test_a_result_knows_what_was_asked_with(library: Library, view: View, run: Path):
    assert similar_to_id(library, view, IDS[2], k=1).asked == library.catalogue.image(
        view.collection.uid, IDS[2]
    )
    data = (run / IDS[2]).read_bytes()
    asked = similar_to_image(library, view, data, name="mine", k=1, um_per_px=3.0).asked
    stored = library.catalogue.image(view.collection.uid, IDS[2])
    assert asked is not None
    assert (asked.width, asked.height, asked.um_per_px) == (stored.width, stored.height, 3.0)
    assert size_of(asked) == (max(stored.width or 0, stored.height or 0) * 3.0, "µm")


# more like these


def test_more_like_a_set_are_nearest_to_its_middle(library: Library, view: View):
    chosen = [IDS[0], IDS[2], IDS[4]]
    vectors = np.asarray(view.snapshot.vectors, np.float64)
    places = [view.snapshot.ids.index(id) for id in chosen]
    middle = vectors[places].mean(axis=0)
    distances = 1 - vectors @ (middle / np.linalg.norm(middle))
    order = [view.snapshot.ids[row] for row in np.argsort(distances.round(6), kind="stable")]
    expected = [id for id in order if id not in chosen][:5]
    result = similar_to_set(library, view, chosen, k=5)
    assert ids(result) == expected
    assert result.query == {"set": 3, "unlike": 0}
    assert result.exact


def test_away_from_what_was_rejected(library: Library, view: View):
    before = similar_to_set(library, view, [IDS[0]], k=IMAGES)
    assert set(ids(before)) == set(IDS) - {IDS[0]}
    rejected = ids(before)[1]
    after = similar_to_set(library, view, [IDS[0], rejected], unlike=[rejected], k=IMAGES)
    assert set(ids(after)) == set(IDS) - {IDS[0], rejected}
    assert after.query == {"set": 1, "unlike": 1}
    gone = {m.image.id: m.distance for m in before.matches}
    now = {m.image.id: m.distance for m in after.matches}
    vectors = np.asarray(view.snapshot.vectors)
    towards = vectors @ vectors[view.snapshot.ids.index(rejected)]
    like = max(now, key=lambda id: towards[view.snapshot.ids.index(id)])
    assert now[like] > gone[like]  # what is most like the rejected one has gone further off


def test_a_set_goes_with_a_filter(library: Library, view: View):
    result = similar_to_set(library, view, [IDS[0]], k=IMAGES, only=Filter.of(label="Detritus"))
    assert set(ids(result)) == set(IDS[1::2])


def test_images_of_a_set_that_are_gone_are_told(library: Library, view: View):
    result = similar_to_set(library, view, [IDS[0], "gone"], unlike=["gone too"], k=3)
    assert result.notes == ["2 of the chosen images are not here any more."]
    with pytest.raises(NotFoundError, match="none of the 1 chosen images"):
        similar_to_set(library, view, ["gone"])
    with pytest.raises(NotFoundError, match="none of the 1 chosen images"):
        similar_to_set(library, view, [IDS[0]], unlike=[IDS[0]])
