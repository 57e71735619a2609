from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import NotFoundError, ShapeError, WorkspaceError
from core.snapshot import SnapshotWriter, count, fingerprint_of, open_snapshot, version
from tests.core.conftest import rows_of

ROWS = rows_of(12, 5, seed=1)
IDS = [f"run/{n}.png" for n in range(12)]


def check(folder: Path, expected: dict[str, np.ndarray]) -> None:
    """What is read is what is expected, by a reader and by the next writer alike."""
    read = open_snapshot(folder)
    assert set(read.ids) == set(expected) and len(read) == len(expected)
    for row, id in enumerate(read.ids):
        np.testing.assert_array_equal(read.vectors[row], expected[id])
    rows = np.stack(list(expected.values())) if expected else np.zeros((0, 5), np.float32)
    assert read.fingerprint == fingerprint_of(list(expected), rows)
    assert read.version == version(folder)
    writer = SnapshotWriter(folder, dimension=5)
    assert set(writer.live) == set(expected)
    np.testing.assert_array_equal(writer.read(list(expected)), rows)


def test_nothing_there(tmp_path: Path):
    assert version(tmp_path) == ""
    with pytest.raises(NotFoundError, match="holds no vectors yet"):
        open_snapshot(tmp_path)
    SnapshotWriter(tmp_path, dimension=5)
    check(tmp_path, {})


def test_append_replace_remove_and_come_back(tmp_path: Path):
    writer = SnapshotWriter(tmp_path, dimension=5)
    writer.append(IDS[:4], ROWS[:4])
    expected = dict(zip(IDS[:4], ROWS[:4], strict=True))
    check(tmp_path, expected)
    writer.append([IDS[1], IDS[4]], ROWS[[9, 4]])
    expected |= {IDS[1]: ROWS[9], IDS[4]: ROWS[4]}
    check(tmp_path, expected)
    writer.remove([IDS[0], "run/unknown.png", IDS[0]])
    del expected[IDS[0]]
    check(tmp_path, expected)
    assert IDS[0] not in writer and IDS[1] in writer and len(writer) == 4
    writer.append([IDS[0]], ROWS[[11]])
    check(tmp_path, expected | {IDS[0]: ROWS[11]})


def test_one_id_twice_in_a_batch_is_its_last_row(tmp_path: Path):
    writer = SnapshotWriter(tmp_path, dimension=5)
    writer.append(["a", "b", "a"], ROWS[:3])
    check(tmp_path, {"a": ROWS[2], "b": ROWS[1]})
    writer.append(["a", "a"], ROWS[3:5])
    check(tmp_path, {"a": ROWS[4], "b": ROWS[1]})


def test_a_fingerprint_is_a_sum(tmp_path: Path):
    one = SnapshotWriter(tmp_path / "one", dimension=5)
    one.append(IDS, ROWS)
    other = SnapshotWriter(tmp_path / "other", dimension=5)
    for row in reversed(range(12)):
        other.append([IDS[row]], ROWS[[row]])
    assert open_snapshot(tmp_path / "one").fingerprint == fingerprint_of(IDS, ROWS)
    assert open_snapshot(tmp_path / "other").fingerprint == fingerprint_of(IDS, ROWS)
    both = int(fingerprint_of(IDS[:5], ROWS[:5]), 16) + int(fingerprint_of(IDS[5:], ROWS[5:]), 16)
    assert f"{both % 2**64:016x}" == fingerprint_of(IDS, ROWS)
    assert fingerprint_of(IDS, ROWS[::-1]) != fingerprint_of(IDS, ROWS)
    other.remove(IDS)
    assert open_snapshot(tmp_path / "other").fingerprint == "0" * 16


def test_every_change_is_another_version(tmp_path: Path):
    writer = SnapshotWriter(tmp_path, dimension=5)
    seen = [version(tmp_path)]
    writer.append(IDS[:10], ROWS[:10])
    seen.append(version(tmp_path))
    writer.append(IDS[:1], ROWS[:1])
    seen.append(version(tmp_path))
    writer.remove(IDS[:8])
    seen.append(version(tmp_path))
    writer.compact()
    seen.append(version(tmp_path))
    assert len(set(seen)) == 5
    writer.remove(["unknown"])
    writer.append([], ROWS[:0])
    writer.compact()  # no dead row is left
    assert version(tmp_path) == seen[-1]


def test_a_reader_keeps_what_it_opened(tmp_path: Path):
    writer = SnapshotWriter(tmp_path, dimension=5)
    writer.append(IDS, ROWS)
    before = open_snapshot(tmp_path)
    writer.append(IDS[:6], ROWS[6:])
    writer.remove(IDS[6:8])
    writer.compact()
    writer.append(["late"], ROWS[:1])
    assert before.ids == IDS
    np.testing.assert_array_equal(before.vectors, ROWS)
    expected = dict(zip(IDS[:6], ROWS[6:], strict=True))
    expected |= dict(zip(IDS[8:], ROWS[8:], strict=True)) | {"late": ROWS[0]}
    check(tmp_path, expected)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "current.json",
        "log.2.jsonl",
        "rows.2.f32",
    ]


