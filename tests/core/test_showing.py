"""What commands print for people: tables with heads, figures with intervals, no control codes."""

from __future__ import annotations

from core.showing import SHOWN, lines


def test_entries_stand_in_a_table_under_their_names():
    kinds = [
        {"kind": "Acartia", "recall": {"value": 0.5, "ci95": [0.25, 0.75]}, "images": 1200},
        {"kind": "a\x1b[2J", "recall": {"value": None, "ci95": None, "why": "none"}, "note": "x"},
    ]
    assert lines({"kinds": kinds}) == [
        "kinds: 2",
        "  kind      recall              images  note",
        "  Acartia   0.5 (0.25 to 0.75)  1200    -",
        "  a\\x1b[2J  -                   -       x",
    ]


def test_what_does_not_fit_a_table_is_named():
    deep = [{"kind": "Dot", "taken": [{"kind": f"kind {n}", "images": n} for n in range(9)]}]
    assert lines({"kinds": deep}) == [
        "kinds: 1", "  kind", "  Dot", "  and taken of each; --json gives all"
    ]  # fmt: skip


def test_long_lists_are_cut_and_numbers_summed_up():
    ids = [f"{n:045}" for n in range(SHOWN + 3)]
    shown = lines({"ids": ids, "curve": [n / 200 for n in range(201)], "few": [1, 2, 3]})
    assert shown[0] == f"ids: {SHOWN + 3}"
    assert shown[1 : SHOWN + 1] == [f"  {id}" for id in ids[:SHOWN]]
    assert shown[SHOWN + 1 :] == [
        "  and 3 more; --json gives all",
        "curve: 201 numbers, 0 to 1; --json gives all",
        "few: 3",
        "  1",
        "  2",
        "  3",
    ]


def test_short_names_share_lines():
    names = [f"kind {n}" for n in range(30)]
    first, *rest = lines({"at": {"keep": names}})[1:]
    assert first == "  keep: 30"
    assert ", ".join(line.strip() for line in rest).replace(",,", ",") == ", ".join(names)
    assert len(rest) == 3
    assert lines({"keep": []}) == ["keep: 0"]


def test_names_of_labels_move_no_cursor():
    assert lines({"counted": {"a\x1b[2J": 3}}) == ["counted:", "  a\\x1b[2J: 3"]
