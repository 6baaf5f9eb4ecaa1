"""A log and a table are followed from where they were left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from evenhand.errors import BadData, BadOption
from evenhand.monitor.events import Event
from evenhand.monitor.tail import LONGEST, LogTail, Read, TableTail


def _line(number: int) -> str:
    return json.dumps({"prediction_id": str(number), "model": "m", "decision": 1}) + "\n"


class Taker:
    """Takes events; breaks down at the `at`-th batch."""

    def __init__(self, at: int = 0) -> None:
        self.ids: list[str] = []
        self.at, self.batches = at, 0

    def __call__(self, events) -> None:
        self.batches += 1
        if self.batches == self.at:
            raise KeyboardInterrupt
        self.ids += [event.prediction_id for event in events]


def test_a_log_that_grows(tmp_path: Path) -> None:
    log, take = tmp_path / "log", Taker()
    tail = LogTail(log, tmp_path / "state")
    log.write_text(_line(1) + _line(2) + _line(3)[:10])
    assert tail.follow(take) == Read(2)
    assert tail.follow(take) == Read()
    log.write_text(_line(1) + _line(2) + _line(3))
    assert LogTail(log, tmp_path / "state").follow(take) == Read(1)  # as after a restart
    assert take.ids == ["1", "2", "3"]


def test_after_a_kill_nothing_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(map(_line, range(2500))))
    killed, again = Taker(at=2), Taker()
    with pytest.raises(KeyboardInterrupt):
        LogTail(log, tmp_path / "state").follow(killed)
    assert len(killed.ids) == 1000
    LogTail(log, tmp_path / "state").follow(again)
    assert killed.ids + again.ids == [str(n) for n in range(2500)]
    assert again.batches == 2  # 1000 and 500


def test_a_rotated_and_a_cut_log_begin_anew(tmp_path: Path) -> None:
    log, take = tmp_path / "log", Taker()
    tail = LogTail(log, tmp_path / "state")
    log.write_text(_line(1) + _line(2))
    tail.follow(take)
    (tmp_path / "new").write_text(_line(3) + _line(4) + _line(5))
    (tmp_path / "new").replace(log)
    tail.follow(take)
    log.write_text(_line(6))
    tail.follow(take)
    assert take.ids == ["1", "2", "3", "4", "5", "6"]


def test_lines_that_are_no_events_are_named_and_passed_over(tmp_path: Path) -> None:
    log, take = tmp_path / "log", Taker()
    long = "x" * (LONGEST + 5)
    log.write_text("{broken\n" + _line(1) + '{"model": "m"}\n\n' + long + "\n" + _line(2))
    found = LogTail(log, tmp_path / "state").follow(take)
    assert take.ids == ["1", "2"]
    assert (found.events, found.wrong) == (2, 3)
    start = len("{broken\n" + _line(1))
    assert found.problems[:2] == (
        f"{log}, byte 0: it is no JSON",
        f"{log}, byte {start}: prediction_id: Field required",
    )


def test_a_position_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(_line(1))
    (tmp_path / "state").write_text("{")
    with pytest.raises(BadData, match="Delete it to begin anew"):
        LogTail(tmp_path / "log", tmp_path / "state").follow(Taker())
    with pytest.raises(BadData, match="missing cannot be read"):
        LogTail(tmp_path / "missing", tmp_path / "state2").follow(Taker())


def test_a_table(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'own.sqlite'}")
    with engine.begin() as connection:
        connection.execute(
            text("create table t (id integer, prediction_id, model, decision, attributes_sex, other)")
        )
        for number in range(1, 1004):
            connection.execute(
                text("insert into t values (:n, :id, 'm', 1, 'f', 'x')"), {"n": number, "id": str(number)}
            )
    seen: list[Event] = []
    tail = TableTail(engine, "t", "id", tmp_path / "state")
    assert tail.follow(seen.extend) == Read(1003)
    assert seen[0].attributes == {"sex": "f"}
    with engine.begin() as connection:
        connection.execute(text("insert into t values (2000, '2000', 'm', 1, null, 'x')"))
    assert tail.follow(seen.extend) == Read(1)
    assert seen[-1].attributes == {"sex": None}
    with pytest.raises(BadOption, match="no column 'x'"):
        TableTail(engine, "t", "x", tmp_path / "state")
    with pytest.raises(BadOption, match="no table 'u'"):
        TableTail(engine, "u", "id", tmp_path / "state")
    engine.dispose()
