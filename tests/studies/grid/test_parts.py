"""A study in parts and by several workers: which cells are run when, and what the whole gathers."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from evenhand.errors import BadOption, EnvironmentProblem
from evenhand.studies.grid import cells, running, table
from evenhand.studies.grid.checking import checked
from evenhand.studies.grid.result import load
from evenhand.workers import Ended, Piece
from tests.support.small_study import SMALL as STUDY


@pytest.fixture
def file(uri: str, tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(f'models = ["{uri}"]\n{STUDY}')
    return path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the study that one process runs; the first test that asks for it runs it."""
    return tmp_path_factory.mktemp("alone") / "out"


class Several:
    """Three at a time; the last that was begun ends first. `lost` never come back."""

    slots = 3

    def __init__(self, lost: tuple[str, ...] = ()) -> None:
        self.begun: deque[Piece] = deque()
        self.together: list[list[str]] = []
        self.lost = lost

    def begin(self, piece: Piece) -> None:
        self.begun.append(piece)

    def ended(self) -> Ended:
        self.together.append([one.said for one in self.begun])
        piece = self.begun.pop()
        if piece.said in self.lost:
            return Ended(piece.key, error=EnvironmentProblem("The process died.", mend="Ask for memory."))
        return piece.done()


def _rows(found: running.StudyResult) -> list[dict[str, object]]:
    rows = table.rows(found.outcomes)
    return [{k: v for k, v in row.items() if k not in {"minutes", "folder"}} for row in rows]


def test_the_first_cell_of_a_seed_goes_before_the_others_and_the_table_is_the_same(
    file: Path, uri: str, tmp_path: Path, alone: Path
) -> None:
    several = Several()
    found = running.Sitting(checked(file).study, tmp_path / "several", several).result()
    assert found.complete
    first, *_ = several.together
    # The base of each seed is measured by one cell alone, while the grid is settled beside them.
    assert first == [f"prompt on {uri}, seed 0", f"prompt on {uri}, seed 1", f"other on {uri}, seed 0"]
    assert all(len(one) <= several.slots for one in several.together)
    assert _rows(found) == _rows(running.study(file, alone))
    assert [o.cell.name for o in found.outcomes] == [
        f"{name} on {uri}, seed {seed}" for name in ("prompt", "other") for seed in (0, 1)
    ]


def test_a_cell_whose_process_died_has_failed_and_the_others_of_its_seed_go_on(
    file: Path, uri: str, tmp_path: Path
) -> None:
    lost = Several(lost=(f"prompt on {uri}, seed 0",))
    found = running.Sitting(checked(file).study, tmp_path / "out", lost).result()
    states = {o.cell.name: o.state for o in found.outcomes}
    died = states.pop(f"prompt on {uri}, seed 0")
    assert (died.state, died.error, died.mend) == (
        cells.FAILED, "EnvironmentProblem: The process died.", "Ask for memory.",
    )  # fmt: skip
    assert {state.state for state in states.values()} == {cells.DONE}
    assert running.study(file, tmp_path / "out").complete  # it is tried again


def test_parts_are_gathered_by_the_whole(
    file: Path, tmp_path: Path, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    second = running.study(file, out, part="2/3")
    assert [(o.cell.mitigation, o.cell.seed) for o in second.outcomes] == [("prompt", 1)]
    assert not (out / "study.json").exists()
    so_far = load(out)  # what `study show` reads
    assert [(o.cell.mitigation, o.cell.seed, str(o.record.verdict)) for o in so_far.outcomes if o.record] == [
        (o.cell.mitigation, o.cell.seed, str(o.record.verdict)) for o in second.outcomes if o.record
    ]
    assert (so_far.parts, so_far.complete, len(so_far.outcomes)) == (("2/3",), False, 1)
    parts = [running.study(file, out, part=f"{number}/3") for number in (1, 2, 3)]
    assert sorted(len(one.outcomes) for one in parts) == [1, 1, 2]
    assert all(o.record is not None for one in parts for o in one.outcomes)
    together = load(out)
    assert (together.parts, together.complete) == (("1/3", "2/3", "3/3"), False)  # nothing is gathered yet
    assert (len(together.chosen), _rows(together)) == (1, _rows(running.study(file, alone)))
    monkeypatch.setattr(running.pieces, "verify", None)  # every cell is read
    whole = running.study(file, out)
    assert whole.complete
    assert len(whole.chosen) == 1
    assert (load(out).parts, load(out).complete) == ((), True)
    monkeypatch.undo()
    assert _rows(whole) == _rows(running.study(file, alone))


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", ""])
def test_what_is_no_part(part: str) -> None:
    with pytest.raises(BadOption, match="is no part"):
        running.parse_part(part)
