"""The store: exact round trips, resumption after a kill, damage, races, a full disk."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from evenhand.errors import BadData, NoSpace
from evenhand.files import temporary
from evenhand.records import Card, Estimate, Measurement, ModelSpec, Protocol, Sampling, Score, VerdictName
from evenhand.studies._table import from_parquet, to_parquet
from evenhand.studies.store import (
    Store,
    cell_key,
    load_measurements,
    load_run,
    load_verification,
    save_measurements,
    save_verification,
    working_in,
)
from tests.support import records_factory as factory

ROOT = Path(__file__).parents[2]
SCORES = (
    Score("b", "nurse", {"p.male": 0.1 + 0.2, "p.female": None, "neutral": -0.0}, {"scale": "word"}),
    Score("a", "Köchin 厨师", {"p.male": 5e-324, "p.female": 1 / 3, "neutral": 1.0}, {"hint": "her"}),
    Score("c", "nurse", {"p.male": None, "p.female": 1.7976931348623157e308, "neutral": 0.0}, {}),
)


def example(value: float = 0.1, scores: tuple[Score, ...] = SCORES) -> Measurement:
    estimate = Estimate(value, 0.0, 1, 3)
    return Measurement(
        ModelSpec("lab:causal", "0" * 64),
        "genbiaseval",
        Card("genbiaseval", "1", "t", "s", "l"),
        Protocol("d"),
        3,
        {"zeta": estimate, "afgb": Estimate(None, None, None, 0, undefined=3)},
        {"scale=word": {"afgb": estimate}},
        scores,
        notes=("a note",),
    )


def never() -> Measurement:
    raise AssertionError("the cell should have been found")


def tree(folder: Path) -> dict[str, bytes]:
    """Every result file with its bytes; names that start with a dot are unfinished writes."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_table_round_trip_is_exact_to_the_bit() -> None:
    found = from_parquet(to_parquet(SCORES))
    assert found == SCORES
    assert str(found[0].values["neutral"]) == "-0.0"
    assert list(found[0].values) == ["p.male", "p.female", "neutral"]  # the order of groups carries meaning
    assert from_parquet(to_parquet(())) == ()
    assert to_parquet(SCORES) == to_parquet(SCORES)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_table_refuses_what_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="undefined value is None"):
        to_parquet([Score("s", "c", {"x": value})])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in Linux's /proc")
def test_reading_a_table_starts_no_thread(tmp_path: Path) -> None:
    # A thread of pyarrow that waits while the process exits aborts it now and then: exit code 134, not 0.
    (tmp_path / "items.parquet").write_bytes(to_parquet(SCORES))
    code = """
        import os, sys
        import pyarrow.parquet
        from evenhand.studies._table import from_parquet
        data = open(sys.argv[1], "rb").read()
        before = set(os.listdir("/proc/self/task"))
        assert len(from_parquet(data)) == 3
        sys.exit(len(set(os.listdir("/proc/self/task")) - before))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "items.parquet")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    assert subprocess.run(command, check=False, env=environment).returncode == 0


def test_table_refuses_unlike_rows() -> None:
    with pytest.raises(ValueError, match="others have"):
        to_parquet([SCORES[0], Score("s", "c", {"x": 1.0})])


def test_a_cell_is_computed_once(tmp_path: Path) -> None:
    key = "ab" * 32
    first = Store(tmp_path).cell(key, example)
    assert first == example()
    assert list(first.metrics) == ["zeta", "afgb"]  # the first metric is the primary one
    again = Store(tmp_path).cell(key, never)
    assert again == first
    assert Store(tmp_path).get("cd" * 32) is None


def test_a_fresh_cell_equals_a_resumed_one_in_every_type(tmp_path: Path) -> None:
    """An integer where a float belongs is a float after the round trip, in both runs alike."""
    first, again = (Store(tmp_path).cell("ab" * 32, example) for _ in "ab")
    assert isinstance(first.metrics["zeta"].high, float)
    save_measurements(tmp_path / "one", [first])
    save_measurements(tmp_path / "two", [again])
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_no_time_host_or_path_in_the_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Store(tmp_path / name).cell("ab" * 32, example)
        save_verification(tmp_path / name, factory.verification())
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    everything = b"".join(tree(tmp_path / "one").values())
    assert str(tmp_path).encode() not in everything
    assert os.uname().nodename.encode() not in everything


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def other_format(path: Path) -> None:
    path.write_text(path.read_text().replace("evenhand/cell", "evenhand/cell/9"))


@pytest.mark.parametrize("harm", [truncate, flip, Path.unlink, lambda p: p.write_bytes(b"")])
@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_a_damaged_cell_is_computed_again(tmp_path: Path, harm: Callable[[Path], None], suffix: str) -> None:
    store, key = Store(tmp_path), "ab" * 32
    store.cell(key, example)
    whole = tree(tmp_path)
    harm(store.path(key).with_suffix(suffix))
    assert store.get(key) is None
    assert store.cell(key, example) == example()
    assert tree(tmp_path) == whole


def test_a_cell_of_another_format_is_computed_again(tmp_path: Path) -> None:
    store, key = Store(tmp_path), "ab" * 32
    store.cell(key, example)
    other_format(store.path(key))
    assert store.get(key) is None


def test_keys_depend_on_every_part() -> None:
    parts = {
        "weights": "w",
        "treatment": None,
        "card": Card("c", "1", "t", "s", "l"),
        "protocol": Protocol("d"),
        "seed": 0,
        "sampling": None,
    }
    changes = {
        "weights": "x",
        "treatment": "t",
        "card": Card("c", "2", "t", "s", "l"),
        "protocol": Protocol("d", limited=True),
        "seed": 1,
        "sampling": Sampling(),
    }
    keys = {cell_key(**parts)} | {cell_key(**{**parts, name: value}) for name, value in changes.items()}  # type: ignore[arg-type]
    assert len(keys) == 7
    assert cell_key(**parts) == cell_key(**parts)  # type: ignore[arg-type]


RUN = """
    import os, sys
    from pathlib import Path
    from evenhand import files
    from evenhand.studies import store
    from tests.studies.test_store import example, factory
    folder, stop, where = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    count = 0
    def counted():
        global count
        count += 1
        if count == stop:
            os._exit(137)
    def write(path, data, real=files.write_atomically):
        if where == "between":
            counted()
        real(path, data)
    def replace(self, target, real=Path.replace):
        if where == "within":
            counted()
        return real(self, target)
    store.write_atomically = write
    Path.replace = replace
    cells = store.Store(folder)
    taken = [cells.cell(f"{i:02d}" * 32, lambda i=i: example(i / 7)) for i in range(3)]
    store.save_measurements(folder, taken)
    store.save_verification(folder, factory.verification())
