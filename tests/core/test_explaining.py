"""Why two images are alike, in words a person reads."""

import numpy as np
import pytest

from core.errors import EncoderError
from core.explaining import comparison
from core.images import encode_png
from core.indexing import index


@pytest.fixture
def discs(tmp_path):
    """Pale discs on black, of three sizes, and a bar."""
    folder = tmp_path / "discs"
    folder.mkdir()
    y, x = np.mgrid[:96, :96] - 48
    shapes = {f"disc{r}": x**2 + y**2 <= r**2 for r in (10, 11, 30)}
    shapes["bar"] = (np.abs(x) <= 40) & (np.abs(y) <= 4)
    for name, inside in shapes.items():
        picture = np.where(inside[..., None], 200, 10).astype(np.uint8).repeat(3, axis=2)
        (folder / f"{name}.png").write_bytes(encode_png(picture))
    return folder


def images_of(library, discs):
    index(library, collection="discs", source=str(discs))
    view = library.vectors(library.catalogue.collection("discs"))
    images = {i.id.split("/")[-1]: i for i in library.catalogue.images(view.collection.uid)}
    return view, images


def test_two_discs_of_a_size_agree_and_a_bar_differs(library, discs):
    view, images = images_of(library, discs)
    alike, differ = comparison(library, view, images["disc10.png"], images["disc11.png"])
    assert len(alike) > len(differ)
    _, differ = comparison(library, view, images["disc10.png"], images["bar.png"])
    assert "aspect ratio" in " ".join(c.name for c in differ)


def test_sizes_are_told_in_their_unit(library, discs):
    view, images = images_of(library, discs)
    alike, differ = comparison(library, view, images["disc10.png"], images["disc30.png"])
    by_name = {c.name: c for c in alike + differ}
    size = next(c for name, c in by_name.items() if "diameter" in name.lower() or "ESD" in name)
    assert size.a_text.endswith("px")
    small, large = (float(t.split()[0].replace(",", "")) for t in (size.a_text, size.b_text))
    assert large == pytest.approx(3 * small, rel=0.1)


def test_an_image_agrees_with_itself_in_everything(library, discs):
    view, images = images_of(library, discs)
    alike, differ = comparison(library, view, images["bar.png"], images["bar.png"])
    assert alike
    assert not differ


def test_other_encoders_say_that_they_cannot(library, discs):
    from dataclasses import replace

    view, images = images_of(library, discs)
    other = replace(view, encoding=replace(view.encoding, encoder="timm:x"))
    with pytest.raises(EncoderError, match="descriptors can"):
        comparison(library, other, images["bar.png"], images["bar.png"])
