"""A study gives a method that can resume a folder of its own, and takes it away when the fit is saved."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from evenhand.errors import BadData
from evenhand.folders import NOTE
from evenhand.mitigations._adversarial.training import Trainer
from evenhand.mitigations.faircon import FairCon
from evenhand.mitigations.lftf import Lftf
from evenhand.mitigations.prompt import Prompt
from evenhand.studies.resuming import check_treatment_of, kept_treatment, resumable
from evenhand.studies.verbs import VerifyOptions, mitigate, verify
from evenhand.treatments import About, load
from evenhand.treatments.prompt import PromptTreatment

FAIRCON = "faircon:rounds=3,length=2,lr=5e-3"
PEOPLE = "decisions:task=lab,shots=0,n=20,labels=left|smiled,train=12,dev=8"


class _Killed(Exception):
    pass


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rounds that were trained; the first attempt at round 1 dies."""
    trained: list[int] = []
    learn = Trainer._learn

    def dying(self: Trainer, number: int) -> Any:
        if number == 1 and 1 not in trained:
            trained.append(1)
            raise _Killed
        trained.append(number)
        return learn(self, number)

    monkeypatch.setattr(Trainer, "_learn", dying)
    return trained


def test_mitigate_goes_on_where_it_was_killed(uri: str, rounds: list[int], tmp_path: Path) -> None:
    options, out = VerifyOptions(benchmarks=(PEOPLE,)), tmp_path / "treated"
    with pytest.raises(_Killed):
        mitigate(uri, FAIRCON, out, options)
    assert [p.name for p in tmp_path.iterdir()] == ["treated.unfinished"]
    found = mitigate(uri, FAIRCON, out, options)
    assert rounds == [0, 1, 1, 2]  # round 0 is not trained again
    assert [p.name for p in tmp_path.iterdir()] == ["treated"]
    whole = mitigate(uri, FAIRCON, tmp_path / "whole", options)
    assert found["digest"] == whole["digest"] == load(out).digest
    assert rounds[4:] == [0, 1, 2]


def test_verify_keeps_the_checkpoint_in_its_run(uri: str, rounds: list[int], tmp_path: Path) -> None:
    capability = ("decision_accuracy:task=lab,shots=0,n=20,labels=left|smiled",)
    options = VerifyOptions(benchmarks=(PEOPLE,), capability=capability, control="none", out=tmp_path)
    with pytest.raises(_Killed):
        verify(uri, FAIRCON, options)
    assert list((tmp_path / "unfinished").glob("faircon-*/state.json"))
    record = verify(uri, FAIRCON, options)
    assert rounds == [0, 1, 1, 2]
    assert record.proof["digest"] == load(tmp_path / "treatment").digest
    assert not (tmp_path / "unfinished").exists()


def test_a_treatment_is_kept_under_its_key_and_what_a_kill_left_beside_it_is_swept(tmp_path: Path) -> None:
    fitted: list[str] = []

    def fit(method: Any) -> PromptTreatment:
        fitted.append(method.text)
        return PromptTreatment(About("prompt", "0" * 64, 0), method.text)

    one, two = Prompt(text="Be fair."), Prompt(text="Be very fair.")
    first = kept_treatment(tmp_path, "1", one, fit)
    left = tmp_path / ".treatment.evenhand"
    (left / "old").mkdir(parents=True)  # killed when the new treatment was already in its place
    (left / NOTE).touch()
    assert kept_treatment(tmp_path, "1", one, fit) == first
    assert [path.name for path in tmp_path.iterdir()] == ["treatment"]
    assert kept_treatment(tmp_path, "2", two, fit) == load(tmp_path / "treatment") != first
    assert fitted == [one.text, two.text]
    (tmp_path / "treatment" / "prompt.txt").write_text("Mine.")
    check_treatment_of(tmp_path)  # it may be taken up as it is
    with pytest.raises(BadData, match=r"its file prompt\.txt was changed"):
        kept_treatment(tmp_path, "1", one, fit)
    (tmp_path / "treatment" / "key.txt").unlink()
    with pytest.raises(BadData, match=r"its file prompt\.txt was changed"):
        check_treatment_of(tmp_path)


def test_a_folder_of_ones_own_is_kept_and_other_methods_are_left_alone(tmp_path: Path) -> None:
    mine = FairCon(resume=str(tmp_path))
    with resumable(mine, tmp_path / "unfinished") as given:
        assert given is mine
    with resumable(Lftf(), tmp_path / "unfinished") as given:
        assert given == Lftf()
    with resumable(FairCon(), tmp_path / "unfinished") as given:
        assert given == dataclasses.replace(FairCon(), resume=str(tmp_path / "unfinished"))
    assert tmp_path.exists()
