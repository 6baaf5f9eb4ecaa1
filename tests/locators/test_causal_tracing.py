"""Causal tracing on a model of two blocks whose effect is known, and the layout of its rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from evenhand.errors import BadData, BadModel
from evenhand.hooks import patch
from evenhand.locators.ablation import Ablation
from evenhand.locators.causal_tracing import KINDS, CausalTracing
from evenhand.models import OpenModel
from evenhand.records import Attribution, Example
from evenhand.testing.cases import LocatorCase
from evenhand.testing.examples import PROFESSIONS, examples
from evenhand.testing.tiny import PROMISED
from evenhand.testing.tiny import model as tiny

CASE = LocatorCase("causal_tracing", "causal_tracing:draws=1")
# Prompts of one action: the subject's last token is two before the prompt's last one.
PLAIN = tuple(e for e in examples() if e.id.endswith("/smiled"))


def _direction(model: OpenModel) -> Tensor:
    """Far from " she" to " he" in the head's space."""
    head = model.module.get_output_embeddings().weight.detach()
    ids = [model.tokenizer(form, add_special_tokens=False).input_ids[0] for form in (" he", " she")]
    difference = head[ids[0]] - head[ids[1]]
    return 40 * difference / difference.norm()


def _sides(model: OpenModel) -> dict[int, float]:
    """+1 or -1 for the last token of each profession."""
    tokens = [model.tokenizer(f" {p}", add_special_tokens=False).input_ids[-1] for p in PROFESSIONS]
    return {token: 1.0 if i % 2 else -1.0 for i, token in enumerate(tokens)}


@contextmanager
def _made(reader: str) -> Iterator[OpenModel]:
    """Two blocks: `reader` writes "he" or "she" at the last token, by the subject; the other none.

    The subject's state two tokens before the end is compared with the embeddings of the professions: it is
    read where it equals one, and nothing is written under noise.
    """
    model = tiny("llama", num_hidden_layers=2, gain=20.0)
    sides, direction = _sides(model), _direction(model)
    table = model.module.get_input_embeddings().weight.detach()

    def writes(_: Tensor, given: Tensor) -> Tensor:
        changed = given.clone()
        for token, side in sides.items():
            same = (given[:, -3] - table[token]).abs().amax(dim=-1) < 1e-6  # [rows]
            changed[same, -1] = given[same, -1] + side * direction
        return changed

    other = "block.0" if reader == "block.1" else "block.1"
    with patch(model, reader, writes), patch(model, other, lambda _, given: given):
        yield model


