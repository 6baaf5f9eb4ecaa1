"""DAMA: its algebra by hand, its offsets one by one, and a bias that one MLP holds."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
import pytest
import torch

from evenhand.errors import BadData, BadModel, BadOption, NoEffect
from evenhand.mitigations._editing.offsets import Offsets, offsets, own_texts
from evenhand.mitigations._editing.passes import at_tokens
from evenhand.mitigations._editing.stacks import averaged
from evenhand.mitigations._editing.subjects import Token, requests
from evenhand.mitigations._editing.values import Search
from evenhand.mitigations.dama import Dama, _Fit, contrast, whitened
from evenhand.models import OpenModel
from evenhand.models.projections import output_projection
from evenhand.pls import projection_without
from evenhand.records import Attribution, Example, SiteScore
from evenhand.scoring.terms import outcomes
from evenhand.testing.cases import MitigationCase
from evenhand.testing.examples import examples
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny
from evenhand.treatments.weights import WeightTreatment

CASE = MitigationCase(
    "dama",
    "dama:token=last,contexts=1,components=2,v_num_grad_steps=3",
    no_lab="it changes what MLPs write, and the lab's bias passes through attention: the gap grows",
)
SEARCH = Search(steps=21, lr=0.5, kl=0.0625, decay=0.5, clamp=4.0, enough=0.05)
QUICK = Dama(blocks="1", contexts=0, components=2, v_num_grad_steps=3)
EVERY = ("llama", "gpt2", "bloom", "gemma", "opt", "phi", "gemma2")


def _fit(model: OpenModel, method: Dama = QUICK, **given: Any) -> WeightTreatment:
    return cast(WeightTreatment, method.fit(model, examples(), sites=given.get("sites"), seed=0))


def _fit_of(basis: np.ndarray) -> _Fit:
    return _Fit("block.1", np.eye(len(basis)), basis, 1.0, 0.5)


@pytest.mark.parametrize("kind", EVERY)
def test_the_mlp_writes_nothing_along_the_directions_whatever_it_is_given(kind: str) -> None:
    """(M W) k + M b = M (W k + b) for every key, and B' of it is 0; M (M W) = M W."""
    model = tiny(kind)
    basis = np.random.default_rng(0).standard_normal((32, 3))
    new = _fit_of(basis).weights(model)
    projection = output_projection(model, "block.1", "mlp")
    weight = new[projection.weight].double()
    weight = weight.T if projection.transposed else weight  # [width, inner]
    m = torch.from_numpy(projection_without(basis))
    assert torch.allclose(m @ weight, weight, atol=1e-5)
    old_bias = torch.zeros(32, dtype=torch.float64)
    new_bias = old_bias
    if projection.bias is not None:
        old_bias = model.module.get_parameter(projection.bias).detach().double()
        new_bias = new[projection.bias].double()
    keys = torch.randn(projection.width, 5, dtype=torch.float64)
    written = weight @ keys + new_bias[:, None]
    assert torch.allclose(written, m @ (projection.matrix().double() @ keys + old_bias[:, None]), atol=1e-4)
    assert (torch.from_numpy(basis).T @ written).abs().max() < 1e-3
    assert set(new) == {projection.weight, *([projection.bias] if projection.bias else [])}


def test_the_contrast_of_groups_by_hand() -> None:
    two = np.array([[[3.0, 1.0], [1.0, 0.0]]])  # one prompt, v_he = (3, 1), v_she = (1, 0)
    assert contrast(two) == pytest.approx(np.array([[2.0, 1.0]]))
    three = np.array([[[3.0, 0.0], [0.0, 0.0], [0.0, 3.0]]])  # mean (1, 1)
    assert contrast(three) == pytest.approx(np.array([[2.0, -1.0, -1.0, -1.0, -1.0, 2.0]]))


def test_whitening_by_hand() -> None:
    # U'U = diag(4, 1), C = I, lambda = 1: U diag(5, 2)^-1.
    keys = np.array([[2.0, 0.0], [0.0, 1.0]])
    assert whitened(keys, np.eye(2), 1.0) == pytest.approx(np.array([[0.4, 0.0], [0.0, 0.5]]))


def _found(
    model: OpenModel,
    chosen: tuple[Example, ...],
    how: Search,
    texts: tuple[str, ...] = ("The door was late.",),
    token: Token = "subject_last",
) -> Offsets:
    return offsets(model, "block.1", chosen, texts, (how, token))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt"])
def test_a_batch_of_prompts_gives_what_single_prompts_give(kind: str) -> None:
    model, how = tiny(kind), dataclasses.replace(SEARCH, steps=5, lr=0.05)
    chosen = examples()[::3]
    together = _found(model, chosen, how)
    for i, example in enumerate(chosen):
        alone = _found(model, (example,), how)
        assert together.keys[i] == pytest.approx(alone.keys[0], abs=1e-4)
        assert together.added[i] == pytest.approx(alone.added[0], abs=2e-3)
    assert together.added.shape == (len(chosen), 2, 32)


