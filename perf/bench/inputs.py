"""What the cases run on: models with random weights, tokenizers, texts, and how large all of it is.

Speed does not depend on the weights. Matrices are doubled after their initialisation, so that a wrong mask or
a wrong position shows in the numbers at once.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from evenhand import registry
from evenhand.errors import EvenhandError
from evenhand.models.causal import CausalModel
from evenhand.models.masked import MaskedModel
from evenhand.records import Continuation, Example

from .harness import Skip

VOCABULARY = 50_257
SIZES = {"small": (4, 256), "124m": (12, 768)}
"""Layers and width; heads are 64 wide."""


@dataclass(frozen=True)
class Setting:
    """How large a run is, and where it computes."""

    size: str = "small"
    device: str = "cpu"
    items: int | None = None  # the most of a workload; None for as many as the size has

    @cached_property
    def layers(self) -> int:
        return SIZES[self.size][0]

    @cached_property
    def width(self) -> int:
        return SIZES[self.size][1]

    def of(self, small: int, large: int) -> int:
        """How many items of a workload: `small` at the size ``small``, else `large`; no more than `items`."""
        found = small if self.size == "small" else large
        return found if self.items is None else min(found, self.items)


def tokenizer_for(texts: Sequence[str], *, masked: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on the texts themselves: whole words, as a large vocabulary would give.

    With `masked` it has BERT's marks, and puts two of them around every text.
    """
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    marks = ["[PAD]", "[CLS]", "[SEP]", "[MASK]"] if masked else ["<end>"]
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        special_tokens=marks,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    kind: Any = PreTrainedTokenizerFast  # its arguments are not annotated
    names: dict[str, str] = {"eos_token": "<end>", "pad_token": "<end>"}
    if masked:
        core.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B [SEP]",
            special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
        )
        names = dict(zip(("pad_token", "cls_token", "sep_token", "mask_token"), marks, strict=True))
    made: PreTrainedTokenizerFast = kind(tokenizer_object=core, **names)
    return made


def causal(
    setting: Setting,
    texts: Sequence[str],
    kind: str = "gpt2",
    *,
    window: int = 1024,
    vocabulary: int = VOCABULARY,
) -> CausalModel:
    """A random ``gpt2`` or ``llama`` of the setting's size, with a tokenizer of `texts`."""
    heads = setting.width // 64
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made: PreTrainedModel
        if kind == "gpt2":
            made = GPT2LMHeadModel(
                GPT2Config(
                    vocab_size=vocabulary,
                    n_layer=setting.layers,
                    n_embd=setting.width,
                    n_head=heads,
                    n_positions=window,
                )
            )
        else:
            made = LlamaForCausalLM(
                LlamaConfig(
                    vocab_size=vocabulary,
                    hidden_size=setting.width,
                    intermediate_size=setting.width * 8 // 3,
                    num_hidden_layers=setting.layers,
                    num_attention_heads=heads,
                    num_key_value_heads=max(1, heads // 3),
                    max_position_embeddings=window,
                    tie_word_embeddings=True,
                )
            )
    return CausalModel(_ready(made, setting), tokenizer_for(texts), f"bench:{kind}")


def masked(setting: Setting, texts: Sequence[str]) -> MaskedModel:
    """A random BERT of the setting's size, with a tokenizer of `texts`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = BertForMaskedLM(
            BertConfig(
                vocab_size=30_522,
                hidden_size=setting.width,
                num_hidden_layers=setting.layers,
                num_attention_heads=setting.width // 64,
                intermediate_size=4 * setting.width,
                pad_token_id=0,
            )
        )
    return MaskedModel(_ready(made, setting), tokenizer_for(texts, masked=True), "bench:bert")


def _ready(module: Any, setting: Setting) -> Any:
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() > 1:
                parameter.mul_(2)
    module.train(False)
    return module.to(setting.device)


def samples(spec: str, count: int) -> list[Any]:
    """About `count` of the benchmark's samples, evenly spread, with the requests of each.

    Raises:
        Skip: the benchmark's data is not here.
    """
    benchmark = registry.create("benchmark", spec)
    try:
        whole = benchmark.load()
    except EvenhandError as error:
        raise Skip(str(error).splitlines()[0]) from None
    chosen = whole[:: max(1, len(whole) // count)][:count]
    return [benchmark.ask(sample) for sample in chosen]


def prompts(count: int) -> list[Continuation]:
    """About `count` prompts of GenBiasEval, each with "he" and with "she"."""
    asked = (request for requests in samples("genbiaseval:part=all", count) for request in requests)
    return [r for r in asked if isinstance(r, Continuation) and r.text.strip() in ("he", "she")]


def examples(count: int) -> list[Example]:
    """The same prompts as training examples."""
    contexts = dict.fromkeys(request.context for request in prompts(count))
    return [
        Example(f"prompt/{i}", f"prompt/{i}", context, ("male", "female"), ((" he",), (" she",)))
        for i, context in enumerate(contexts)
    ]


def few_shot(people: int, shots: int = 16) -> list[Continuation]:
    """Two answers for each of `people` and their twins, after `shots` examples in common."""
    draw = random.Random(0)
    jobs = ("Sales", "Craft repair", "Exec managerial", "Farming", "Tech support", "Machine operation")
    schools = ("Bachelors", "Some college", "High school", "Masters", "Doctorate")

    def record(sex: str) -> str:
        return (
            f"A person of age {draw.randint(17, 80)} works in the private sector as {draw.choice(jobs)} for "
            f"{draw.randint(10, 70)} hours per week, with a capital gain of {draw.randint(0, 9)} and a loss "
            f"of {draw.randint(0, 9)}, after the school {draw.choice(schools)}, born in the United States, "
            f"sex {sex}. "
            "Does this person earn more than fifty thousand dollars a year? Answer:"
        )

    answers = (" No", " Yes")
    shown = [record(draw.choice(("male", "female"))) + draw.choice(answers) for _ in range(shots)]
    questions = [record("male") for _ in range(people)]
    twins = [text.replace("sex male", "sex female") for text in questions]
    asked = ["\n".join([*shown, text]) for pair in zip(questions, twins, strict=True) for text in pair]
    return [Continuation(prompt, answer) for prompt in asked for answer in answers]