def test_a_few_dead_rows_are_not_worth_rewriting(tmp_path: Path):
    writer = SnapshotWriter(tmp_path, dimension=5)
    writer.append(IDS, ROWS)
    writer.remove(IDS[:2])
    writer.compact()
    assert (tmp_path / "rows.1.f32").stat().st_size == ROWS.nbytes


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("append"), st.lists(st.integers(0, 11), max_size=6), st.integers(0, 2**32 - 1)
        ),
        st.tuples(st.just("remove"), st.lists(st.integers(0, 11), max_size=6), st.just(0)),
        st.tuples(st.just("compact"), st.just([]), st.just(0)),
        st.tuples(st.just("reopen"), st.just([]), st.just(0)),
    ),
    max_size=12,
)
MANY = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@MANY
@given(operations=OPERATIONS)
def test_any_history_reads_like_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[str, list[int], int]]
):
    folder = tmp_path_factory.mktemp("history")
    writer = SnapshotWriter(folder, dimension=5)
    expected: dict[str, np.ndarray] = {}
    for what, numbers, seed in operations:
        ids = [IDS[n] for n in numbers]
        if what == "append":
            rows = rows_of(len(ids), 5, seed=seed) if ids else ROWS[:0]
            writer.append(ids, rows)
            expected |= dict(zip(ids, rows, strict=True))
        elif what == "remove":
            writer.remove(ids)
            expected = {id: row for id, row in expected.items() if id not in ids}
        elif what == "compact":
            writer.compact()
        else:
            writer = SnapshotWriter(folder, dimension=5)
    check(folder, expected)


@MANY
@given(cut=st.integers(0, 10**6), rows_cut=st.integers(0, 6 * 20))
def test_a_torn_tail_is_no_batch(tmp_path_factory: pytest.TempPathFactory, cut: int, rows_cut: int):
    """A crash tears the last log line anywhere, and may leave rows no line names."""
    folder = tmp_path_factory.mktemp("torn")
    writer = SnapshotWriter(folder, dimension=5)
    writer.append(IDS[:3], ROWS[:3])
    writer.remove(IDS[:1])
    log, rows = folder / "log.1.jsonl", folder / "rows.1.f32"
    confirmed, held = log.stat().st_size, rows.stat().st_size
    writer.append(IDS[3:9], ROWS[3:9])
    line = log.stat().st_size - confirmed
    with log.open("r+b") as stream:
        stream.truncate(confirmed + cut % line)
    with rows.open("r+b") as stream:
        stream.truncate(held + rows_cut)
    expected = dict(zip(IDS[1:3], ROWS[1:3], strict=True))
    before = open_snapshot(folder)
    assert before.ids == IDS[1:3]
    np.testing.assert_array_equal(before.vectors, ROWS[1:3])
    again = SnapshotWriter(folder, dimension=5)
    assert log.stat().st_size == confirmed and rows.stat().st_size == held
    again.append(["next"], ROWS[[11]])
    check(folder, expected | {"next": ROWS[11]})


@MANY
@given(cut=st.integers(0, 10**6))
def test_log_lines_without_their_rows_are_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int
):
    """Rows are synced before their line, so this is no crash but damage: nothing is guessed."""
    folder = tmp_path_factory.mktemp("short")
    SnapshotWriter(folder, dimension=5).append(IDS, ROWS)
    with (folder / "rows.1.f32").open("r+b") as stream:
        stream.truncate(cut % ROWS.nbytes)
    with pytest.raises(WorkspaceError, match="its log names 12; run `doctor --repair`"):
        open_snapshot(folder)
    with pytest.raises(WorkspaceError, match="its log names 12; run `doctor --repair`"):
        SnapshotWriter(folder, dimension=5)


def test_a_crash_during_compaction_costs_nothing(tmp_path: Path):
    writer = SnapshotWriter(tmp_path, dimension=5)
    writer.append(IDS, ROWS)
    writer.remove(IDS[:6])
    (tmp_path / "rows.2.f32").write_bytes(b"half of it")
    (tmp_path / "log.2.jsonl").write_text('{"ids": ["half')
    writer = SnapshotWriter(tmp_path, dimension=5)
    expected = dict(zip(IDS[6:], ROWS[6:], strict=True))
    check(tmp_path, expected)
    writer.compact()
    check(tmp_path, expected)