def test_an_offset_makes_the_model_say_its_group_and_stays_within_its_limit() -> None:
    model = tiny("llama", gain=20.0)
    free = dataclasses.replace(SEARCH, decay=0.0, kl=0.0, clamp=1e6)
    last = _found(model, examples()[:3], free, (), "last")
    assert last.last_loss < 0.5 * last.first_loss
    found = _found(model, examples()[:3], free)
    assert found.last_loss < found.first_loss
    tight = _found(model, examples()[:3], dataclasses.replace(free, clamp=0.1))
    _, start = at_tokens(model, output_projection(model, "block.1", "mlp").module, 1, examples()[:3])
    most = 0.1 * start.norm(dim=1)  # [3]
    assert (tight.added.norm(dim=2) <= most[:, None] * 1.0001).all()
    assert (tight.added.norm(dim=2) >= most[:, None] * 0.99).any()
    none = _found(model, examples()[:3], dataclasses.replace(free, decay=1e6))
    assert none.added.norm(dim=2).max() < found.added.norm(dim=2).max()


def test_keys_are_a_mean_over_contexts() -> None:
    model, how = tiny("llama"), dataclasses.replace(SEARCH, steps=2)
    one, both = (_found(model, examples()[:2], how, texts, "last").keys for texts in ((), ("It rained.",)))
    of = output_projection(model, "block.1", "mlp")
    behind = [request.contexts[1] for request in requests(examples()[:2], ["It rained."])]
    other, _ = at_tokens(model, of.module, 1, behind, "last")
    assert both == pytest.approx((one + other) / 2, abs=1e-4)
    assert float((one - other).abs().max()) > 1e-3


@pytest.mark.parametrize("kind", PROMISED)
def test_only_the_output_matrices_of_the_named_mlps_change(kind: str) -> None:
    model = tiny(kind)
    treatment = _fit(model)
    projection = output_projection(model, "block.1", "mlp")
    assert treatment.touches == {projection.weight, *([projection.bias] if projection.bias else [])}
    (said,) = treatment.about.details["projections"]
    assert said["components"] == 2
    assert said["largest_of_mm_minus_m"] < 1e-12
    assert 0 < said["removed_variance"] < 1


def _biased() -> tuple[OpenModel, tuple[Example, ...]]:
    """A model of two blocks whose last MLP alone says "he" of two professions and "she" of two.

    The prompts end with their subject. The MLP's output matrix is fitted, a few steps of Adam.
    """
    model = tiny("llama", gain=20.0, num_hidden_layers=2)
    probes = tuple(
        dataclasses.replace(e, context=f"The {e.cluster}") for e in examples() if e.id.endswith("/smiled")
    )
    weight = output_projection(model, "block.1", "mlp").module.get_parameter("weight")
    optimiser = torch.optim.Adam([weight], lr=0.02)
    sides = torch.tensor([0, 1, 0, 1])
    for _ in range(150):
        loss = -outcomes(model, probes).log_p[torch.arange(4), sides].mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    for parameter in model.module.parameters():
        parameter.grad = None
    model.refresh()
    return model, probes


def _separation(model: OpenModel, probes: tuple[Example, ...]) -> float:
    """How far apart the two kinds of profession are: the difference of their mean log-odds."""
    with torch.no_grad():
        log_p = outcomes(model, probes).log_p
    odds = log_p[:, 0] - log_p[:, 1]
    return float(odds[[0, 2]].mean() - odds[[1, 3]].mean())


def test_a_bias_that_an_mlp_holds_is_taken_out() -> None:
    """At most n - 1 = 3 directions of 32 take out what separates the professions.

    Its sham is the neighbour that fails: as many directions that take out as much variance, drawn without a
    look at the groups. Three directions hold all that four prompts can vary by, so one is compared.
    """
    model, probes = _biased()
    before = _separation(model, probes)
    assert before > 4
    method = Dama(blocks="1", contexts=0, components=3, v_weight_decay=0.0)
    with method.fit(model, probes, sites=None, seed=0).applied(model):
        assert abs(_separation(model, probes)) < 0.5 * before
    one = dataclasses.replace(method, components=1)
    with one.fit(model, probes, sites=None, seed=0).applied(model):
        own = _separation(model, probes)
    shams = []
    for seed in range(4):
        with one.sham(seed=seed).fit(model, probes, sites=None, seed=0).applied(model):
            shams.append(_separation(model, probes))
    assert abs(own) < sum(shams) / 4


def test_blocks_are_named_given_or_traced() -> None:
    model = tiny("llama")
    given = Attribution("theirs", True, tuple(SiteScore(f"block.{i}", float(i)) for i in range(3)), "")
    free = dataclasses.replace(QUICK, blocks="")
    # At the subject's token the last block's value is read by nothing: the next of the ranking is taken.
    assert _fit(model, free, sites=given).about.details["blocks"] == ["block.1"]
    last = _fit(model, dataclasses.replace(free, token="last", top=2), sites=given).about.details
    assert (last["blocks"], last["located_by"]) == (["block.1", "block.2"], "theirs")
    traced = _fit(model, free).about.details
    assert traced["located_by"] == "causal_tracing:part=mlp"
    assert _fit(model).about.details["located_by"] is None
    assert len(_fit(model, dataclasses.replace(QUICK, blocks="0+1")).about.details["projections"]) == 2