"""


def run(folder: Path, stop: int = 0, where: str = "between") -> int:
    command = [sys.executable, "-c", textwrap.dedent(RUN), str(folder), str(stop), where]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert run(folder) == 0
    return folder


@pytest.mark.parametrize(("stop", "where"), [(2, "between"), (6, "within"), (11, "between")])
def test_a_killed_run_resumes_to_the_same_files(tmp_path: Path, whole: Path, stop: int, where: str) -> None:
    assert run(tmp_path / "killed", stop, where) == 137
    assert tree(tmp_path / "killed") != tree(whole)
    assert run(tmp_path / "killed") == 0
    assert tree(tmp_path / "killed") == tree(whole)


def test_two_processes_with_the_same_command(tmp_path: Path, whole: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(RUN), str(tmp_path / "both"), "0", "between"]
    racers = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [racer.wait(timeout=60) for racer in racers] == [0, 0]
    assert tree(tmp_path / "both") == tree(whole)
    assert load_verification(tmp_path / "both") == load_verification(whole)


def test_what_killed_processes_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.cell("ab" * 32, example)
    save_measurements(tmp_path, [example()])
    cells, items = store.path("ab" * 32).parent, tmp_path / "items"
    left = [place / ".evenhand-0123456789abcdef-abcdefgh.tmp" for place in (cells, items, tmp_path)]
    theirs = [cells / ".old", cells / "evenhand-abcdefgh.tmp", items / ".DS_Store", items / "notes.parquet"]
    for path in (*left, *theirs):
        path.write_bytes(b"half")
        os.utime(path, (0, 0))
    with temporary(cells) as (live, _), working_in(tmp_path):
        assert Store(tmp_path).cell("ab" * 32, never) == example()
        assert live.exists()  # its process works: it would lose what it writes
    assert [path for path in left if path.exists()] == []
    assert [path for path in theirs if not path.exists()] == []


def test_the_run_that_a_folder_holds_stands_until_the_next_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = example(0.1), example(0.2, SCORES[:2])
    save_measurements(tmp_path, [first, first])

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("evenhand.studies.store._write", killed)
        with pytest.raises(Killed):
            save_measurements(tmp_path, [second])
    assert load_measurements(tmp_path) == (first, first)
    save_measurements(tmp_path, [second])
    assert load_measurements(tmp_path) == (second,)
    assert len(list((tmp_path / "items").iterdir())) == 1  # the items of the first run are gone


def test_items_of_the_same_name_as_ours_are_only_removed_with_our_content(tmp_path: Path) -> None:
    theirs = tmp_path / "items" / f"measurement-7-{'0' * 16}.parquet"
    theirs.parent.mkdir()
    theirs.write_bytes(b"mine")
    save_measurements(tmp_path, [example()])
    assert theirs.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["measurements.json", "verification.json"])
def test_a_file_of_the_users_is_not_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"rows": 3}')
    save = {
        "measurements.json": lambda: save_measurements(tmp_path, [example()]),
        "verification.json": lambda: save_verification(tmp_path, factory.verification()),
    }[name]
    with pytest.raises(BadData, match=f"{name} is not replaced"):
        save()
    assert (tmp_path / name).read_text() == '{"rows": 3}'
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    save_measurements(tmp_path, [example(0.1)])
    before = tree(tmp_path)
    monkeypatch.setattr("os.fsync", fail)
    for write in (
        lambda: save_measurements(tmp_path, [example(0.2)]),
        lambda: save_verification(tmp_path, factory.verification()),
        lambda: Store(tmp_path).cell("ab" * 32, example),
    ):
        with pytest.raises(NoSpace, match=r"cannot be written.*Free some space"):
            write()
    assert tree(tmp_path) == before
    assert [p for p in tmp_path.rglob(".*") if p.is_file()] == []  # nothing half-written is left


def test_no_room_at_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(NoSpace) as caught:
        Store(tmp_path).cell("ab" * 32, example)
    assert caught.value.exit_code == 4


def test_measurements_round_trip(tmp_path: Path) -> None:
    taken = [example(0.1), example(1 / 3, scores=())]
    assert save_measurements(tmp_path, taken).name == "measurements.json"
    assert list(load_measurements(tmp_path)) == taken
    assert load_run(tmp_path).verdict is None


def test_verification_round_trip(tmp_path: Path) -> None:
    verification = factory.verification()
    path = save_verification(tmp_path, verification)
    assert load_verification(tmp_path) == verification
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    found = load_run(tmp_path)
    assert found.verdict is VerdictName.MITIGATED
    assert found.measurements == verification.after


def test_saving_again_replaces(tmp_path: Path) -> None:
    save_verification(tmp_path, factory.verification())
    worse = dataclasses.replace(factory.verification(), verdict=VerdictName.WORSE)
    save_verification(tmp_path, worse)
    assert load_verification(tmp_path) == worse


@pytest.mark.parametrize("name", ["study.json", "reproduction.json", "location.json", "mitigation.json"])
def test_the_folder_of_another_command_says_where_its_runs_are(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(BadData) as refused:
        load_run(tmp_path)
    assert refused.value.mend.startswith(
        f"It holds a {name.partition('.')[0].replace('mitigation', 'treatment')}"
    )


def test_nothing_there(tmp_path: Path) -> None:
    for load in (load_measurements, load_verification, load_run):
        with pytest.raises(BadData, match=r"There is no .*\.json in .*finished run"):
            load(tmp_path)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (truncate, "damaged"),
        (lambda p: p.write_text("[]"), "damaged"),
        (lambda p: p.write_text("[" * 100_000), "damaged"),
        (lambda p: p.write_text("{}"), "damaged"),
        (lambda p: p.write_text(p.read_text().replace('"seed": 0', '"seed": 1', 1)), "checksum differs"),
        (
            lambda p: p.write_text(p.read_text().replace("evenhand/verification", "evenhand/verification/9")),
            "'evenhand/verification/9'",
        ),
    ],
)
def test_damaged_verification(tmp_path: Path, harm: Callable[[Path], object], message: str) -> None:
    path = save_verification(tmp_path, factory.verification())
    harm(path)
    with pytest.raises(BadData, match=message):
        load_verification(tmp_path)


def test_damaged_items(tmp_path: Path) -> None:
    save_verification(tmp_path, factory.verification())
    (items,) = (tmp_path / "items").glob("after-0-*.parquet")
    flip(items)
    with pytest.raises(BadData, match=r"after-0-\w+\.parquet is damaged.*same --out"):
        load_verification(tmp_path)
    items.unlink()
    with pytest.raises(BadData, match="is missing"):
        load_verification(tmp_path)


def test_a_body_of_the_wrong_shape(tmp_path: Path) -> None:
    from evenhand.records import digest

    path = save_measurements(tmp_path, [example()])
    envelope = json.loads(path.read_text())
    envelope["body"]["measurements"][0]["n"] = "many"
    envelope["sha256"] = digest(envelope["body"])
    path.write_text(json.dumps(envelope))
    with pytest.raises(BadData, match=r"is not a stored Measurement: n"):
        load_measurements(tmp_path)
