"""The lab's tokenizer: one token for every word of the corpus, bytes for everything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

BOS, EOS, PAD, MASK = "<s>", "</s>", "<pad>", "<mask>"
SENTINELS = ("<extra_id_0>", "<extra_id_1>")
_NAMED = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD, "mask_token": MASK}


@dataclass(frozen=True, slots=True)
class Form:
    """How texts become tokens for one family of models.

    `marks` are the special tokens, whose ids are their indices; `before` and `after` those that every text
    gets around it. With `spaced` the first word of a text is written as if a space stood before it.
    """

    marks: tuple[str, ...]
    before: str = ""
    after: str = ""
    spaced: bool = False
    padding: Literal["left", "right"] = "right"


CAUSAL = Form((BOS, EOS, PAD), before=BOS, padding="left")
MASKED = Form((BOS, EOS, PAD, MASK), before=BOS, after=EOS)
SEQ2SEQ = Form((PAD, EOS, *SENTINELS), after=EOS, spaced=True)


def build(texts: Iterable[str], form: Form = CAUSAL) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer whose vocabulary is the 256 bytes and every word of `texts`, in sorted order.

    Words of the vocabulary are looked up whole (byte-pair encoding with `ignore_merges` and no merges), so
    the result depends on nothing but the set of words: no ties between merges, no order of counting. Any
    other text is encoded byte by byte. Every text gets the marks of `form`, also after save and load.
    """
    cut = pre_tokenizers.ByteLevel(add_prefix_space=form.spaced, use_regex=True)
    found = {piece for text in texts for piece, _ in cut.pre_tokenize_str(text)}
    single = sorted(pre_tokenizers.ByteLevel.alphabet())
    entries = [*form.marks, *single, *sorted(found - set(single))]
    inner = Tokenizer(models.BPE({entry: i for i, entry in enumerate(entries)}, [], ignore_merges=True))
    inner.pre_tokenizer = cut
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(
        single=f"{form.before} $A {form.after}".strip(),
        pair=f"{form.before} $A $B {form.after}".strip(),
        special_tokens=[(mark, form.marks.index(mark)) for mark in (form.before, form.after) if mark],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner,
        **{name: mark for name, mark in _NAMED.items() if mark in form.marks},
        **({"extra_special_tokens": list(SENTINELS)} if SENTINELS[0] in form.marks else {}),
        padding_side=form.padding,
        clean_up_tokenization_spaces=False,
    )