def test_directions_are_never_more_than_prompts_determine() -> None:
    asked = dataclasses.replace(QUICK, components=1024, prompts=5)
    (said,) = _fit(tiny("llama"), asked).about.details["projections"]
    assert said["components"] <= 4
    assert _fit(tiny("llama"), asked).about.details["prompts"] == 5


def test_three_groups_and_kept_prompts() -> None:
    three = tuple(
        dataclasses.replace(e, groups=("a", "b", "c"), terms=((" he",), (" she",), (" they were",)))
        for e in examples()
    )
    kept = (dataclasses.replace(three[0], id="kept", keep=True, span=None),)
    treatment = QUICK.fit(tiny("llama"), three + kept, sites=None, seed=0)
    assert treatment.about.details["prompts"] == len(three)


def test_whitened_keys_give_other_directions() -> None:
    model = tiny("llama")
    assert _fit(model).digest != _fit(model, dataclasses.replace(QUICK, whitening=20000.0)).digest


def test_what_it_cannot_work_on_is_refused() -> None:
    llama = tiny("llama")
    with pytest.raises(NoEffect, match=r"No change of the value of block\.2 at the subject_last token"):
        _fit(llama, dataclasses.replace(QUICK, blocks="2"))
    with pytest.raises(BadModel, match="as in a mixture of experts"):
        Dama().check(tiny("mixtral"), examples())
    with pytest.raises(BadOption, match="blocks=9"):
        Dama(blocks="9").check(llama, examples())
    with pytest.raises(BadOption, match="v_lr"):
        Dama(v_lr=0.0)
    with pytest.raises(BadData, match="does not say where its subject stands"):
        Dama().check(None, [dataclasses.replace(examples()[0], span=None)])
    with pytest.raises(BadData, match="at least two prompts"):
        QUICK.fit(llama, examples()[:1], sites=None, seed=0)
    llama.spec = dataclasses.replace(llama.spec, family="masked")
    with pytest.raises(BadModel, match=r"from left to right, .* is a masked model"):
        Dama().check(llama, examples())


def test_contexts_say_no_term_and_are_the_same_again() -> None:
    model = tiny("llama", bos=True)
    found = own_texts(model, examples(), 6)
    assert requests(examples(), found)[0].contexts[0] == examples()[0]  # the bare prompt comes first
    assert len(found) > 0
    assert all(not {"he", "she"} & set(text.lower().split()) for text in found)
    assert found == own_texts(model, examples(), 6)
    assert own_texts(model, examples(), 0) == []


def test_a_text_that_begins_as_another_prompt_does_shares_no_row_with_it() -> None:
    """A model may well write a prompt of the benchmark: the nurse's own, put before the carpenter's."""
    model, two = tiny("llama"), (examples()[0], examples()[4])
    how = dataclasses.replace(SEARCH, steps=4, lr=0.05)
    for token in ("subject_last", "last"):
        text = two[0].context
        together = offsets(model, "block.1", two, [text], (how, cast(Token, token)))
        for i, example in enumerate(two):
            alone = offsets(model, "block.1", [example], [text], (how, cast(Token, token)))
            assert together.added[i] == pytest.approx(alone.added[0], abs=2e-3)


def test_the_treated_weight_is_that_of_plain_numpy_and_scikit_learn() -> None:
    """U keys, V = v_a - v_b, B the x-weights of PLS from U W' to V, M = I - Q Q', W <- M W, b <- M b."""
    regression = pytest.importorskip("sklearn.cross_decomposition").PLSRegression
    model = tiny("gpt2")
    of, chosen = output_projection(model, "block.1", "mlp"), sorted(examples(), key=lambda e: e.id)
    u = averaged(model, of, requests(chosen, []))[0].numpy()  # [n, inner]
    found = offsets(model, "block.1", chosen, [], (dataclasses.replace(SEARCH, steps=4), "subject_last"))
    v = found.added[:, 0].numpy() - found.added[:, 1].numpy()  # [n, width]
    layer = model.module.transformer.h[1].mlp.c_proj  # type: ignore[union-attr, index]
    w, bias = layer.weight.detach().double().numpy().T, layer.bias.detach().double().numpy()
    b = regression(n_components=2, scale=False, tol=1e-14, max_iter=20000).fit(u @ w.T, v).x_weights_
    q = np.linalg.qr(b)[0]  # [width, 2]
    m = np.eye(32) - q @ q.T
    made = _fit(model).weights
    assert made[of.weight].double().numpy() == pytest.approx((m @ w).T, abs=1e-5)
    assert made[str(of.bias)].double().numpy() == pytest.approx(m @ bias, abs=1e-5)
    assert np.abs(m @ w - w).max() > 1e-3
