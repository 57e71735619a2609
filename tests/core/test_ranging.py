"""Deep pictures are encoded and shown on one scale, their collection's."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from core import doctor, matching, sheets
from core.errors import ImageError, RangeError
from core.images import decode_image, deep_values
from core.indexing import IndexReport, index
from core.library import Library
from core.preparing import thumbnail_path
from core.progress import nobody
from core.ranging import LEVELS, choose, value_range_of
from core.sampling import _Apart, sampled
from tests.core.conftest import Command

DARK, BACK = 96, 400
"""What a camera says in the dark, and the water behind an organism."""


def organism(bright: int, *, side: int = 48, seed: int = 0) -> np.ndarray:
    """A disc on dark water, with a camera's noise: 12 bits in 16."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side / 2
    clean = np.where(x**2 + y**2 < (side / 3) ** 2, bright, BACK)
    return np.clip(np.rint(clean + rng.normal(0, 4, clean.shape)), 0, 4095).astype(np.uint16)


def noise(side: int = 48) -> np.ndarray:
    """The lens is covered."""
    rng = np.random.default_rng(9)
    return np.rint(DARK + rng.normal(0, 3, (side, side))).astype(np.uint16)


def save(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, values, photometric="minisblack")
    else:
        Image.fromarray(values).save(path)
    return path


def run16(root: Path, *, images: int = 12, kind: str = "png") -> Path:
    """Dim and bright organisms, and one picture taken in the dark."""
    for n in range(images):
        save(root / f"{n:02d}.{kind}", organism(900 if n % 2 else 3000, seed=n))
    save(root / f"black.{kind}", noise())
    return root


def shown(library: Library, id: str, collection: str = "deep") -> np.ndarray:
    """An image as its thumbnail has it, which holds 8 bits and nearly no loss."""
    uid = library.catalogue.collection(collection).uid
    image = library.catalogue.image(uid, id)
    path = thumbnail_path(library.workspace.thumbnails(uid), image.content_hash)
    return decode_image(path.read_bytes(), name=id)[:, :, 0].astype(int)


def stored(library: Library, collection: str = "deep") -> tuple[float, float] | None:
    return value_range_of(library.catalogue.collection(collection).options)


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_dim_and_bright_keep_their_relation_and_black_stays_black(
    library: Library, tmp_path: Path, kind: str
):
    done = index(library, collection="deep", source=str(run16(tmp_path / "run", kind=kind)))
    assert done.indexed == 13 and not done.skipped
    assert done.value_range is not None and done.value_range == stored(library)
    low, high = done.value_range
    assert DARK - 20 < low < BACK and 2950 < high < 3100
    bright, dim = (shown(library, f"run/{n:02d}.{kind}")[24, 24] for n in (0, 1))
    assert bright > 230 and dim == pytest.approx((900 - low) * 255 / (high - low), abs=6)
    assert shown(library, f"run/black.{kind}").max() < 12
    options = library.catalogue.collection("deep").options
    assert options["value_range_from"]["images"] == 13
    assert any(f"{low:,g} (black)" in note for note in done.notes)


def test_the_scale_is_chosen_once(library: Library, tmp_path: Path):
    root = run16(tmp_path / "run")
    first = index(library, collection="deep", source=str(root)).value_range
    before = shown(library, "run/00.png")
    save(root / "later.png", organism(4095) * 16)
    again = index(library, collection="deep", source=str(root))
    assert (again.indexed, again.value_range) == (1, first)
    assert index(library, collection="deep", again=True).value_range == first
    assert (shown(library, "run/00.png") == before).all()
    assert shown(library, "run/later.png")[24, 24] > 250


def test_one_blinded_and_one_covered_lens_among_many_move_nothing(tmp_path: Path):
    uris = [str(save(tmp_path / f"{n}.png", organism(1000, side=16, seed=n))) for n in range(100)]
    usual = choose(uris).value_range
    assert usual is not None
    uris[7] = str(save(tmp_path / "white.png", np.full((16, 16), 65535, np.uint16)))
    uris[8] = str(save(tmp_path / "black.png", np.zeros((16, 16), np.uint16)))
    assert choose(uris).value_range == pytest.approx(usual, abs=12)


