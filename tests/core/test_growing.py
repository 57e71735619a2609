"""Growing a label: the nearest come first, what is turned down stays away, a person stops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core import labels
from core.errors import NotFoundError
from core.growing import Growing
from core.labels import Decision
from core.library import Library, View
from core.settings import Settings
from tests.core.prepared import UNLABELLED as N
from tests.core.prepared import unlabelled


@pytest.fixture
def settings(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(workspace=unlabelled(tmp_path_factory, tmp_path / "workspace"))


@pytest.fixture
def view(library: Library) -> View:
    return library.vectors(library.catalogue.collection("run"))


def validated(library: Library, view: View) -> dict[str, str | None]:
    found = labels.current(library.catalogue, view.collection.uid)
    return {id: said.label for id, said in found.items() if said.status == "validated"}


def nearest_to(view: View, rows: list[int]) -> list[str]:
    """Every image by similarity to the mean of some, the independent way."""
    vectors = np.asarray(view.snapshot.vectors, dtype=np.float64)
    towards = vectors[rows].mean(axis=0)
    order = np.argsort(-(vectors @ towards), kind="stable")
    return [view.snapshot.ids[row] for row in order]


def test_the_set_itself_comes_first_and_then_the_nearest(library: Library, view: View):
    seeds = view.snapshot.ids[:2]
    growing = Growing(library, view, seeds)
    assert growing.label is None
    first = growing.screen("grow", 6)
    assert first.ids[:2] == seeds
    assert first.why == (
        "2 images you began from, which nobody has decided on yet, and the nearest to them."
    )
    expected = [id for id in nearest_to(view, [0, 1]) if id not in seeds]
    assert first.ids[2:] == expected[:4]
    growing.accept(first, "Chain", {}, by="Ada")
    assert validated(library, view) == dict.fromkeys(first.ids, "Chain")
    second = growing.screen("grow", 6)
    assert second.label == growing.label == "Chain"
    rows = [view.snapshot.ids.index(id) for id in first.ids]
    expected = [id for id in nearest_to(view, rows) if id not in first.ids]
    assert second.ids == expected[:6]
    assert growing.account().decided == 6


def test_what_is_turned_down_stays_away_and_tells_when_to_stop(library: Library, view: View):
    growing = Growing(library, view, view.snapshot.ids[:1])
    shown: list[str] = []
    for _ in range(3):
        screen = growing.screen("grow", 8)
        assert not set(screen.ids) & set(shown)
        shown += screen.ids
        wrong = dict.fromkeys(screen.ids[3:6]) | dict.fromkeys(screen.ids[6:], "Fibre")
        assert growing.stop_hint is None or len(shown) > 16
        growing.accept(screen, "Chain", wrong, by="Ada")
    assert growing.stop_hint == "10 of the last 16 were rejected: the group probably ends here."
    said = validated(library, view)
    assert sorted(said.values()) == ["Chain"] * 9 + ["Fibre"] * 6
    assert len(growing.turned_down) == 15 and len(growing.members) == 9
    growing.undo(by="Ada")
    assert len(growing.turned_down) == 10 and len(growing.members) == 6
    assert set(growing.screen("grow", 8).ids) == set(shown[16:])  # they are asked again


def test_it_grows_from_labelled_images_by_their_label(library: Library, view: View):
    uid, ids = view.collection.uid, view.snapshot.ids
    labels.record(library.catalogue, uid, [Decision(id, "Chain") for id in ids[:2]], by="Ada")
    labels.record(library.catalogue, uid, [Decision(ids[2], "Other")], by="Ada")
    growing = Growing(library, view, [*ids[:3], "gone"])
    assert growing.label == "Chain"
    screen = growing.screen("grow", 5)
    assert not set(screen.ids) & set(ids[:3])
    assert screen.why == "The nearest to the 3 images you have."
    assert dict(screen.likeliest[0]).keys() == {"Chain", "Other"}


def test_until_nothing_is_left(library: Library, view: View):
    growing = Growing(library, view, view.snapshot.ids[:1])
    for _ in range(N):
        screen = growing.screen("grow", 60)
        if not screen.ids:
            break
        growing.accept(screen, "All", {}, by="Ada")
    assert len(validated(library, view)) == N
    assert screen.why == "Nothing undecided is left to show."


def test_a_seed_that_is_turned_down_is_none_any_more(library: Library, view: View):
    seeds = view.snapshot.ids[:2]
    growing = Growing(library, view, seeds)
    growing.accept(growing.screen("grow", 2), "Chain", {seeds[0]: None}, by="Ada")
    assert growing.members == seeds[1:]
    assert growing.turned_down == seeds[:1]
    growing.accept(growing.screen("grow", 3), "Chain", {}, by="Ada")


def test_nothing_to_grow_from(library: Library, view: View):
    with pytest.raises(NotFoundError, match="none of the 1 images to grow from is in this"):
        Growing(library, view, ["gone"])
