"""Looking again at what a filter drops: which images come, what answers say, at any threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.auditing import estimate
from core.outcome import Screened
from core.screen import Screen
from core.screen_audit import audited
from tests.core.test_screens import screen_of


def unlabelled(n: int = 400) -> Screen:
    """A filter at 0.5 beside n images without a label, spread evenly over scores."""
    screen = screen_of()
    ids = [f"new/{i:04d}" for i in range(n)]
    none = np.full(n, -1, np.int32)
    s = screen.screened
    both = Screened(
        ids=[*s.ids, *ids],
        score=np.concatenate([s.score, np.linspace(0, 1, n)]),
        unfamiliar=np.concatenate([s.unfamiliar, np.zeros(n, bool)]),
        truth=np.concatenate([np.maximum(s.truth, 0), np.full(n, -1, np.int8)]),
        kind=np.concatenate([s.kind, none]),
        kinds=s.kinds,
        sample=np.concatenate([s.sample, none]),
        samples=s.samples,
        size_bytes=np.concatenate([s.size_bytes, np.full(n, np.nan)]),
        effect=s.effect,
        validated_by=s.validated_by,
    )
    return replace(screen, screened=both, threshold=0.5, target=0.9)


def test_answers_are_counted_by_hand():
    screen = unlabelled()
    labelled = {id for id, truth in zip(screen.screened.ids, screen.screened.truth, strict=True)
                if truth >= 0}  # fmt: skip
    first = audited(screen, {}, seed=0)
    assert first.lost is None and first.recall is None and first.holds(0.9) is None
    assert first.dropped == len(first.ahead) == 200 and not labelled & set(first.ahead)
    assert set(first.ahead) == {f"new/{i:04d}" for i in range(200)}
    assert audited(screen, {}, seed=1).ahead != first.ahead
    answers: dict[str, bool | None] = dict.fromkeys(first.ahead[:40], False)
    answers |= {first.ahead[3]: True, first.ahead[7]: True, first.ahead[9]: None}
    now = audited(screen, answers, seed=0)
    assert (now.wanted, now.unsure, now.ahead) == (2, 1, first.ahead[40:])
    assert now.lost == estimate(2, 39, 200)
    kept = float(np.linspace(0, 1, 400)[200:].sum())
    assert now.recall is not None
    assert now.recall[0] == pytest.approx(kept / (kept + 200 * 2 / 39))
    assert now.recall[1] == pytest.approx(kept / (kept + 200 * now.lost.high))


def test_whether_the_target_holds():
    screen = unlabelled()
    order = audited(screen, {}, seed=0).ahead
    few: dict[str, bool | None] = dict.fromkeys(order[:5], False)
    assert audited(screen, few, seed=0).holds(0.9) == "doubt"
    assert audited(screen, dict.fromkeys(order, False), seed=0).holds(0.9) == "yes"
    assert audited(screen, dict.fromkeys(order, True), seed=0).holds(0.9) == "no"


@pytest.mark.parametrize("moved", [0.3, 0.7])
def test_answers_given_at_one_threshold_are_a_fair_sample_at_another(moved: float):
    """Wanted images are the likelier the higher they score, so a wrong sample would show."""
    inside, shares, true = 0, [], []
    for seed in range(120):
        screen = unlabelled()
        rng = np.random.default_rng(seed)
        s = screen.screened
        truth = {id: bool(rng.random() < p) for id, p in zip(s.ids, s.score, strict=True)}
        answers: dict[str, bool | None] = {}
        for threshold in (0.5, moved):
            screen = replace(screen, threshold=threshold)
            for id in audited(screen, answers, seed=seed).ahead[:40]:
                answers[id] = truth[id]
        now = audited(screen, answers, seed=seed)
        assert now.lost is not None
        share = np.mean([truth[f"new/{i:04d}"] for i in range(now.dropped)])
        inside += now.lost.low <= share <= now.lost.high
        shares.append(now.lost.share)
        true.append(share)
    assert inside >= 0.91 * 120
    assert np.mean(shares) == pytest.approx(np.mean(true), abs=0.02)
