"""The search for values on losses done by hand, its batches, and passes with something added at a subject."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.mitigations._editing.aims import Aim
from evenhand.mitigations._editing.options import require_prompts
from evenhand.mitigations._editing.passes import Passages, Place, at_tokens
from evenhand.mitigations._editing.subjects import places, requests
from evenhand.mitigations._editing.values import Search, Values, batches, minimised
from evenhand.models.projections import mlp_projections, output_projection
from evenhand.scoring.terms import Outcomes, outcomes
from evenhand.testing.examples import examples
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny

SEARCH = Search(steps=25, lr=0.5, kl=0.0, decay=0.0, clamp=4.0, enough=0.05)


def _square(goal: Tensor) -> object:
    return lambda added, active: ((added - goal[active]) ** 2).sum(1)


def test_an_addition_is_no_longer_than_the_clamp_and_stops_when_it_is_enough() -> None:
    # v0 of length 1 and clamp 2: a goal at distance 10 is met at length 2, with loss (10 - 2)²; one at .1 is
    # met at once: loss .01 is below .05 at the first look, so nothing is added.
    goal = torch.tensor([[10.0, 0.0], [0.1, 0.0]])
    search = dataclasses.replace(SEARCH, clamp=2.0)
    added, first, last = minimised(_square(goal), torch.ones(2), 2, 0.0, search)  # type: ignore[arg-type]
    assert added[0].tolist() == [pytest.approx(2.0), pytest.approx(0.0)]
    assert first == [pytest.approx(100.0), pytest.approx(0.01)]
    assert last == [pytest.approx(64.0), pytest.approx(0.01)]
    assert added[1].tolist() == [0.0, 0.0]


def test_requests_of_a_batch_do_not_know_of_each_other() -> None:
    goal = torch.tensor([[3.0, 1.0], [-2.0, 0.5], [0.3, 0.3]])
    norms = torch.tensor([1.0, 2.0, 1.0])
    whole, *_ = minimised(_square(goal), norms, 2, 0.0, SEARCH)  # type: ignore[arg-type]
    for i in range(3):
        alone, *_ = minimised(_square(goal[i : i + 1]), norms[i : i + 1], 2, 0.0, SEARCH)  # type: ignore[arg-type]
        assert torch.equal(alone[0], whole[i])


def test_the_first_step_of_adam_is_the_rate_and_the_last_step_only_measures() -> None:
    goal = torch.tensor([[3.0, -3.0]])
    search = dataclasses.replace(SEARCH, steps=2, clamp=99.0)
    added, first, last = minimised(_square(goal), torch.ones(1), 2, 0.0, search)  # type: ignore[arg-type]
    assert added.tolist() == [[pytest.approx(0.5), pytest.approx(-0.5)]]
    assert (first, last) == ([18.0], [pytest.approx(2 * 2.5**2)])


def test_the_length_costs_its_weight_over_the_square_of_what_stands_there() -> None:
    # One coordinate at 1 after two steps of .5, both the same way: 3 * 1 / 2² = .75 beside (9 - 1)² = 64.
    search = dataclasses.replace(SEARCH, steps=3, decay=3.0, clamp=99.0)
    _, _, last = minimised(_square(torch.tensor([[9.0]])), torch.full((1,), 2.0), 1, 0.0, search)  # type: ignore[arg-type]
    assert last == [pytest.approx(64.75, abs=0.1)]


def test_a_loss_that_is_not_finite_is_refused() -> None:
    with pytest.raises(BadModel, match="not finite"):
        minimised(lambda added, active: added.sum(1) * math.nan, torch.ones(1), 2, 0.0, SEARCH)


def _now(*rows: tuple[float, float, float]) -> Outcomes:
    table = torch.tensor(rows, dtype=torch.float64).log()
    return Outcomes(table[:, :2], table[:, 2:])


def test_what_each_target_asks_for() -> None:
    # P = (.6, .2): balanced -(ln .6 + ln .2) / 2, never below ln 2; anti -ln .2, never below 0.
    now = _now((0.6, 0.2, 0.2))
    balanced, anti = Aim.of("balanced", now.log_p), Aim.of("anti", now.log_p)
    assert balanced.rows(now).item() == pytest.approx(-(math.log(0.6) + math.log(0.2)) / 2)
    assert balanced.floor == pytest.approx(math.log(2))
    assert anti.rows(now).item() == pytest.approx(-math.log(0.2))
    assert anti.floor == 0.0
    # One-sided it goes on to the other extreme, (.001, .998), where the balanced loss is worse than before.
    past = _now((0.001, 0.998, 0.001))
    assert anti.rows(past).item() < 0.01
    assert balanced.rows(past).item() > balanced.rows(now).item()


def test_the_symmetric_divergence_by_hand() -> None:
    # Shares (.75, .25) and (.5, .5): .25 ln 1.5 - .25 ln .5 = .25 ln 3, whatever the mass.
    for now in (_now((0.6, 0.2, 0.2)), _now((0.06, 0.02, 0.92))):
        aim = Aim.of("balanced", now.log_p, symmetric=True)
        assert aim.rows(now).item() == pytest.approx(0.25 * math.log(3))


def test_an_addition_of_a_sham_is_the_methods_own_or_its_opposite() -> None:
    own = Values(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), (1.0, 1.0), (0.5, 0.5))
    assert own.turned(torch.tensor([-1.0, 1.0])).added.tolist() == [[-3.0, -4.0], [1.0, 0.0]]
    assert own.turned(None) is own


def test_where_a_subject_ends_in_tokens() -> None:
    for bos in (False, True):
        model = tiny("llama", bos=bos)
        long = dataclasses.replace(examples()[0], context="The zebra keeper left because", span=(4, 16))
        assert len(model.tokenizer("The zebra keeper", add_special_tokens=False)["input_ids"]) > 4
        given = (*examples(), long)
        for example, place in zip(given, places(model, given), strict=True):
            assert example.span is not None
            ids = model.tokenizer(example.context)["input_ids"]
            head, rest = model.tokenizer.decode(ids[: place + 1]), model.tokenizer.decode(ids[place + 1 :])
            assert head.endswith(example.context[: example.span[1]])
            assert rest == example.context[example.span[1] :]


def test_a_text_before_a_prompt_moves_its_subject() -> None:
    (request,) = requests(examples()[:1], ["It rained."])
    bare, behind = request.contexts
    assert bare == examples()[0]
    assert behind.context == "It rained. The nurse smiled because"
    assert behind.span is not None
    assert behind.context[slice(*behind.span)] == "nurse"
    assert request.essence.context == "nurse is a"


def test_prompts_without_a_subject_are_refused() -> None:
    with pytest.raises(BadData, match=r"does not say where its subject stands.*genbiaseval.*span"):
        require_prompts([dataclasses.replace(examples()[0], span=None)])
    with pytest.raises(BadData, match="no prompts"):
        require_prompts([])


@pytest.mark.parametrize("kind", PROMISED)
def test_an_addition_is_what_changing_the_output_at_the_subject_does(kind: str) -> None:
    """Against the plain way: one prompt at a time, through all blocks, the output changed by a hook."""
    model, four = tiny(kind), [examples()[i] for i in (0, 5, 10, 15)]
    of = output_projection(model, "block.1", "mlp")
    added = torch.randn(4, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        passages = Passages(model, Place(of.module, 1), four, range(4))
        found = passages.prompts.outcomes(range(4), passages.run(added)).log_p
        untouched = passages.prompts.outcomes(range(4), passages.run(None)).log_p
        assert torch.allclose(untouched, outcomes(model, four).log_p, atol=1e-4)
        for i, (example, place) in enumerate(zip(four, places(model, four), strict=True)):

            def change(_: object, __: object, output: Tensor, i: int = i, place: int = place) -> Tensor:
                output.view(-1, 32)[place] += added[i]
                return output

            handle = of.module.register_forward_hook(change)
            try:
                alone = outcomes(model, [example]).log_p[0]
            finally:
                handle.remove()
            assert torch.allclose(found[i], alone, atol=1e-4)
    assert not torch.allclose(found, untouched, atol=1e-2)


@pytest.mark.parametrize("kind", PROMISED)
def test_a_map_gives_its_weight_times_its_key_whatever_the_order_in_which_it_is_stored(kind: str) -> None:
    model = tiny(kind)
    for of in mlp_projections(model, "block.1"):
        keys, found = at_tokens(model, of.module, 1, examples())
        bias = getattr(of.module, "bias", None)
        made = keys @ of.exact().T + (0 if bias is None else bias.detach().double())
        assert torch.allclose(found, made, rtol=1e-4, atol=1e-4)
        before = of.parameter.detach().clone()
        of.put(of.exact())
        assert torch.equal(of.parameter, before)
    assert output_projection(model, "block.1", "mlp").shape[0] == 32


@pytest.mark.parametrize("kind", ["mixtral", "gpt_oss", "qwen2_moe", "deepseek_v3"])
def test_experts_have_no_single_memory(kind: str) -> None:
    with pytest.raises(BadModel, match="mixture of experts"):
        output_projection(tiny(kind), "block.1", "mlp")


def test_prompts_that_would_share_a_row_run_in_different_batches() -> None:
    model = tiny("llama")
    four = [examples()[i] for i in (0, 1, 4, 8)]  # two of the nurse, one each of carpenter and teacher
    assert batches(model, requests(four, [])) == [[0, 2, 3], [1]]
    again = dataclasses.replace(examples()[4], context="The nurse smiled because it", span=(4, 9))
    with pytest.raises(RuntimeError, match="share a row"):
        Passages(
            model,
            Place(output_projection(model, "block.1", "mlp").module, 1),
            [examples()[0], again],
            range(2),
        )
