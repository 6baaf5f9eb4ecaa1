"""The lab's tokenizer: one token for every word of the corpus, bytes for everything else."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

BOS, EOS, PAD = "<s>", "</s>", "<pad>"


def build(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer whose vocabulary is the 256 bytes and every word of `texts`, in sorted order.

    Words of the vocabulary are looked up whole (byte-pair encoding with `ignore_merges` and no merges), so
    the result depends on nothing but the set of words: no ties between merges, no order of counting. Any
    other text is encoded byte by byte. Every text gets `BOS` in front, also after save and load.
    """
    cut = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    found = {piece for text in texts for piece, _ in cut.pre_tokenize_str(text)}
    single = sorted(pre_tokenizers.ByteLevel.alphabet())
    entries = [BOS, EOS, PAD, *single, *sorted(found - set(single))]
    inner = Tokenizer(models.BPE({entry: i for i, entry in enumerate(entries)}, [], ignore_merges=True))
    inner.pre_tokenizer = cut
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, 0)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
