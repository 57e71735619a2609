"""The drawn sample collection: the same every time, labelled, sized, and worth telling apart."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.errors import CancelledError, RangeError, SourceError, WorkspaceError
from core.sources.base import ImageRef, Skipped
from core.sources.drawing import HAULS, KINDS, OBJECTIVES
from core.sources.sample import SampleSource, _plan, draw_sample, draw_vignette

N = 300
FEW = 40
KIND = {kind.name: kind for kind in KINDS}
HAUL = {haul.name: haul for haul in HAULS}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    draw_sample(folder, n=FEW, seed=4)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    draw_sample(folder, n=N, seed=3)
    return folder


def images(folder: Path) -> list[ImageRef]:
    found = list(SampleSource(folder).refs())
    assert all(isinstance(ref, ImageRef) for ref in found)
    return [ref for ref in found if isinstance(ref, ImageRef)]


@pytest.fixture(scope="module")
def refs(folder: Path) -> list[ImageRef]:
    return images(folder)


@pytest.fixture(scope="module")
def pictures(folder: Path, refs: list[ImageRef]) -> list[NDArray[np.uint8]]:
    return [np.asarray(Image.open(folder / ref.inner)) for ref in refs]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize("n", [1, 2, 10])
def test_a_handful_can_be_drawn(tmp_path: Path, n: int):
    table = draw_sample(tmp_path, n=n, seed=0)
    assert table == tmp_path / "sample.csv"
    assert len(list(SampleSource(tmp_path).refs())) == n
    assert len(list(tmp_path.rglob("*.png"))) == n


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        draw_sample(tmp_path / name, n=20, seed=seed)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert len(a) == 21
    assert a == b
    assert not set(a.values()) & set(c.values())


def test_an_image_does_not_depend_on_how_many_there_are(tmp_path: Path):
    draw_sample(tmp_path / "few", n=8, seed=5)
    draw_sample(tmp_path / "more", n=20, seed=5)
    few, more = contents(tmp_path / "few"), contents(tmp_path / "more")
    del few["sample.csv"]
    assert few.items() <= more.items()


def test_what_is_there_already_is_left_alone(tmp_path: Path):
    draw_sample(tmp_path, n=5, seed=1)
    before = [ref.stamp for ref in images(tmp_path)]
    draw_sample(tmp_path, n=5, seed=1)
    assert [ref.stamp for ref in images(tmp_path)] == before


def test_progress_counts_up_and_may_stop_the_drawing(tmp_path: Path):
    seen: list[tuple[int, int]] = []
    draw_sample(tmp_path, n=3, seed=0, on_progress=lambda done, n: seen.append((done, n)))
    assert seen == [(1, 3), (2, 3), (3, 3)]

    def stop(done: int, n: int) -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        draw_sample(tmp_path / "stopped", n=3, seed=0, on_progress=stop)


@pytest.mark.parametrize("n", [0, -1, 100_001])
def test_an_impossible_number_is_refused(tmp_path: Path, n: int):
    with pytest.raises(RangeError, match=r"expected 1 to 100,000"):
        draw_sample(tmp_path / "none", n=n, seed=0)
    assert not (tmp_path / "none").exists()


def test_a_negative_seed_is_refused(tmp_path: Path):
    with pytest.raises(RangeError, match="seed is -1"):
        draw_sample(tmp_path, n=1, seed=-1)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WorkspaceError, match="file cannot be written"):
        draw_sample(tmp_path / "file", n=1, seed=0)


def test_every_reference_says_what_is_known(small: Path):
    source = SampleSource(small)
    refs = images(small)
    assert source.name == "sample"
    assert Path(source.root) == small.resolve()
    assert len({ref.id for ref in refs}) == FEW
    for ref in refs:
        haul, kind = HAUL[ref.sample or ""], KIND[ref.label or ""]
        assert ref.id == f"sample/{ref.inner}"
        assert ref.inner.startswith(f"{haul.name}/")
        state = (small / ref.inner).stat()
        assert ref.stamp == f"{state.st_size}:{state.st_mtime_ns}"
        assert ref.label_status == "validated"
        assert ref.um_per_px == OBJECTIVES[str(ref.metadata["magnification"])]
        assert kind.low_um <= float(ref.metadata["length_um"] or 0) <= kind.high_um
        assert dict(ref.metadata) == {
            "station": haul.station.name,
            "latitude": haul.station.latitude,
            "longitude": haul.station.longitude,
            "depth_m": haul.depth_m,
            "date": haul.date,
            "length_um": ref.metadata["length_um"],
            "instrument": "drawn imaging flow cytometer",
            "magnification": ref.metadata["magnification"],
            "living": kind.living,
            "drawn": True,
        }
    assert images(small) == refs


def test_another_name_gives_other_ids(small: Path):
    first = next(SampleSource(small, name="demo").refs())
    assert isinstance(first, ImageRef)
    assert first.id.startswith("demo/")


@pytest.mark.slow
def test_all_kinds_and_samples_are_there_some_rare_some_common(refs: list[ImageRef]):
    kinds = Counter(ref.label for ref in refs)
    assert set(kinds) == set(KIND)
    assert len(kinds) >= 12
    assert max(kinds.values()) > 5 * min(kinds.values())
    assert {ref.sample for ref in refs} == set(HAUL)
    assert len({ref.metadata["station"] for ref in refs}) == 6
    assert {ref.um_per_px for ref in refs} == set(OBJECTIVES.values())


@pytest.mark.slow
def test_every_picture_is_rgb_and_of_a_size_an_instrument_cuts_out(
    pictures: list[NDArray[np.uint8]],
):
    sides = np.array([picture.shape[:2] for picture in pictures])
    assert all(p.dtype == np.uint8 and p.ndim == 3 and p.shape[2] == 3 for p in pictures)
    assert sides.min() >= 24
    assert sides.max() <= 340
    assert np.ptp(sides.max(axis=1)) > 150


@pytest.mark.slow
def test_every_picture_shows_something(pictures: list[NDArray[np.uint8]]):
    for picture in pictures:
        grey = picture.mean(axis=2)
        assert np.median(grey) - np.percentile(grey, 0.5) > 8 or grey.std() > 8


@pytest.mark.slow
def test_samples_differ_in_light_and_in_mix(
    refs: list[ImageRef], pictures: list[NDArray[np.uint8]]
):
    light, mix = defaultdict(list), defaultdict(Counter)
    for ref, picture in zip(refs, pictures, strict=True):
        light[ref.sample].append(np.percentile(picture, 75, axis=(0, 1)))
        mix[ref.sample][ref.label] += 1
    middles = np.array([np.median(rows, axis=0) for rows in light.values()])
    within = np.median([np.std(rows, axis=0).mean() for rows in light.values()])
    assert middles.std(axis=0).mean() > within
    shares = np.array([[c[k] / c.total() for k in KIND] for c in mix.values()])
    apart = np.abs(shares[:, None] - shares[None]).sum(axis=2)[np.triu_indices(len(shares), 1)]
    assert np.median(apart) > 0.5  # of at most 2


def features(ref: ImageRef, picture: NDArray[np.uint8]) -> list[float]:
    """Size, shape and colour of what is darker than the background: a few crude numbers."""
    pixels = picture.astype(float)
    ground = np.percentile(pixels, 80, axis=(0, 1))
    taken = 1 - (pixels / ground)
    dark = taken.mean(axis=2) > 0.08
    dark[picture.shape[0] // 2, picture.shape[1] // 2] = True
    y, x = np.nonzero(dark)
    spread = np.sqrt(np.linalg.eigvalsh(np.cov(np.stack([x, y])) + np.eye(2)))
    inside = taken[dark].mean(axis=0)
    return [
        float(np.log(spread[1] * (ref.um_per_px or 1))),
        float(np.log(spread[0] / spread[1])),
        float(np.log(dark.sum() / (spread[0] * spread[1]))),
        float(inside.mean()) * 4,
        float(inside[2] - inside[0]) * 8,
        float(inside[1] - inside[0]) * 8,
        float(taken[dark].std()) * 4,
    ]


@pytest.mark.slow
def test_kinds_can_be_told_apart(refs: list[ImageRef], pictures: list[NDArray[np.uint8]]):
    rows = np.array([features(r, p) for r, p in zip(refs, pictures, strict=True)])
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    labels = np.array([ref.label for ref in refs])
    distance = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    right = (labels[distance.argmin(axis=1)] == labels).mean()
    chance = sum((c / N) ** 2 for c in Counter(labels.tolist()).values())
    assert right > 3 * chance


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_is_as_long_in_pixels_as_its_length_says(kind):
    vignettes = [draw_vignette(kind, HAULS[9], seed=2, index=i) for i in range(4)]
    ratios = [
        np.hypot(*v.pixels.shape[:2]) * OBJECTIVES[v.magnification] / v.length_um for v in vignettes
    ]
    assert 0.7 < np.median(ratios) < 4.5  # limbs, setae and the margin come on top


def test_a_file_that_is_gone_is_skipped_and_the_rest_goes_on(tmp_path: Path):
    draw_sample(tmp_path, n=3, seed=0)
    next(tmp_path.rglob("*.png")).unlink()
    found = list(SampleSource(tmp_path).refs())
    gone = [f for f in found if isinstance(f, Skipped)]
    assert len(found) == 3
    assert len(gone) == 1
    assert "not there" in gone[0].reason


def test_a_folder_without_a_table_says_to_draw_first(tmp_path: Path):
    with pytest.raises(SourceError, match="draw the sample into this folder first"):
        list(SampleSource(tmp_path).refs())


def test_another_table_is_refused(tmp_path: Path):
    with (tmp_path / "sample.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows([["path", "species"], ["a.png", "b"]])
    with pytest.raises(SourceError, match="expected those of a drawn sample"):
        list(SampleSource(tmp_path).refs())


def test_a_damaged_row_says_to_draw_again(tmp_path: Path):
    table = draw_sample(tmp_path, n=1, seed=0)
    header, row = table.read_text().splitlines()
    fields = row.split(",")
    fields[header.split(",").index("latitude")] = "north"
    table.write_text(f"{header}\n{','.join(fields)}\n")
    with pytest.raises(SourceError, match="damaged row"):
        list(SampleSource(tmp_path).refs())


def test_a_small_drawing_is_as_varied_as_a_large_one():
    plan = [kind.name for kind, _ in _plan(120, seed=0)]
    assert set(plan) == set(KIND)
    assert plan == [kind.name for kind, _ in _plan(1200, seed=0)][:120]
    counts = Counter(kind.name for kind, _ in _plan(1200, seed=0))
    total = sum(kind.share for kind in KINDS)
    assert all(abs(counts[k.name] - 1200 * k.share / total) < 3 for k in KINDS)


def test_a_folder_with_signs_that_uris_use(tmp_path: Path):
    from core.sources.reading import read_bytes
    from core.sources.uri import join

    folder = tmp_path / "50% #2"
    draw_sample(folder, n=1, seed=0)
    source = SampleSource(folder)
    (ref,) = source.refs()
    assert read_bytes(join(source.root, ref.inner)) == (folder / ref.inner).read_bytes()
