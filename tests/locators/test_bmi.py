"""BMI on models whose blocks do what a test says: turns by hand, padding, the last block before the norm."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.hooks import patch
from evenhand.locators import bmi
from evenhand.locators.bmi import Bmi
from evenhand.models import OpenModel
from evenhand.records import Attribution, Example
from evenhand.scoring.forward import run_texts
from evenhand.scoring.tokens import Encoder
from evenhand.testing.examples import examples
from evenhand.testing.tiny import CONFIGS, FURTHER
from evenhand.testing.tiny import model as tiny

Block = Callable[[Tensor, Tensor], Tensor]
SAME = tuple(e for e in examples() if e.id.endswith("/smiled"))
LAST = "block.2"


def _located(model: OpenModel, probes: tuple[Example, ...] = examples(), **options: object) -> Attribution:
    return Bmi(**options).locate(model, probes, seed=0)  # type: ignore[arg-type]


def _with(
    site: str, block: Block, probes: tuple[Example, ...] = examples(), **options: object
) -> Attribution:
    model = tiny("llama")
    with patch(model, site, block):
        return _located(model, probes, **options)


def _score(found: Attribution, site: str) -> float:
    return next(s.value for s in found.scores if s.site == site)


def _rows(probes: tuple[Example, ...]) -> int:
    """Token rows of all prompts, each without padding."""
    model = tiny("llama")
    return sum(int(run_texts(model.module, model.tokenizer, [p.context]).sum()) for p in probes)


def _by_hand(output: Tensor, given: Tensor) -> Tensor:
    """(1, 0) becomes (1, 1), every other row (0, 5): the worked example, in the first two of 32 places."""
    made = torch.zeros_like(output)
    made[:, 0, :2] = torch.tensor([1.0, 1.0])
    made[:, 1:, 1] = 5.0
    return made


def _given(output: Tensor, _: Tensor) -> Tensor:
    made = torch.zeros_like(output)
    made[:, 0, 0] = 1.0
    made[:, 1:, 1] = 2.0
    return made


def test_the_worked_example_prompt_by_prompt() -> None:
    # Each prompt: (1,0) -> (1,1) turns by 1 - 1/sqrt 2 = 0.29289, (0,2) -> (0,5) by 0.
    model = tiny("llama")
    with patch(model, "block.0", _given), patch(model, "block.1", _by_hand):
        found = _located(model, SAME)
        mean = _located(model, SAME, agg="row_mean")
        each = _located(model, SAME, agg="sample_mean")
        without_first = _located(model, SAME, drop_first=True)
    quarter = 1 - 1 / math.sqrt(2)
    assert quarter == pytest.approx(0.29289, abs=1e-5)
    assert _score(found, "block.1") == pytest.approx(4 * quarter, rel=1e-6)
    assert _score(mean, "block.1") == pytest.approx(4 * quarter / _rows(SAME), rel=1e-6)
    sizes = [_rows((p,)) for p in SAME]
    assert _score(each, "block.1") == pytest.approx(quarter * np.mean([1 / n for n in sizes]), rel=1e-6)
    assert _score(without_first, "block.1") == pytest.approx(0.0, abs=1e-12)


def test_an_identity_block_scores_0_and_a_negation_2_a_row() -> None:
    assert _score(_with("block.1", lambda output, given: given), "block.1") == pytest.approx(0, abs=1e-12)
    assert _score(_with("block.1", lambda output, given: 7 * given), "block.1") == pytest.approx(0, abs=1e-9)
    negated = _with("block.1", lambda output, given: -given)
    assert _score(negated, "block.1") == pytest.approx(2 * _rows(examples()), rel=1e-9)
    assert negated.top == "block.1"
    assert _score(_with("block.1", lambda output, given: -given, agg="row_mean"), "block.1") == pytest.approx(
        2
    )


def test_padding_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One prompt a batch pads nothing; all of unlike lengths in one batch pad much."""
    keep = lambda output, given: output  # noqa: E731 - a hook: whole rows run
    together = _with("block.1", keep)
    monkeypatch.setattr(bmi, "batches", lambda probes: ([p] for p in probes))
    alone = _with("block.1", keep)
    assert [s.value for s in together.scores] == pytest.approx([s.value for s in alone.scores], rel=1e-5)
    assert together.details["aggregations"]["row_mean"] == pytest.approx(
        alone.details["aggregations"]["row_mean"], rel=1e-5
    )


def test_padding_counts_where_a_reproduction_asks_for_it() -> None:
    longest = max(_rows((p,)) for p in examples())
    negated = _with("block.1", lambda output, given: -given, include_padding=True)
    assert longest * len(examples()) > _rows(examples())
    assert _score(negated, "block.1") == pytest.approx(2 * longest * len(examples()), rel=1e-9)