def _located(model: OpenModel, **options: object) -> Attribution:
    return CausalTracing(**options).locate(model, PLAIN, None, seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("reader", ["block.0", "block.1"])
def test_the_whole_map_of_a_model_whose_effect_is_known(reader: str) -> None:
    """The reader's contribution brings all of the gap back, the other block's none; so do single states.

    Read in block 1: after block 0 the information is at the subject (1) and not yet at the end (0); after
    block 1 it is at the end (1), and the subject's state is read no more (0). Read in block 0: always at the
    end.
    """
    with _made(reader) as model:
        found = _located(model)
        ablated = Ablation().locate(model, PLAIN, seed=0)
    own = int(reader[-1])
    assert found.scores[own].value == pytest.approx(1.0, abs=1e-4)
    assert found.scores[1 - own].value == pytest.approx(0.0, abs=1e-4)
    assert found.top == reader
    assert found.claims
    table = [dict(zip(found.details["tokens"], row, strict=True)) for row in found.details["map"]]
    at_subject = [1.0, 0.0] if reader == "block.1" else [0.0, 0.0]
    at_end = [0.0, 1.0] if reader == "block.1" else [1.0, 1.0]
    assert [row["subject_last"] for row in table] == pytest.approx(at_subject, abs=1e-4)
    assert [row["last"] for row in table] == pytest.approx(at_end, abs=1e-4)
    assert [row["between"] for row in table] == pytest.approx([0.0, 0.0], abs=1e-4)
    # The neighbour gives the writer as well, and has no map: it cannot tell where the writer reads.
    assert ablated.top == reader
    assert "map" not in ablated.details


def test_a_mean_of_signed_effects_would_cancel() -> None:
    """Two professions are drawn to "he" and two to "she": the mean signed effect cancels, the share is 1."""
    with _made("block.1") as model:
        found = _located(model)

        def signed(p: Tensor) -> Tensor:
            return (p[:, 0] - p[:, 1]).mean()

        by_mean = CausalTracing().locate(model, PLAIN, signed, seed=0)
    assert found.scores[1].value == pytest.approx(1.0, abs=1e-4)
    assert abs(by_mean.scores[1].value) < 0.5 * found.details["moved"]


def test_no_noise_moves_nothing_and_nothing_is_restored() -> None:
    found = CausalTracing(noise=0.0).locate(tiny("llama"), PLAIN, None, seed=0)
    assert found.details["moved"] == pytest.approx(0.0, abs=1e-6)
    assert max(abs(s.value) for s in found.scores) < 1e-3


@pytest.mark.parametrize("kind", PROMISED)
def test_every_state_at_the_end_of_the_last_block_restores_all(kind: str) -> None:
    """The last block's output at the last token is all that is read: its share is 1 in every architecture."""
    found = CausalTracing(draws=1).locate(tiny(kind), examples(), None, seed=0)
    last = dict(zip(KINDS, found.details["map"][-1], strict=True))
    assert last["last"] == pytest.approx(1.0, abs=1e-3)
    assert last["between"] == pytest.approx(0.0, abs=1e-3)
    assert found.details["noise"] > 0


@pytest.mark.parametrize("part", ["attention", "mlp"])
def test_halves_of_a_block_are_traced_alone(part: str) -> None:
    model = tiny("llama", num_hidden_layers=2)
    whole = CausalTracing(part=part, draws=1).locate(model, PLAIN, None, seed=0)  # type: ignore[arg-type]
    with patch(model, f"block.1.{part}", lambda output, _: torch.zeros_like(output)):
        silent = CausalTracing(part=part, draws=1).locate(model, PLAIN, None, seed=0)  # type: ignore[arg-type]
    assert abs(whole.scores[1].value) > 1e-3
    assert silent.scores[1].value == pytest.approx(0.0, abs=1e-6)  # what always says 0 restores nothing


def test_one_noise_for_one_prompt_whatever_runs_beside_it() -> None:
    model = tiny("llama")
    both = CausalTracing(draws=2).locate(model, examples(), None, seed=5)
    again = CausalTracing(draws=2).locate(model, examples()[::-1], None, seed=5)
    other = CausalTracing(draws=2).locate(model, examples(), None, seed=6)
    assert [s.value for s in both.scores] == pytest.approx([s.value for s in again.scores], abs=1e-5)
    assert [s.value for s in both.scores] != pytest.approx([s.value for s in other.scores], abs=1e-5)


def test_terms_of_several_tokens_and_three_groups() -> None:
    three = tuple(
        Example(
            e.id, e.cluster, e.context, ("a", "b", "c"), ((" he",), (" she",), (" they were",)), span=e.span
        )
        for e in examples()
    )
    found = CausalTracing(draws=1).locate(tiny("gpt2"), three, None, seed=0)
    last = dict(zip(KINDS, found.details["map"][-1], strict=True))
    assert last["last"] is not None
    assert max(abs(s.value) for s in found.scores) > 1e-3


def test_a_prompt_without_a_subject_is_refused() -> None:
    lost = (dataclasses.replace(PLAIN[0], span=None),)
    with pytest.raises(BadData, match="does not say where its subject stands"):
        CausalTracing().locate(tiny("llama"), lost, None, seed=0)


def test_a_model_that_reads_both_ways_is_refused() -> None:
    model = tiny("llama")
    model.spec = dataclasses.replace(model.spec, family="masked")
    with pytest.raises(BadModel, match=r"from left to right.*is a masked model"):
        CausalTracing().locate(model, PLAIN, None, seed=0)
