"""A round of labelling: what is accepted is on disk, what others decided stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from core import labels, rounds
from core.errors import RangeError
from core.labels import Decision
from core.library import Library, View
from core.rounds import Round
from core.settings import Settings
from tests.core.prepared import UNLABELLED as N
from tests.core.prepared import unlabelled


@pytest.fixture
def settings(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(workspace=unlabelled(tmp_path_factory, tmp_path / "workspace"))


@pytest.fixture
def view(library: Library) -> View:
    return library.vectors(library.catalogue.collection("run"))


def current(library: Library, view: View) -> dict[str, tuple[str | None, str]]:
    """What is validated, and by whom."""
    found = labels.current(library.catalogue, view.collection.uid)
    return {id: (s.label, s.by) for id, s in found.items() if s.status == "validated"}


def test_the_first_screen_is_named_and_on_disk(library: Library, view: View):
    round_ = Round(library, view)
    screen = round_.screen("sure", 8)
    assert screen.label is None and len(screen.ids) == 8
    first, second, *rest = screen.ids
    taken = round_.accept(screen, "Copepod", {first: "Dust", second: None}, by="Ada")
    assert taken.labelled == 7 and not taken.conflicts
    expected = {first: ("Dust", "Ada"), **dict.fromkeys(rest, ("Copepod", "Ada"))}
    assert current(library, view) == expected
    uid = view.collection.uid
    assert labels.turned_down(library.catalogue, uid) == {second: {"Copepod"}}
    (event,) = labels.history(library.catalogue, view.collection.uid, first)
    assert (event["how"], event["action"]) == ("suggestion", taken.action)
    assert event["reason"] == "corrected from Copepod"
    (event,) = labels.history(library.catalogue, view.collection.uid, rest[0])
    assert event["reason"] == screen.why
    account = round_.account()
    assert (account.decided, account.left, account.actions) == (7, N - 7, 3)

    again = round_.screen("sure", N)
    assert not set(again.ids) & set(screen.ids)  # what was sent back comes last
    assert round_.vocabulary == ["Copepod", "Dust"]


def test_a_screen_shows_what_it_was_concluded_from(library: Library, view: View):
    round_ = Round(library, view)
    first = round_.screen("sure", 12)
    assert round_.evidence(first, 5) == []
    round_.accept(first, "Copepod", {}, by="Ada")
    second = round_.screen("sure", 6)
    assert second.label == "Copepod"
    found = round_.evidence(second, 5)
    assert 0 < len(found) <= 5 and set(found) <= set(first.ids)


def test_a_screen_is_taken_back_whole(library: Library, view: View):
    round_ = Round(library, view)
    screen = round_.screen("sure", 5)
    round_.accept(screen, "Copepod", {}, by="Ada")
    undone = round_.undo(by="Ada")
    assert set(undone.restored) == set(screen.ids) and not undone.decided_since
    assert current(library, view) == {}
    assert round_.account().decided == 0 and not round_.undoable
    with pytest.raises(RangeError, match="no screen to take back"):
        round_.undo(by="Ada")
    assert set(round_.screen("sure", N).ids) >= set(screen.ids)


def test_what_somebody_else_decided_meanwhile_stays(library: Library, view: View):
    round_ = Round(library, view)
    screen = round_.screen("sure", 6)
    theirs = screen.ids[2]
    uid = view.collection.uid
    labels.record(library.catalogue, uid, [Decision(theirs, "Ciliate")], by="Bo")
    taken = round_.accept(screen, "Copepod", {}, by="Ada")
    (since,) = taken.conflicts
    assert (since.image, since.label, since.by) == (theirs, "Ciliate", "Bo")
    assert taken.labelled == 5
    assert current(library, view)[theirs] == ("Ciliate", "Bo")
    labels.record(library.catalogue, uid, [Decision(id, "x") for id in view.snapshot.ids], by="Bo")
    assert round_.screen("sure", 6).ids == []  # seen at the next screen


def test_predictions_are_still_to_be_decided(library: Library, view: View):
    said = [Decision(id, "guess", "predicted") for id in view.snapshot.ids]
    labels.record(library.catalogue, view.collection.uid, said, by="model")
    round_ = Round(library, view)
    screen = round_.screen("sure", N)
    assert len(screen.ids) == N
    assert round_.accept(screen, "Copepod", {}, by="Ada").labelled == N


def test_every_image_is_asked_until_none_is_left(library: Library, view: View):
    round_ = Round(library, view)
    truth = {id: id.split("/")[1] for id in view.snapshot.ids}
    for _ in range(200):
        screen = round_.screen("sure", 8)
        if not screen.ids:
            break
        label = screen.label or truth[screen.ids[0]]
        given = {id: truth[id] for id in screen.ids if truth[id] != label}
        round_.accept(screen, label, given, by="Ada")
    assert {id: label for id, (label, _) in current(library, view).items()} == truth
    account = round_.account()
    assert (account.decided, account.left) == (N, 0)
    assert account.checked == account.agreed


def test_an_image_that_was_deleted_is_on_no_screen(library: Library, view: View):
    round_ = Round(library, view)
    gone = round_.screen("sure", 8).ids[:5]
    library.catalogue.remove_images(view.collection.uid, gone)
    again = round_.screen("sure", 8)
    assert len(again.ids) == 8 and not set(again.ids) & set(gone)
    assert round_.account().left == N - 5
    library.catalogue.remove_images(view.collection.uid, view.snapshot.ids)
    assert round_.screen("sure", 8).ids == []


def test_a_disagreement_with_oneself_is_counted_and_kept(
    library: Library, view: View, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rounds, "CHECK_EVERY", 1)
    round_ = Round(library, view)
    first = round_.screen("sure", 12)
    round_.accept(first, "Copepod", {}, by="Ada")
    second = round_.screen("sure", 6)
    assert second.label == "Copepod"
    again = [id for id in second.ids if id in first.ids]
    assert len(again) == 3
    round_.accept(second, "Copepod", {again[0]: "Dust"}, by="Ada")
    account = round_.account()
    assert (account.checked, account.agreed) == (3, 2)
    assert current(library, view)[again[0]] == ("Dust", "Ada")


def test_what_was_accepted_and_is_sent_back_later_is_open_again(
    library: Library, view: View, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rounds, "CHECK_EVERY", 1)
    round_ = Round(library, view)
    first = round_.screen("sure", 12)
    round_.accept(first, "Copepod", {}, by="Ada")
    second = round_.screen("sure", 6)
    again = next(id for id in second.ids if id in first.ids)
    round_.accept(second, "Copepod", {again: None}, by="Ada")
    assert again not in current(library, view)
    assert labels.turned_down(library.catalogue, view.collection.uid) == {again: {"Copepod"}}
    round_.undo(by="Ada")
    assert current(library, view)[again] == ("Copepod", "Ada")


def test_who_sends_back_what_somebody_else_decided_is_told(library: Library, view: View):
    round_ = Round(library, view)
    screen = round_.screen("sure", 6)
    uid = view.collection.uid
    labels.record(library.catalogue, uid, [Decision(screen.ids[0], "Ciliate")], by="Bo")
    taken = round_.accept(screen, "Copepod", {screen.ids[0]: None}, by="Ada")
    assert [since.image for since in taken.conflicts] == [screen.ids[0]]
    assert current(library, view)[screen.ids[0]] == ("Ciliate", "Bo")


def test_a_practice_round_scores_and_writes_nothing(library: Library, view: View):
    truth = {id: id.split("/")[1] for id in view.snapshot.ids}
    said = [Decision(id, label) for id, label in truth.items()]
    labels.record(library.catalogue, view.collection.uid, said, by="import")
    before = labels.revision(library.catalogue, view.collection.uid)
    assert Round(library, view).screen("sure", 8).ids == []  # nothing is left to decide
    round_ = Round(library, view, practice=True)
    right = 0
    while (screen := round_.screen("sure", 8)).ids:
        wrong = screen.ids[0]
        label = screen.label or "a"
        given = {id: truth[id] for id in screen.ids[1:] if truth[id] != label}
        right += sum(truth[id] == label for id in screen.ids[:1]) + len(screen.ids) - 1
        round_.accept(screen, label, given, by="Ada")
        assert wrong in screen.ids
    account = round_.account()
    assert account.left == 0
    assert account.decided == N - round(rounds.PRACTICE_GIVEN * N)
    assert account.right is not None and 0 < account.right <= account.decided
    assert labels.revision(library.catalogue, view.collection.uid) == before


def test_long_suggestions_are_made_anew_beside_what_goes_on(
    library: Library, view: View, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rounds, "RENEWED_AT_ONCE", 0)
    held = Event()
    with ThreadPoolExecutor(1) as beside:
        round_ = Round(library, view, beside=beside)
        screen = round_.screen("sure", 8)  # the first has nothing to go by meanwhile
        round_.accept(screen, "Copepod", {}, by="Ada")
        waiting = beside.submit(held.wait, 60)
        again = round_.screen("sure", 8)  # does not wait for the thread that is held
        assert again.label is None and not set(again.ids) & set(screen.ids)
        round_.accept(again, "Dust", {}, by="Ada")
        held.set()
        assert waiting.result()
        beside.submit(int).result()  # what was asked before it is done
        assert round_.suggestions.labelled == 8  # and the second screen is taken account of next
        beside.submit(int).result()
        assert round_.suggestions.labelled == 16


def test_suggestions_are_made_once_for_the_same_labels(library: Library, view: View):
    round_ = Round(library, view)
    first = round_.screen("sure", 8)
    round_.accept(first, "Copepod", {}, by="Ada")
    round_.screen("sure", 8)
    made, again = round_.suggestions, Round(library, view)
    again.screen("sure", 8)
    assert again.suggestions is made
    again.accept(again.screen("sure", 8), "Dust", {}, by="Bo")
    later = Round(library, view)
    later.screen("sure", 8)
    assert later.suggestions is not made and later.suggestions.labelled == 16


def test_nonsense_is_refused(library: Library, view: View):
    round_ = Round(library, view)
    screen = round_.screen("sure", 4)
    with pytest.raises(RangeError, match="no label"):
        round_.accept(screen, " ", {}, by="Ada")
    with pytest.raises(RangeError, match="nobody says so"):
        round_.accept(screen, "Copepod", {}, by="")
    with pytest.raises(RangeError, match="not on the screen"):
        round_.accept(screen, "Copepod", {"run/x.png": None}, by="Ada")
    assert current(library, view) == {}
