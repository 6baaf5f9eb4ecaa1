"""Fine-tuning from the lowest trained block: the usual loop's weights, with a fraction of its tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from evenhand.hooks import patch, restore
from evenhand.models import OpenModel
from evenhand.opening import close_model
from evenhand.records import Example
from evenhand.scoring import kept, restarting
from evenhand.scoring.asking import whole_rows
from evenhand.scoring.kept import kept_of
from evenhand.scoring.plan import Row
from evenhand.scoring.probe import choose
from evenhand.scoring.terms import Outcomes, Prompts, outcomes
from evenhand.scoring.tokens import Encoder
from evenhand.testing import tiny
from evenhand.testing.examples import examples
from evenhand.training.finetune import Plan, Recipe, trained
from evenhand.training.objectives import kl, mass_preserving, nll
from evenhand.training.parameters import only_these_train
from evenhand.training.restarts import Base, run_above
from tests.support.changes import CHANGES
from tests.support.counting import tokens_by_block

pytestmark = pytest.mark.filterwarnings("ignore")

KINDS = (*tiny.CONFIGS, *tiny.FURTHER)
# Two terms of several tokens, so that a prompt is read at more than one position.
LONG = tuple(
    Example(e.id, e.cluster, e.context, e.groups, ((" he", " xylophones"), (" she", " they were")))
    for e in examples()
)
ROWS = Prompts(tiny.model("llama"), examples()).plan(range(16)).rows
WIDTH = len(ROWS[0].ids)
Loss = Callable[[Outcomes, Outcomes], Tensor]


def _nll(now: Outcomes, base: Outcomes, chosen: Tensor) -> Tensor:
    return nll(now.log_p)


def _both(now: Outcomes, base: Outcomes, chosen: Tensor) -> Tensor:
    whole = kl(torch.cat([base.log_p, base.log_rest], dim=1), torch.cat([now.log_p, now.log_rest], dim=1))
    return whole + mass_preserving(now.log_p, now.log_rest, base.log_p, base.log_rest)


def _sgd(
    model: OpenModel, names: list[str], loss: Loss, rate: float, steps: int, usual: bool
) -> list[Tensor]:
    """The named weights after some steps of SGD, by the usual loop or from the lowest trained block."""
    given = LONG
    by_name = dict(model.module.named_parameters())
    parameters = [by_name[name] for name in names]
    with torch.enable_grad(), only_these_train(model.module, parameters):
        prompts = Prompts(model, given)
        run = whole_rows(model.module) if usual else run_above(model, names, prompts)
        assert usual or type(run).__name__ == "_From", "the fast way was not taken"
        base = Base(model, names, prompts, run)
        batches = [[(5 * step + i) % len(given) for i in range(5)] for step in range(steps)]
        with torch.no_grad():
            first = {row: outcomes(model, [given[row]]) for rows in batches for row in rows if usual}
        optimiser = torch.optim.SGD(parameters, lr=rate)
        for rows in batches:
            if usual:
                answers = Outcomes(
                    torch.cat([first[i].log_p for i in rows]), torch.cat([first[i].log_rest for i in rows])
                )
            else:
                answers = base.outcomes(rows)
            loss(prompts.outcomes(rows, run), answers, torch.tensor(rows)).backward()
            optimiser.step()
            optimiser.zero_grad()
        return [p.detach().clone() for p in parameters]


def _names(model: OpenModel, *sites: str) -> list[str]:
    return [name for site in sites for name in model.layout.parameters(site)]


def _moved_and_apart(model: OpenModel, site: str, loss: Loss, rate: float, steps: int) -> tuple[float, float]:
    """The largest change of a weight, and the largest difference between the two ways."""
    names = _names(model, site)
    by_name = dict(model.module.named_parameters())
    before = [by_name[name].detach().clone() for name in names]
    usual, ours = (_sgd(model, names, loss, rate, steps, way) for way in (True, False))
    return _worst(usual, before), _worst(usual, ours)


def _worst(first: list[Tensor], second: list[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_architecture_trains_to_the_weights_of_the_usual_loop(kind: str) -> None:
    """One long step of SGD, so that gradients are compared: random models blow up the rounding of more."""
    for site, loss in ((-1, _nll), (1, _both)):
        model = tiny.model(kind)
        if (
            kind == "persimmon"
        ):  # squared activations: the rounding of float32 alone is 1.1e-3 on some processors
            model.module.double()
        moved, apart = _moved_and_apart(model, model.layout.blocks()[site], loss, 100.0, steps=1)
        assert moved > 1e-4
        assert apart < 1e-3 * moved


@pytest.mark.parametrize(("kind", "rate"), [("gpt2", 0.5), ("llama", 0.01)])
def test_in_float32_every_weight_is_within_1e_6(kind: str, rate: float) -> None:
    for site in ("block.1", "block.2"):
        moved, apart = _moved_and_apart(tiny.model(kind), site, _both, rate, steps=6)
        assert moved > 4e-5
        assert apart < 1e-6


def _fit(model: OpenModel, epochs: int, loss: Loss = _nll, n: int = 16) -> list[int]:
    """The tokens that each block runs in a fit of block 2 without its proof."""
    names = _names(model, "block.2")
    with tokens_by_block(model) as tokens:
        trained(model, names, examples()[:n], loss, Plan("test", Recipe(1e-4, epochs, 16), 0))
    return tokens


def _size(rows: Sequence[Row], kind: str) -> int:
    """The tokens of one pass: of the prefix tree, counted as distinct beginnings, or of the padded batch."""
    if kind == "bloom":
        return len(rows) * max(len(row.ids) for row in rows)
    return len({row.ids[: n + 1] for row in rows for n in range(len(row.ids))})


@pytest.mark.parametrize("kind", ["llama", "bloom"])
def test_what_lies_below_runs_once_however_long_the_training_lasts(kind: str) -> None:
    # 16 prompts once to keep their states; a few of them once as whole rows and once from block 2 on, for the
    # test; every epoch then runs the 16 prompts through block 2 alone. ALiBi takes no trees.
    short, long = (_fit(tiny.model(kind), epochs) for epochs in (1, 4))
    once, some = _size(ROWS, kind), choose(ROWS)
    whole = len(some) * WIDTH
    assert short == [once + whole, once + whole, once + _size(some, kind) + whole]
    assert long == [short[0], short[1], short[2] + 3 * once]


def test_a_second_fit_of_the_same_block_keeps_the_states_and_the_base() -> None:
    model = tiny.model("llama")
    first, second = _fit(model, 1, _both), _fit(model, 1, _both)
    assert second[0] == 0 < first[0]
    assert second[2] < first[2]  # no test, and no base answers, which are read from their head inputs
    assert _fit(model, 1, _both, 8)[0] == 0


def test_other_weights_below_are_not_mistaken_for_the_same() -> None:
    model = tiny.model("llama")
    _fit(model, 1)
    weight = dict(model.module.named_parameters())["model.layers.0.mlp.up_proj.weight"]
    with restore([weight]):
        with torch.no_grad():
            weight.mul_(1.5)
        assert _fit(model, 1)[0] > 0
    assert _fit(model, 1)[0] == 0, "the old bits are back, and so are their states"
    with torch.no_grad():
        weight.mul_(1.5)
    assert _fit(model, 1)[0] > 0
    weight.data *= 1.5  # torch does not count this
    assert _fit(model, 1)[0] > 0
    model.module.model.layers[0].mlp.up_proj.weight = torch.nn.Parameter(weight.detach().clone())
    assert _fit(model, 1)[0] > 0, "another parameter with the same bits"


def test_a_loss_that_reads_no_base_computes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nobody read the base")

    monkeypatch.setattr("evenhand.training.restarts.head_inputs", never)
    _fit(tiny.model("llama"), 1)
    with pytest.raises(AssertionError, match="nobody read"):
        _fit(tiny.model("llama"), 1, _both)


def test_every_prompt_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    encode = Encoder.encode

    def counted(self: Encoder, items: Any) -> Any:
        asked.append(len(items))
        return encode(self, items)

    monkeypatch.setattr(Encoder, "encode", counted)
    _fit(tiny.model("llama"), 5, _both)
    assert asked == [2 * 16]  # two terms of 16 prompts, however many epochs


def test_hooks_on_the_model_see_whole_rows() -> None:
    model = tiny.model("llama")
    with patch(model, "block.0", lambda output, given: output):
        assert _fit(model, 2)[0] == 2 * 16 * WIDTH  # every epoch
        assert len(kept_of(model.module).states) == 0


def test_a_model_that_fails_the_test_runs_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.model("llama")
    monkeypatch.setattr(restarting, "limit", lambda module: -1.0)
    _fit(model, 1)
    assert _fit(model, 3)[0] == 3 * 16 * WIDTH  # every epoch, and the test is not made again
    assert run_above(model, _names(model, "block.2"), Prompts(model, examples())).__name__ == "<lambda>"


def test_large_tables_lie_in_a_file_and_hold_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.model("llama")
    names = _names(model, "block.2")
    inside = _sgd(model, names, _both, 0.01, 2, usual=False)
    kept.forget(model.module)
    monkeypatch.setattr(kept, "MEMORY", 0)
    outside = _sgd(model, names, _both, 0.01, 2, usual=False)
    assert _worst(inside, outside) == 0


def test_the_base_of_a_trained_head_stays_the_base_head() -> None:
    """Training every weight, head included: the base stays what it was before the first step."""
    model = tiny.model("gpt2")
    before = outcomes(model, examples())
    names = [name for name, _ in model.module.named_parameters()]
    parameters = list(model.module.parameters())
    prompts = Prompts(model, examples())
    with restore(parameters):
        base = Base(model, names, prompts, run_above(model, names, prompts))
        first = base.outcomes([0, 1]).log_rest
        with torch.no_grad():
            for parameter in parameters:
                parameter.mul_(1.1)
        later = base.outcomes([0, 1]).log_rest
    assert torch.equal(first, later)
    torch.testing.assert_close(first, before.log_rest[:2].detach(), atol=1e-5, rtol=0)


def test_closing_and_refreshing_free_what_was_kept() -> None:
    model = tiny.model("llama")
    for free in (model.refresh, lambda: close_model(model)):
        _fit(model, 1)
        assert len(kept_of(model.module).states) > 0
        free()
        assert len(kept_of(model.module).states) == 0


def _fitted(model: OpenModel) -> dict[str, Tensor]:
    plan = Plan("x", Recipe(lr=1e-3, epochs=1), 0)
    return trained(model, _names(model, "block.2"), examples(), _both, plan)[0]


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_beside_the_weights_is_noticed(change: str) -> None:
    used, fresh = tiny.model("llama"), tiny.model("llama")
    plain = _fitted(used)
    CHANGES[change](used.module)
    CHANGES[change](fresh.module)
    found = _fitted(used)
    assert _same(found, _fitted(fresh))
    assert not _same(found, plain)


def test_what_hooks_change_is_not_kept() -> None:
    """Nor is what was kept without them read while they are set."""
    plain = _fitted(tiny.model("llama"))
    used, fresh = tiny.model("llama"), tiny.model("llama")
    with patch(used, "block.0", lambda output, _: 1.5 * output):
        patched = _fitted(used)
    assert _same(_fitted(used), plain)
    with patch(used, "block.0", lambda output, _: 1.5 * output):
        assert _same(_fitted(used), patched)
    with patch(fresh, "block.0", lambda output, _: 1.5 * output):
        assert _same(_fitted(fresh), patched)


def test_the_flags_of_every_part_are_as_before() -> None:
    model = tiny.model("gpt2")
    model.module.train()
    model.module.transformer.h[1].eval()
    before = [part.training for part in model.module.modules()]
    trained(model, _names(model, "block.2"), examples(), _nll, Plan("x", Recipe(epochs=1), 0))
    assert [part.training for part in model.module.modules()] == before