def test_every_picture_counts_alike_however_large(tmp_path: Path):
    small = [save(tmp_path / f"{n}.png", organism(3000, side=12, seed=n)) for n in range(9)]
    large = save(tmp_path / "large.png", np.full((900, 900), 200, np.uint16))
    _, high = choose([str(path) for path in (*small, large)]).value_range or (0, 0)
    assert high == pytest.approx(3010, abs=20)


def test_eight_bits_are_untouched_beside_deep_ones(library: Library, tmp_path: Path):
    root = run16(tmp_path / "run", images=3)
    ramp = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None], 64, axis=0)
    save(root / "ramp.png", ramp)
    assert index(library, collection="deep", source=str(root)).value_range is not None
    assert np.abs(shown(library, "run/ramp.png") - ramp).max() <= 3


def test_eight_bits_alone_need_no_scale_and_leave_it_open(library: Library, tmp_path: Path):
    save(tmp_path / "run" / "a.png", np.full((20, 20), 9, np.uint8))
    first = index(library, collection="deep", source=str(tmp_path / "run"))
    assert first.value_range is None and first.notes == []
    assert first.as_json()["value_range"] is None
    run16(tmp_path / "run")
    assert index(library, collection="deep", source=str(tmp_path / "run")).value_range is not None


@pytest.mark.parametrize("level", [0, 30000])
def test_without_any_contrast_the_stated_depth_is_taken(
    library: Library, tmp_path: Path, level: int
):
    for n in range(3):
        save(tmp_path / "run" / f"{n}.png", np.full((20, 20), level, np.uint16))
    done = index(library, collection="deep", source=str(tmp_path / "run"))
    assert done.value_range is None and "one colour" in done.notes[0]
    assert shown(library, "run/0.png").max() == pytest.approx(level / 257, abs=2)


def test_noise_alone_is_not_drawn_out(tmp_path: Path):
    found = choose([str(save(tmp_path / "dark.png", noise()))]).value_range
    assert found is not None and found[1] - found[0] == LEVELS


def test_floats_have_a_scale_too_and_none_with_integers(tmp_path: Path):
    floats = [
        str(save(tmp_path / f"{n}.tif", (organism(2000, seed=n) / 4095).astype(np.float32)))
        for n in range(4)
    ]
    low, high = choose(floats).value_range or (0, 0)
    assert 0.05 < low < 0.11 and high == pytest.approx(2010 / 4095, abs=0.01)
    whole = [str(save(tmp_path / f"{n}.png", organism(2000, seed=n))) for n in range(4)]
    mixed = choose([*floats, *whole])
    assert mixed.value_range is None and "integers and floats" in str(mixed.note)


def test_what_cannot_be_read_is_left_to_the_run(library: Library, tmp_path: Path):
    root = run16(tmp_path / "run")
    (root / "cut.png").write_bytes((root / "00.png").read_bytes()[:400])
    (root / "gone.png").symlink_to(tmp_path / "nowhere.png")
    done = index(library, collection="deep", source=str(root))
    assert done.value_range is not None and done.indexed == 13
    assert "cut off" in " ".join(s.reason for s in done.skipped)


def test_particles_of_a_deep_collage_and_members_of_a_zip(tmp_path: Path):
    collage = np.full((60, 100), 60000, np.uint16)
    collage[:48, :48] = organism(3000)
    path = save(tmp_path / "collage.tif", collage)
    low, high = choose([f"{path}#xywh=0,0,48,48"]).value_range or (0, 0)
    assert 300 < low < 420 and high < 3100
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
        archive.write(save(tmp_path / "a.png", organism(3000)), "a.png")
    assert (choose([f"{tmp_path / 'run.zip'}#a.png"]).value_range or (0, 0))[1] < 3100


