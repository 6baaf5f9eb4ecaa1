"""Scoring: the workloads of the bias benchmarks, beside naive loops, padded batches and the harness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from evenhand.records import Continuation

from . import inputs, references, work
from .harness import Case, Numbers, Peer
from .inputs import Setting

BATCHES = (8, 32, 128)
NAIVE = 24  # requests of the naive loop: its cost grows with them alone, and the rest would take minutes
CLOSE = 1e-4  # nats
CLOSE_NARROW = 0.25  # nats: near -10 numbers of bfloat16 are .0625 apart, and theirs round to them
CLOSE_SUM = 1e-3  # nats, of a sum over the tokens of a sentence


def answers(model: Any, items: Sequence[Any]) -> Callable[[], Numbers]:
    """Our way: the model answers the requests."""
    return lambda: [answer.value for answer in model.answer(items)]


def _tokens(model: Any) -> str:
    report = model.scoring()
    return f"{report.run} tokens run of {report.asked} asked"


def genbiaseval(setting: Setting, kind: str = "gpt2") -> Case:
    """P(he) and P(she) after GenBiasEval's prompts."""
    items = inputs.prompts(setting.of(192, 2358))
    model = inputs.causal(setting, [i.context + i.text for i in items], kind)
    few = items[:NAIVE]
    return Case(
        "genbiaseval" if kind == "gpt2" else f"genbiaseval_{kind}",
        f"GenBiasEval, {len(items) // 2} prompts, {kind}",
        answers(model, items),
        (
            Peer(
                "one prompt at a time",
                lambda _: references.naive(model, few),
                share=len(few) / len(items),
                target=7,
            ),
            Peer("padded batches", lambda size: references.padded(model, items, size), BATCHES, target=3),
        ),
        CLOSE,
        work.of_scoring(model, work.spans(model, items)),
        0.65,
        detail=lambda: _tokens(model),
    )


def genbiaseval_bf16(setting: Setting) -> Case:
    """The same by a bfloat16 body with a float32 head, beside transformers in bfloat16 and beside float32."""
    items = inputs.prompts(setting.of(192, 2358))
    texts = [i.context + i.text for i in items]
    model, wide = inputs.causal(setting, texts), inputs.causal(setting, texts)
    model.module.to(torch.bfloat16)
    model.refresh()
    return Case(
        "genbiaseval_bf16",
        f"GenBiasEval, {len(items) // 2} prompts, gpt2 in bfloat16",
        answers(model, items),
        (
            Peer("padded batches, bfloat16", lambda size: references.padded(model, items, size), BATCHES),
            Peer("evenhand, float32", lambda _: answers(wide, items)()),
        ),
        CLOSE_NARROW,
        detail=lambda: _tokens(model),
    )


def few_shot(setting: Setting) -> Case:
    """Two answers for people and their twins after 16 examples in common."""
    items = inputs.few_shot(setting.of(25, 200))
    model = inputs.causal(setting, [i.context + i.text for i in items], window=2048)
    few = items[:8]
    return Case(
        "few_shot",
        f"16 shots, {len(items) // 4} x 2 prompts",
        answers(model, items),
        (
            Peer(
                "one prompt at a time",
                lambda _: references.naive(model, few),
                share=len(few) / len(items),
                target=25,
            ),
        ),
        CLOSE,
        work.of_scoring(model, work.spans(model, items)),
        0.6,
        detail=lambda: _tokens(model),
    )


def _beside_the_harness(  # noqa: PLR0917 - what one row of the table holds
    setting: Setting, name: str, what: str, items: Sequence[Continuation], target: float, tolerance: float
) -> Case:
    model = inputs.causal(setting, [i.context + i.text for i in items])
    theirs = references.harness(model)
    return Case(
        name,
        what,
        answers(model, items),
        (Peer("lm-eval HFLM", lambda size: theirs(items, size), BATCHES, target=target),),
        tolerance,
        work.of_scoring(model, work.spans(model, items)),
        0.6,
        detail=lambda: _tokens(model),
    )


def crows_causal(setting: Setting) -> Case:
    """log P of both sentences of CrowS-Pairs."""
    items = [
        item for pair in inputs.samples("crows_pairs:mode=lm_eval", setting.of(64, 1508)) for item in pair
    ]
    what = f"CrowS-Pairs, {len(items) // 2} pairs, causal"
    return _beside_the_harness(setting, "crows_causal", what, items, 1.7, CLOSE_SUM)


def bbq(setting: Setting) -> Case:
    """log P of the three answers to each question of BBQ."""
    items = [item for asked in inputs.samples("bbq", setting.of(32, 480)) for item in asked]
    what = f"BBQ, {len(items) // 3} questions x 3 answers"
    return _beside_the_harness(setting, "bbq", what, items, 6, CLOSE_SUM)


def crows_masked(setting: Setting) -> Case:
    """The pseudo-likelihood of both sentences of CrowS-Pairs, each shared token masked once."""
    items = [item for pair in inputs.samples("crows_pairs:mode=nangia", setting.of(16, 300)) for item in pair]
    model = inputs.masked(setting, [item.text for item in items])
    few = items[: max(2, len(items) // 4)]
    copies = references.copies(model, items)
    rows = {ids for ids, *_ in copies}
    head = work.of_head(model) + setting.width**2  # the layer before the vocabulary
    return Case(
        "crows_masked",
        f"CrowS-Pairs, {len(items) // 2} pairs, masked",
        answers(model, items),
        (
            Peer(
                "one mask at a time",
                lambda _: references.one_mask_at_a_time(model, few),
                share=len(references.copies(model, few)) / len(copies),
                target=3.3,
            ),
        ),
        CLOSE_SUM,
        float(sum(map(len, rows)) * work.of_blocks(model) + len(copies) * head),
        0.6,
        detail=lambda: _tokens(model),
    )


CASES: Mapping[str, Callable[[Setting], Case]] = {
    "genbiaseval": genbiaseval,
    "genbiaseval_llama": lambda setting: genbiaseval(setting, "llama"),
    "genbiaseval_bf16": genbiaseval_bf16,
    "few_shot": few_shot,
    "crows_causal": crows_causal,
    "crows_masked": crows_masked,
    "bbq": bbq,
}