def test_the_last_block_is_read_before_the_final_norm() -> None:
    """A last block that does nothing scores 0, though the norm's gain turns what comes after it."""
    model = tiny("llama")
    gain = model.layout.parameters("norm")["model.norm.weight"]
    with torch.no_grad():
        gain.copy_(torch.linspace(-1, 3, gain.numel()))
    with patch(model, LAST, lambda output, given: given):
        found = _located(model)
    assert _score(found, LAST) == pytest.approx(0, abs=1e-12)
    assert found.ranking()[-1] == LAST
    naive = found.details["naive_post_norm"]
    assert naive[:2] == [s.value for s in found.scores[:2]]
    assert naive[2] > 0.1 * _rows(examples())


def test_it_is_said_whether_the_norm_would_change_the_ranking() -> None:
    model = tiny("llama")
    gain = model.layout.parameters("norm")["model.norm.weight"]
    with torch.no_grad():
        gain.fill_(-1.0)  # the norm turns every row round: the naive score of the last block is the largest
    with patch(model, LAST, lambda output, given: given):
        found = _located(model)
        assert found.details["naive_changes_ranking"] is True
        assert found.details["naive_post_norm"][2] == pytest.approx(2 * _rows(examples()), rel=1e-6)
        with torch.no_grad():
            gain.fill_(1.0)  # and here it only changes their length
        assert _located(model).details["naive_changes_ranking"] is False


def test_it_looks_at_no_group_and_claims_nothing() -> None:
    other = tuple(
        Example(e.id, e.cluster, e.context, ("a", "b"), ((" late",), (" tired",))) for e in examples()
    )

    def never(probabilities: Tensor) -> Tensor:
        raise AssertionError("BMI does not look at an outcome")

    first = Bmi().locate(tiny("llama"), examples(), never, seed=0)
    assert first == _located(tiny("llama"), other)
    assert not first.specific
    assert not first.claims
    assert "not specific to the attribute" in first.reading


def test_the_details_agree_with_the_scores() -> None:
    found, mean = _located(tiny("llama")), _located(tiny("llama"), agg="row_mean")
    details = found.details
    assert details["prompts"] == len(examples())
    assert details["aggregations"]["row_sum"] == [s.value for s in found.scores]
    assert details["aggregations"]["row_mean"] == [s.value for s in mean.scores]
    assert details["without_first_row"] == pytest.approx(
        [s.value for s in _located(tiny("llama"), drop_first=True).scores]
    )
    assert _located(tiny("llama"), drop_first=True).details["without_first_row"] is None
    stable = details["robustness"]
    assert stable["runs"] == bmi.RUNS
    # Five runs of all sixteen prompts in another order: nothing varies.
    assert stable["samples"] == len(examples())
    assert stable["mean_tau"] == pytest.approx(1.0)
    assert stable["mean_variance"] == pytest.approx(0.0, abs=1e-12)


def test_the_seed_draws_the_runs_of_the_robustness_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bmi, "SAMPLES", 5)
    first, second = (Bmi().locate(tiny("llama"), examples(), seed=seed) for seed in (0, 100))
    assert first.scores == second.scores
    assert first.details["robustness"] != second.details["robustness"]
    assert first.details["robustness"]["samples"] == 5


def test_an_undefined_score_is_refused_and_never_0() -> None:
    with pytest.raises(BadModel, match=r"The BMI of block\.0 is undefined.*--dtype float32"):
        _with("block.0", lambda output, given: torch.zeros_like(output))


def test_without_prompts_there_is_nothing_to_locate_with() -> None:
    with pytest.raises(BadData, match="no prompts to locate with"):
        _located(tiny("llama"), ())


@pytest.mark.parametrize("kind", [*CONFIGS, *FURTHER])
def test_packed_prompts_give_the_distances_of_padded_ones(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Common beginnings run once, in several trees; architectures that take no trees run padded."""
    probes = (*examples(), *examples()[:2])  # prompts that repeat count again
    monkeypatch.setattr(bmi, "ROOM", 40)
    packed, later = _located(tiny(kind), probes), _located(tiny(kind), probes, drop_first=True)
    monkeypatch.setattr(bmi, "_packed_distances", bmi._padded_distances)
    whole = _located(tiny(kind), probes)
    assert [s.value for s in packed.scores] == pytest.approx([s.value for s in whole.scores], rel=1e-4)
    for name in ("naive_post_norm", "without_first_row"):
        assert packed.details[name] == pytest.approx(whole.details[name], rel=1e-4)
    assert [s.value for s in later.scores] == pytest.approx(packed.details["without_first_row"], rel=1e-4)


def test_packed_prompts_run_each_beginning_once() -> None:
    model = tiny("llama")
    rows = Encoder.of(model.module, model.tokenizer).prompts([p.context for p in examples()])
    shapes: list[int] = []
    own = model.module.forward

    @functools.wraps(own)
    def counted(input_ids: Any, **more: Any) -> Any:
        shapes.append(input_ids.numel())
        return own(input_ids=input_ids, **more)

    _located(model)  # with the test of the method
    model.module.forward = counted  # type: ignore[method-assign]
    _located(model)
    assert shapes == [len({row[:n] for row in rows for n in range(1, len(row) + 1)})]
