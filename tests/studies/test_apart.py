"""Families of control models in other processes: what travels, what comes back, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evenhand.errors import BadData, UsageError
from evenhand.studies import verbs
from evenhand.studies.apart import Apart
from evenhand.studies.looks import Reached
from evenhand.workers import Ended, Piece
from tests.studies.test_looks import Bench


class Backwards:
    """Does what was begun last first, by `do`."""

    slots = 2

    def __init__(self, do: Any) -> None:
        self.begun: list[Piece] = []
        self.do = do

    def begin(self, piece: Piece) -> None:
        self.begun.append(piece)

    def ended(self) -> Ended:
        return Ended(self.begun[-1].key, **self.do(self.begun.pop().key))


def _asked() -> Any:
    cells = SimpleNamespace(store=SimpleNamespace(folder=Path("run")), seed=0, limit=None)
    maker = SimpleNamespace(
        cells=cells, shift=None, treatment=None, examples=(), bias=(), capability=(), extent="standard"
    )
    case = SimpleNamespace(before=None, margins=None, seed=0)
    return SimpleNamespace(maker=maker, case=case, clock=SimpleNamespace(left=lambda: None))


def _searches() -> list[Any]:
    found = []
    for name in ("sham", "noise", "plain text"):
        search = Bench().search()
        search.name = name
        found.append(search)
    return found


def test_each_family_takes_up_what_its_own_process_reached() -> None:
    searches, done = _searches(), []
    searches[2].failed = "No answer changed."
    made = Bench().search()
    made.reach(6, lambda _: None)
    reached = {"sham": made.reached(), "noise": Reached(failed="It broke.")}
    workers = Backwards(lambda key: {"value": reached[key]})
    Apart(workers, "lab:causal", None, None).reach(_asked(), searches, 6, done.append)
    assert [len(search.models) for search in searches] == [6, 0, 0]
    assert searches[0].losses == made.losses
    assert [search.failed for search in searches] == ["", "It broke.", "No answer changed."]
    assert sorted(done) == [0, 6]
    assert not any(search.wants(6) for search in searches)


def test_a_process_that_could_not_ends_the_run_after_the_others_have_ended() -> None:
    searches = _searches()
    gone = BadData("The data are gone.", mend="Bring them back.")
    workers = Backwards(
        lambda key: {"error": gone} if key == "plain text" else {"value": Reached(inert=True)}
    )
    with pytest.raises(BadData, match="gone"):
        Apart(workers, "lab:causal", None, None).reach(_asked(), searches, 6, lambda _: None)
    assert workers.begun == []
    assert [search.inert for search in searches] == [True, True, False]


def test_other_processes_without_control_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no control model is asked for"):
        verbs.verify("lab:causal", "prompt", control="none", on="ray", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