def test_a_damaged_log_says_so(tmp_path: Path):
    SnapshotWriter(tmp_path, dimension=5).append(IDS, ROWS)
    log = tmp_path / "log.1.jsonl"
    log.write_bytes(b"\xff" + log.read_bytes()[1:])
    with pytest.raises(WorkspaceError, match="damaged; run `doctor --repair`"):
        open_snapshot(tmp_path)
    log.write_text(json.dumps({"ids": IDS}) + "\n")  # a line without its fingerprint
    with pytest.raises(WorkspaceError, match="damaged; run `doctor --repair`"):
        open_snapshot(tmp_path)


@pytest.mark.parametrize("state", ["", "{}", "[1]", '{"epoch": 1}', '{"epoch": "x"}'])
def test_a_damaged_current_says_so(tmp_path: Path, state: str):
    SnapshotWriter(tmp_path, dimension=5).append(IDS, ROWS)
    (tmp_path / "current.json").write_text(state)
    with pytest.raises(WorkspaceError, match="damaged; run `doctor --repair`"):
        open_snapshot(tmp_path)
    with pytest.raises(WorkspaceError, match="damaged; run `doctor --repair`"):
        SnapshotWriter(tmp_path, dimension=5)
    with pytest.raises(WorkspaceError, match="damaged; run `doctor --repair`"):
        version(tmp_path)


def test_wrong_shapes_are_refused_and_nothing_is_written(tmp_path: Path):
    writer = SnapshotWriter(tmp_path, dimension=5)
    before = version(tmp_path)
    with pytest.raises(ShapeError, match=r"expected float32 \(2, 5\)"):
        writer.append(IDS[:2], rows_of(2, 4))
    with pytest.raises(ShapeError, match=r"float64 \(2, 5\); expected float32"):
        writer.append(IDS[:2], ROWS[:2].astype(np.float64))
    with pytest.raises(ShapeError, match="holds rows of 5 numbers; expected 6"):
        SnapshotWriter(tmp_path, dimension=6)
    assert version(tmp_path) == before
    with pytest.raises(KeyError):
        writer.read(["unknown"])


def test_unusual_ids(tmp_path: Path):
    ids = ["ein/Ä#%\n.png", "'; drop table", "𝓅lankton 🦐", '"quoted"']
    SnapshotWriter(tmp_path, dimension=5).append(ids, ROWS[:4])
    check(tmp_path, dict(zip(ids, ROWS[:4], strict=True)))


def test_a_folder_made_anew_is_another_version(tmp_path: Path):
    """A collection deleted and indexed again has the same ids and maybe other pictures."""
    versions = set()
    for rows in (ROWS, ROWS[::-1].copy()):
        for path in tmp_path.iterdir():
            path.unlink()
        SnapshotWriter(tmp_path, dimension=5).append(IDS, rows)
        versions.add(version(tmp_path))
    assert len(versions) == 2


def test_files_left_by_a_crash_are_not_taken_for_rows(tmp_path: Path):
    SnapshotWriter(tmp_path, dimension=5).append(IDS, ROWS)
    (tmp_path / "current.json").unlink()
    SnapshotWriter(tmp_path, dimension=5).append(IDS[:1], ROWS[:1])
    check(tmp_path, {IDS[0]: ROWS[0]})


@pytest.mark.parametrize("name", ["log.1.jsonl", "rows.1.f32"])
def test_a_missing_file_is_damage_and_not_an_empty_collection(tmp_path: Path, name: str):
    SnapshotWriter(tmp_path, dimension=5).append(IDS, ROWS)
    (tmp_path / name).unlink()
    with pytest.raises(WorkspaceError, match="damaged; run `doctor --repair`"):
        open_snapshot(tmp_path)


def test_reading_while_another_compacts(tmp_path: Path):
    """A reader between two epochs reads the new one; it never sees an empty collection."""
    writer = SnapshotWriter(tmp_path, dimension=5)
    writer.append(IDS, ROWS)
    stop = threading.Event()
    seen: list[int] = []
    trouble: list[BaseException] = []

    def read() -> None:
        while not stop.is_set():
            try:
                seen.append(len(open_snapshot(tmp_path)))
                version(tmp_path)
            except BaseException as error:
                trouble.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(30):
        writer.append(IDS[:8], ROWS[:8])
        writer.compact()
    stop.set()
    reader.join()
    assert not trouble
    assert set(seen) == {12}


def test_rows_are_counted_without_being_read(tmp_path: Path):
    assert count(tmp_path / "none") == 0
    writer = SnapshotWriter(tmp_path / "some", dimension=2)
    writer.append(["a", "b", "c"], np.eye(3, 2, dtype=np.float32))
    writer.append(["b"], np.ones((1, 2), np.float32))
    writer.remove(["c"])
    assert count(tmp_path / "some") == len(open_snapshot(tmp_path / "some")) == 2