def test_a_person_may_say_it_on_the_first_run(library: Library, tmp_path: Path):
    root = str(run16(tmp_path / "run"))
    done = index(library, collection="deep", source=root, value_range=(0, 4095))
    assert done.value_range == stored(library) == (0, 4095)
    assert shown(library, "run/00.png")[24, 24] == pytest.approx(3000 * 255 / 4095, abs=4)
    index(library, collection="deep", source=root, value_range=(0, 4095))
    with pytest.raises(RangeError, match=r"encoded with the range 0 to 4095, and 5 to 90 came"):
        index(library, collection="deep", source=root, value_range=(5, 90))
    with pytest.raises(RangeError, match="the lower first"):
        index(library, collection="other", source=root, value_range=(90, 5))
    assert [c.name for c in library.catalogue.collections()] == ["deep"]


def test_a_person_may_say_another_when_all_is_encoded_again(library: Library, tmp_path: Path):
    """The first few pictures may have been of the dark."""
    root = tmp_path / "run"
    save(root / "black.png", noise())
    low, high = index(library, collection="deep", source=str(root)).value_range or (0, 0)
    assert high - low < 300
    run16(root)
    assert index(library, collection="deep", source=str(root)).value_range == (low, high)
    burnt = shown(library, "run/01.png")[24, 24]
    with pytest.raises(RangeError, match="leave out --value-range, or encode all --again"):
        index(library, collection="deep", source=str(root), value_range=(0, 4095))
    done = index(library, collection="deep", again=True, value_range=(0, 4095))
    assert done.value_range == stored(library) == (0, 4095)
    assert burnt == 255 and shown(library, "run/01.png")[24, 24] < 100
    assert doctor.examine(library) == {"ok": True, "problems": []}
    other = {"collection": "deep", "encoder": "timm:test_resnet/random"}
    for said in (other, {"collection": "deep"}):  # one would keep what it made of the other scale
        with pytest.raises(RangeError, match="or index into another --collection"):
            index(library, again=True, value_range=(5, 90), **said)
        index(library, **other)


def test_a_collection_older_than_ranges_keeps_its_stated_depth(library: Library, tmp_path: Path):
    root = run16(tmp_path / "run")
    index(library, collection="deep", source=str(root))
    uid = library.catalogue.collection("deep").uid
    library.catalogue.set_options(uid, {})
    save(root / "later.png", organism(2000))
    assert index(library, collection="deep", source=str(root)).value_range is None
    with pytest.raises(RangeError, match="each picture's stated depth"):
        index(library, collection="deep", source=str(root), value_range=(0, 4095))
    dark = shown(library, "run/later.png").max()
    done = index(library, collection="deep", again=True)
    assert done.value_range is not None and stored(library) == done.value_range
    assert dark < 12 and shown(library, "run/later.png").max() > 100
    assert doctor.examine(library) == {"ok": True, "problems": []}


def test_uploads_sheets_and_doctor_see_the_same_scale(library: Library, tmp_path: Path):
    root = run16(tmp_path / "run")
    index(library, collection="deep", source=str(root))
    collection = library.catalogue.collection("deep")
    view = library.vectors(collection)
    upload = (root / "03.png").read_bytes()
    result = matching.similar_to_image(library, view, upload, name="03.png", k=1)
    assert result.matches[0].image.id == "run/03.png"
    assert result.matches[0].distance == pytest.approx(0, abs=1e-6)
    picture = sheets.as_png(upload, name="03.png", value_range=stored(library))
    assert decode_image(picture, name="03.png")[24, 24, 0] > 40
    image = library.catalogue.image(collection.uid, "run/00.png")
    path = thumbnail_path(library.workspace.thumbnails(collection.uid), image.content_hash)
    path.unlink()
    assert sheets.picture_of(library, collection.uid, image, side=48)[24, 24, 0] > 230
    mended = doctor.examine(library, repair=True)
    assert mended["ok"] and mended["repaired"] == ["deep: 1 thumbnails were missing"]
    assert shown(library, "run/00.png")[24, 24] > 230


