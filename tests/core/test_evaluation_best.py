"""Which encoder to take, and which images to label first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core import labels
from core.errors import RangeError
from core.evaluation.best import Best, best, difference
from core.evaluation.figures import Figure
from core.evaluation.first_labels import first_labels
from core.evaluation.storing import Evaluation
from core.labels import Decision
from core.library import Library
from core.settings import Settings
from tests.core.prepared import UNLABELLED, unlabelled


def compared(
    values: dict[str, float | None], real: dict[tuple[str, str], bool], figure: str
) -> dict[str, Any]:
    """What ``evaluate --json`` would print, so far as it is looked at."""
    names = ("precision_at_24", "precision_at_5", "precision_at_1", "knn_accuracy",
             "linear_probe_accuracy")  # fmt: skip
    rows = [
        {"encoder": name, **{f: {"value": value if f == figure else None} for f in names}}
        for name, value in values.items()
    ]
    pairs = [
        {"encoders": list(pair), "differences": {
            figure: {"value": 0.1, "ci95": [0.05, 0.2] if sure else [-0.1, 0.3]}}}
        for pair, sure in real.items()
    ]  # fmt: skip
    return {"encoders": rows, "comparisons": pairs}


def test_the_first_is_said_to_be_better_only_where_that_is_real():
    meta = compared({"a": 0.3, "b": 0.4}, {("a", "b"): True}, "precision_at_24")
    (found,) = best(meta)
    assert found.sentence == "To browse, b is better than a by 10 points (95 %: 5 to 20)."
    meta = compared({"a": 0.3, "b": 0.4}, {("a", "b"): False}, "linear_probe_accuracy")
    (found,) = best(meta)
    assert found.sentence == "To propose labels, b comes out first, but a may be as good."


def test_of_three_all_that_may_be_as_good_are_named():
    real = {("a", "b"): True, ("a", "c"): False, ("b", "c"): True}
    (found,) = best(compared({"a": 0.5, "b": 0.1, "c": 0.45}, real, "precision_at_5"))
    assert (found.encoder, found.rivals, found.figure) == ("a", ("c",), "precision_at_5")
    real = {("b", "a"): True, ("c", "a"): True}
    (found,) = best(compared({"a": 0.5, "b": 0.1, "c": 0.4}, real, "precision_at_5"))
    assert found.sentence == (
        "To browse, a is better than all others, and than the next, c, by 10 points "
        "(95 %: 5 to 20)."
    )
    (found,) = best(compared({"a": 0.5, "b": 0.1, "c": 0.4}, {}, "precision_at_5"))
    assert found.sentence == "To browse, a comes out first, but c or b may be as good."


def test_a_lead_below_a_point_keeps_its_decimals():
    lead = Figure(0.012, 0.004, 0.02)
    found = Best("To browse", "precision_at_24", "a", (), ("b",), lead)
    assert found.sentence == "To browse, a is better than b by 1.2 points (95 %: 0.4 to 2.0)."
    found = Best("To browse", "precision_at_24", "a", (), ("b",), None)
    assert found.sentence == "To browse, a is better than b."


def test_one_encoder_or_an_unknown_figure_is_no_choice():
    assert best(compared({"a": 0.5}, {}, "precision_at_24")) == []
    assert best(compared({"a": 0.5, "b": None}, {}, "precision_at_24")) == []


def test_a_difference_is_found_whichever_was_named_first():
    meta = compared({"a": 0.3, "b": 0.4}, {("a", "b"): True}, "precision_at_24")
    assert difference(meta, "precision_at_24", "a", "b") == Figure(0.1, 0.05, 0.2)
    assert difference(meta, "precision_at_24", "b", "a") == Figure(-0.1, -0.2, -0.05)
    assert difference(meta, "knn_accuracy", "a", "b") is None
    assert difference(meta, "precision_at_24", "a", "c") is None


def test_images_whose_neighbours_are_least_shared_come_first():
    near = {"a": np.array([[1, 2], [0, 2], [0, 1]]), "b": np.array([[1, 2], [2, 3], [3, 4]])}
    rows = [{"encoder": "a"}, {"encoder": "b"}]
    found = Evaluation(["x", "y", "z"], np.array([], np.int64), [],
                       {"encoders": rows, "baselines": []}, {}, {}, near)  # fmt: skip
    assert found.least_shared("a", "b") == [("z", 0.0), ("y", 0.5), ("x", 1.0)]
    assert found.least_shared("a", "b", most=1) == [("z", 0.0)]


def test_images_to_label_first_have_no_label_and_are_different(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
):
    unlabelled(tmp_path_factory, settings.workspace)
    library = Library.open(settings)
    view = library.vectors(library.catalogue.collection("run"))
    uid = view.collection.uid
    chosen = first_labels(library, view, count=10, seed=0)
    assert len(set(chosen)) == 10
    assert chosen == first_labels(library, view, count=10, seed=0)
    labels.record(library.catalogue, uid, [Decision(id, "A") for id in chosen], by="me")
    rest = first_labels(library, view, seed=0)
    assert sorted(rest) == sorted(set(view.snapshot.ids) - set(chosen))
    assert len(rest) == UNLABELLED - 10
    labels.record(library.catalogue, uid, [Decision(id, "A") for id in rest], by="me")
    with pytest.raises(RangeError, match="every image of 'run' has a label"):
        first_labels(library, view, seed=0)
    library.close()
