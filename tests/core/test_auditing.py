"""What is really lost: intervals against every case there is, rounds, answers, drift."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

from core.auditing import audit, estimate
from core.drift import distribution_change, drift, share_change
from core.errors import RangeError, SourceError
from core.ledger import Ledger, Row
from tests.core.screen_filter import vignette

ABOUT = {"filter": "f", "source": "s"}


def write_report(to: Path, kept: int, dropped: int, *, start: int = 0, uri: str = "x.png") -> Path:
    """Kept images score 0.9 and dropped ones 0.1; continues a report that is there."""
    numbers = range(start, start + kept + dropped)
    rows = [
        Row(
            f"s/{i:04d}",
            uri,
            0.9 if i < start + kept else 0.1,
            i < start + kept,
            False,
            "r",
            "",
            0.8,
        )
        for i in numbers
    ]
    with Ledger(to, ABOUT) as ledger:
        ledger.confirm([(row, "") for row in rows])
    return to


def fill_in(table: Path, answer: dict[str, str] | str) -> list[str]:
    """Answer a round as a spreadsheet program would save it; its ids."""
    with table.open(newline="", encoding="utf-8-sig") as stream:
        lines = list(stream)
    rows = list(csv.DictReader(lines, delimiter=";" if ";" in lines[0] else ","))
    for row in rows:
        row["answer"] = answer if isinstance(answer, str) else answer.get(row["id"], "drop")
    with table.open("w", newline="", encoding="utf-8-sig") as stream:
        out = csv.DictWriter(stream, rows[0], delimiter=";")
        out.writeheader()
        out.writerows(rows)
    return [row["id"] for row in rows]


def test_counted_by_hand():
    # one image of two looked at, and wanted: the other may be or not
    found = estimate(1, 1, 2)
    assert (found.share, found.low, found.high) == (1.0, 0.5, 1.0)
    # none of 2 of 40: k wanted ones hide with chance C(40-k, 2)/C(40, 2), above 2.5 % up to k = 33
    assert estimate(0, 2, 40).high == 33 / 40
    assert math.comb(7, 2) / math.comb(40, 2) > 0.025 > math.comb(6, 2) / math.comb(40, 2)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), dropped=st.integers(1, 40))
def test_the_interval_holds_what_is_true_at_least_95_times_in_100(
    data: st.DataObject, dropped: int
):
    looked_at = data.draw(st.integers(1, dropped))
    wanted = data.draw(st.integers(0, dropped))
    chances = stats.hypergeom(dropped, wanted, looked_at)
    covered = 0.0
    for seen in range(max(0, looked_at - dropped + wanted), min(wanted, looked_at) + 1):
        found = estimate(seen, looked_at, dropped)
        assert found.low <= found.share <= found.high
        covered += chances.pmf(seen) * (found.low <= wanted / dropped <= found.high)
    assert covered >= 0.95 - 1e-9


@pytest.mark.parametrize(("wanted", "looked_at"), [(0, 60), (3, 60), (59, 60), (60, 60)])
def test_of_very_many_it_is_clopper_and_pearson(wanted: int, looked_at: int):
    expected = stats.binomtest(wanted, looked_at).proportion_ci(0.95, method="exact")
    found = estimate(wanted, looked_at, 10**7)
    assert found.low == pytest.approx(expected.low, abs=1e-4)
    assert found.high == pytest.approx(expected.high, abs=1e-4)


def test_numbers_that_cannot_be():
    with pytest.raises(RangeError, match="3 wanted of 2 looked at of 5 dropped"):
        estimate(3, 2, 5)
    with pytest.raises(RangeError, match="some looked at"):
        estimate(0, 0, 5)


def test_rounds_add_up_to_one_random_sample(tmp_path: Path):
    picture = tmp_path / "x.png"
    Image.fromarray(vignette("disc", seed=1)).save(picture)
    report = write_report(tmp_path / "r.csv", 10, 40, uri=str(picture))
    rounds = tmp_path / "rounds"
    first = audit(report, to=rounds, draw=15, seed=7)
    assert (first["lost_share"], first["ci95"], first["looked_at"]) == (None, None, 0)
    assert "nobody has looked yet" in first["why"] and first["drawn"] == 15
    wanted = {f"s/{i:04d}": "keep" for i in range(10, 50, 5)}  # 8 of the 40
    ids = fill_in(Path(first["fill_in"]), wanted)
    second = audit(report, to=rounds, draw=40, seed=7)
    found = sum(id in wanted for id in ids)
    assert second["looked_at"] == 15 and second["wanted"] == found
    assert second["lost_share"] == found / 15
    low, high = second["ci95"]
    assert low <= 8 / 40 <= high and low >= found / 40
    assert second["drawn"] == 25  # all that were left
    both = {*ids, *fill_in(Path(second["fill_in"]), wanted)}
    assert both == {f"s/{i:04d}" for i in range(10, 50)}
    last = audit(report, to=rounds, draw=5, seed=7)
    assert (last["lost_share"], last["ci95"], last["drawn"]) == (0.2, [0.2, 0.2], 0)
    assert last["lost_images"] == {"value": 8, "ci95": [8, 8]}
    assert last["recall_about"]["value"] == pytest.approx(9 / (9 + 8))  # kept ones score 0.9
    assert last["warnings"] == [] and last["rounds"] == 2
    again = audit(report, to=tmp_path / "others", draw=15, seed=7)
    assert fill_in(Path(again["fill_in"]), "") == ids  # the same seed, the same round
    other = audit(report, to=tmp_path / "more", draw=15, seed=8)
    assert set(fill_in(Path(other["fill_in"]), "")) != set(ids)


def test_every_dropped_image_is_as_likely_to_be_drawn(tmp_path: Path):
    report = write_report(tmp_path / "r.csv", 0, 12)
    counts = dict.fromkeys((f"s/{i:04d}" for i in range(12)), 0)
    for seed in range(60):
        found = audit(report, to=tmp_path / f"a{seed}", draw=3, seed=seed)
        for id in fill_in(Path(found["fill_in"]), ""):
            counts[id] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4 and min(counts.values())


def test_a_report_that_grew_shows_what_should_have_been_seen(tmp_path: Path):
    report = write_report(tmp_path / "r.csv", 0, 20)
    first = audit(report, to=tmp_path / "a", draw=10, seed=0)
    fill_in(Path(first["fill_in"]), "drop")
    write_report(report, 0, 20, start=20)
    grown = audit(report, to=tmp_path / "a", draw=20, seed=0)
    assert any("the report has grown: about" in text for text in grown["warnings"])
    ids = fill_in(Path(grown["fill_in"]), "drop")
    assert sum(id >= "s/0020" for id in ids) > 10  # what is new catches up
    assert audit(report, to=tmp_path / "a", seed=0)["warnings"] == []


def test_answers_that_are_missing_unsure_or_wrong(tmp_path: Path):
    report = write_report(tmp_path / "r.csv", 1, 6)
    first = audit(report, to=tmp_path / "a", draw=4, seed=0)
    table = Path(first["fill_in"])
    ids = fill_in(table, "")
    fill_in(table, {ids[0]: "?", ids[1]: "", ids[2]: " Keep ", ids[3]: "OK"})
    found = audit(report, to=tmp_path / "a", seed=0)
    assert (found["looked_at"], found["wanted"], found["unsure"], found["shown"]) == (2, 1, 1, 4)
    assert "2 of 4 images shown have no answer yet" in found["warnings"][0]
    fill_in(table, "perhaps")
    with pytest.raises(RangeError, match="line 2: the answer is 'perhaps'; expected keep"):
        audit(report, to=tmp_path / "a", seed=0)
    table.write_text("no,columns\n")
    with pytest.raises(SourceError, match="has no columns id and answer"):
        audit(report, to=tmp_path / "a", seed=0)


def test_answers_about_images_that_are_not_dropped_are_told(tmp_path: Path):
    report = write_report(tmp_path / "r.csv", 1, 6)
    table = Path(audit(report, to=tmp_path / "a", draw=6, seed=0)["fill_in"])
    ids = fill_in(table, "keep")
    table.write_text(table.read_text("utf-8-sig").replace(ids[0], "s/typo"), "utf-8-sig")
    decided_anew = Row(ids[1], "x.png", 0.9, True, False, "r", "", 0.8)
    with Ledger(report, ABOUT) as ledger:
        ledger.confirm([(decided_anew, "")])
    found = audit(report, to=tmp_path / "a", seed=0)
    assert (found["looked_at"], found["shown"], found["dropped"]) == (4, 4, 5)
    assert "2 of 6 images in the rounds are not dropped in this report" in found["warnings"][0]


def test_ids_with_separators_of_lines_come_back(tmp_path: Path):
    report = tmp_path / "r.csv"
    ids = ["s/a\u2028b", "s/c\x85d", "s/e\x0bf", "s/g\nh"]
    with Ledger(report, ABOUT) as ledger:
        ledger.confirm([(Row(id, "x.png", 0.1, False, False, "r", "", 0.8), "") for id in ids])
    table = Path(audit(report, to=tmp_path / "a", draw=4, seed=0)["fill_in"])
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.reader(stream))
    with table.open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream).writerows([rows[0], *([*row[:3], "keep"] for row in rows[1:])])
    found = audit(report, to=tmp_path / "a", seed=0)
    assert (found["looked_at"], found["wanted"], found["lost_share"]) == (4, 4, 1.0)


def test_answers_saved_in_another_encoding(tmp_path: Path):
    report = write_report(tmp_path / "r.csv", 1, 2)
    table = Path(audit(report, to=tmp_path / "a", draw=2, seed=0)["fill_in"])
    table.write_bytes("number,id,uri,answer\n1,s/é,x.png,keep\n".encode("cp1252"))
    with pytest.raises(SourceError, match=r'is not UTF-8 .*save it again as "CSV UTF-8"'):
        audit(report, to=tmp_path / "a", seed=0)


def test_pages_are_blind_and_a_picture_that_is_gone_is_an_empty_tile(tmp_path: Path):
    picture = tmp_path / "x.png"
    Image.fromarray(vignette("disc", seed=1)).save(picture)
    report = write_report(tmp_path / "r.csv", 0, 130, uri=str(picture))
    found = audit(report, to=tmp_path / "a", draw=130, seed=0)
    assert [Path(path).name for path in found["look_at"]] == [
        "round_1_page_1.png",
        "round_1_page_2.png",
    ]
    with Path(found["fill_in"]).open(encoding="utf-8-sig") as stream:
        assert stream.readline().strip() == "number,id,uri,answer"
    with Image.open(found["look_at"][1]) as page:
        full = np.asarray(page)
    picture.unlink()
    gone = audit(report, to=tmp_path / "b", draw=130, seed=0)
    with Image.open(gone["look_at"][1]) as page:
        empty = np.asarray(page)
    assert (full.min(axis=2) < 90).mean() > (empty.min(axis=2) < 90).mean()


def test_refusals(tmp_path: Path):
    report = write_report(tmp_path / "r.csv", 1, 3)
    audit(report, to=tmp_path / "a", draw=1, seed=0)
    with pytest.raises(RangeError, match="drawn with --seed 0; leave 1 out"):
        audit(report, to=tmp_path / "a", seed=1)
    other = write_report(tmp_path / "other.csv", 1, 3)
    with pytest.raises(SourceError, match="holds rounds of"):
        audit(other, to=tmp_path / "a", seed=0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(SourceError, match="holds other files"):
        audit(report, to=tmp_path / "mine", draw=1, seed=0)
    with pytest.raises(RangeError, match="--draw is 0; expected 1 to 1,000"):
        audit(report, to=tmp_path / "a", draw=0, seed=0)
    with pytest.raises(RangeError, match="--to names no folder"):
        audit(report, draw=5, seed=0)
    with pytest.raises(SourceError, match="cannot be read"):
        audit(tmp_path / "none.csv", seed=0)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="is no report of screen apply"):
        audit(tmp_path / "bad.csv", seed=0)
    nothing = audit(write_report(tmp_path / "kept.csv", 3, 0), seed=0)
    assert nothing["lost_share"] is None and "nothing was dropped" in nothing["why"]


def test_a_promise_that_does_not_hold_is_told(tmp_path: Path):
    report = write_report(tmp_path / "r.csv", 10, 90)
    found = audit(report, to=tmp_path / "a", draw=60, seed=0)
    fill_in(Path(found["fill_in"]), "keep")
    said = audit(report, to=tmp_path / "a", card={"target_recall": 0.95}, seed=0)
    assert any("95.0% was the target" in text for text in said["warnings"])


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**20), n=st.integers(5, 200), steps=st.integers(2, 60))
def test_d_is_that_of_a_distribution_function_through_the_quantiles(seed: int, n: int, steps: int):
    rng = np.random.default_rng(seed)
    known = np.sort(rng.normal(size=steps + 1))
    values = rng.normal(0.3, 1, n)
    found = distribution_change(values, known.tolist(), reference=10**9)
    levels = np.linspace(0, 1, steps + 1)
    expected = stats.ks_1samp(values, lambda x: np.interp(x, known, levels), method="asymp")
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p == pytest.approx(stats.kstwobign.sf(found.statistic * math.sqrt(n)), abs=1e-6)


def test_larger_similarities_are_no_drift():
    rng = np.random.default_rng(1)
    known = np.sort(rng.uniform(size=51))
    values, levels = rng.uniform(size=80) ** 1.3, np.linspace(0, 1, 51)
    found = distribution_change(values, known.tolist(), reference=10**9, smaller=True)
    expected = stats.ks_1samp(
        values, lambda x: np.interp(x, known, levels), alternative="greater", method="asymp"
    )
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p == pytest.approx(math.exp(-2 * 80 * found.statistic**2), abs=1e-6)
    ones = np.ones(500)
    assert distribution_change(ones, known.tolist(), reference=500).drifted
    assert not distribution_change(ones, known.tolist(), reference=500, smaller=True).drifted
    assert distribution_change(0 * ones, known.tolist(), reference=500, smaller=True).drifted


def test_quantiles_that_are_equal_are_a_jump():
    # half of the training's values are 0, the others evenly between 0 and 1
    known = [0.0] * 51 + np.linspace(0, 1, 51)[1:].tolist()
    same = np.array([0.0] * 50 + np.linspace(0, 1, 51)[1:].tolist())
    assert distribution_change(same, known, reference=1_000).statistic < 0.03
    assert distribution_change(np.linspace(0, 1, 100), known, reference=1_000).statistic > 0.45
    with pytest.raises(RangeError, match="do not rise"):
        distribution_change(same, [1.0, 0.5], reference=5)
    with pytest.raises(RangeError, match="0 values"):
        distribution_change(np.zeros(0), [0.0, 1.0], reference=5)


def test_drift_against_the_card():
    rng = np.random.default_rng(0)
    training = rng.beta(5, 2, 2_000)
    quantiles = np.quantile(training, np.linspace(0, 1, 101)).tolist()
    card = {
        "training": {
            "unfamiliar_share": 0.01,
            "quantiles": {"of": 2_000, "score": quantiles, "nearest": quantiles},
        }
    }
    fresh = rng.beta(5, 2, 1_000)
    same = drift(card, scores=fresh, nearest=fresh, unfamiliar=11, n=1_000)
    assert not same["drifted"] and same["why"] is None
    moved = drift(card, scores=fresh, nearest=fresh * 0.8, unfamiliar=80, n=1_000)
    assert moved["drifted"] and moved["similarity"]["drifted"] and moved["unfamiliar"]["drifted"]
    assert not moved["scores"]["drifted"]
    few = drift(card, scores=fresh[:9], nearest=fresh[:9], unfamiliar=9, n=9)
    assert not few["drifted"] and "too few" in few["why"]
    assert "no quantiles" in drift({}, scores=fresh, nearest=fresh, unfamiliar=0, n=99)["why"]
    with pytest.raises(RangeError, match="5 of 4"):
        share_change(5, 4, expected=0.1)