@pytest.mark.slow
def test_the_command_line_says_and_takes_a_range(command: Command, tmp_path: Path):
    root = str(run16(tmp_path / "run", images=4))
    options = ("index", root, "--collection", "deep", "--value-range", "100", "3000", "--json")
    assert json.loads(command(*options).stdout)["value_range"] == [100.0, 3000.0]
    refused = command(*options[:5], "1", "2")
    assert refused.returncode == 2 and "--value-range" in refused.stderr and not refused.stdout


def test_report_without_a_range():
    assert IndexReport().as_json()["value_range"] is None


def deep(values: np.ndarray, **how: object) -> np.ndarray | None:
    out = io.BytesIO()
    tifffile.imwrite(out, values, **how)
    return deep_values(out.getvalue(), name="x")


def test_deep_values_are_those_of_the_file():
    for kind in (np.uint16, np.int16, np.uint32, np.float32, np.float64):
        values = np.array([[0, 5, 30000], [1, 2, 3]], kind)
        found = deep(values, photometric="minisblack")
        assert found is not None and found.tolist() == values.tolist()
    colours = np.arange(36, dtype=np.uint16).reshape(3, 4, 3) * 1000
    found = deep(colours, photometric="rgb")
    assert found is not None and found.tolist() == colours.tolist()
    alpha = np.arange(24, dtype=np.uint16).reshape(3, 4, 2)
    found = deep(alpha, photometric="minisblack", extrasamples=["unassalpha"])
    assert found is not None and found.tolist() == alpha[:, :, 0].tolist()


def test_eight_bits_have_no_deep_values():
    assert deep(np.zeros((3, 4), np.uint8), photometric="minisblack") is None
    assert deep(np.zeros((3, 4, 3), np.uint8), photometric="rgb") is None
    for kind in ("PNG", "JPEG", "GIF", "BMP"):
        out = io.BytesIO()
        Image.new("L", (4, 4)).save(out, kind)
        assert deep_values(out.getvalue(), name="x") is None
    with pytest.raises(ImageError, match="is empty"):
        deep_values(b"", name="x")
    with pytest.raises(ImageError, match="looks like text"):
        deep_values(b"hello", name="x")


def test_a_range_is_not_for_a_tiff_of_few_bits():
    values = np.array([[True, False, True, False]] * 4)
    out = io.BytesIO()
    tifffile.imwrite(out, values, photometric="minisblack")
    read = decode_image(out.getvalue(), name="x", value_range=(0, 4095))
    assert read[0, :, 0].tolist() == [255, 0, 255, 0]


def test_a_file_that_takes_its_reader_down_costs_that_file_only(tmp_path: Path):
    path = save(tmp_path / "a.png", organism(3000))
    with _Apart(True) as apart:
        assert apart.look(str(path), path.read_bytes()) is not None
        process = apart._process
        assert process is not None
        process.kill()
        process.join()
        assert apart.look(str(path), path.read_bytes()) is None
        assert apart.look(str(path), path.read_bytes()) is not None


def test_many_pictures_are_sampled_alike_apart_and_here(tmp_path: Path):
    uris = [str(save(tmp_path / f"{n}.tif", organism(3000, side=12, seed=n))) for n in range(40)]
    apart = [look[1].sum() for look in sampled(uris, nobody) if look]
    here = [look[1].sum() for look in sampled(uris[:20], nobody) if look]
    assert len(apart) == 40 and len(here) == 20 and set(here) <= set(apart)


def test_of_many_deep_pictures_some_are_read_and_of_few_all(tmp_path: Path, monkeypatch):
    from core import sampling

    monkeypatch.setattr(sampling, "SAMPLE", 5)
    monkeypatch.setattr(sampling, "LOOKED_AT", 30)
    deep = [str(save(tmp_path / f"{n}.png", organism(3000, side=12, seed=n))) for n in range(8)]
    plain = [str(save(tmp_path / f"p{n}.png", np.zeros((9, 9), np.uint8))) for n in range(40)]
    assert len(list(sampled(deep, nobody))) == 5
    assert len(list(sampled(plain, nobody))) == 30
    assert len(list(sampled(deep[:3], nobody))) == 3
