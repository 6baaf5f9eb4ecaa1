"""Convert a model of the llama2.c project (version-0 checkpoint, float32) into a Hugging Face folder.

``python -m tests.support.llama2c OUT`` converts the aidreams260K model of the shared data;
``python -m tests.support.llama2c OUT MODEL.bin TOKENIZER.bin`` any other.

Checkpoint: seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len), then the
tensors, each for all layers, in the order of `read_model`. Tokenizer: int32 length of the longest piece, then
per piece float32 score, int32 length, bytes. Pieces merge greedily by score; unknown characters fall back to
bytes.
"""

from __future__ import annotations

import re
import struct
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SHARED = Path(__file__).parents[2] / "../shared/data/models/aidreams260K"
_SPACE = "▁"
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def read_tokenizer(path: Path, size: int) -> tuple[list[str], list[float]]:
    """Pieces and their scores; a space in a piece is a space."""
    data, at = path.read_bytes(), 4
    pieces, scores = [], []
    for _ in range(size):
        score, length = struct.unpack_from("<fi", data, at)
        at += 8
        pieces.append(data[at : at + length].decode("utf-8"))
        scores.append(score)
        at += length
    assert at == len(data), "the file holds more than the pieces"
    return pieces, scores


def reference_ids(text: str, pieces: list[str], scores: list[float]) -> list[int]:
    """The greedy merging of llama2.c's `encode`, without its BOS: the pair of the highest score first."""
    index = {piece: i for i, piece in reversed(list(enumerate(pieces)))}
    ids = [index[" "]] if text else []
    for character in text:
        ids += [index[character]] if character in index else [byte + 3 for byte in character.encode()]
    while True:
        best, where = -1e10, -1
        for i, (left, right) in enumerate(pairwise(ids)):
            merged = index.get(pieces[left] + pieces[right])
            if merged is not None and scores[merged] > best:
                best, where = scores[merged], i
        if where < 0:
            return ids
        ids[where : where + 2] = [index[pieces[ids[where]] + pieces[ids[where + 1]]]]


def build_tokenizer(pieces: list[str], scores: list[float]) -> PreTrainedTokenizerFast:
    """A byte-pair encoding whose merges are ranked by the score of what they make; BOS before every text."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors

    written = ["<unk>", "<s>", "</s>", *(piece.replace(" ", _SPACE) for piece in pieces[3:])]
    vocabulary = {piece: i for i, piece in enumerate(written)}
    ranked = sorted(
        (i for i, piece in enumerate(written) if i > 2 and len(piece) > 1 and not _BYTE.fullmatch(piece)),
        key=lambda i: -scores[i],
    )
    merges = [
        (piece[:cut], piece[cut:])
        for piece in (written[i] for i in ranked)
        for cut in range(1, len(piece))
        if piece[:cut] in vocabulary and piece[cut:] in vocabulary
    ]
    inner = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend(_SPACE), normalizers.Replace(" ", _SPACE)])
    inner.decoder = decoders.Sequence(
        [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        clean_up_tokenization_spaces=False,
    )


def read_model(path: Path) -> LlamaForCausalLM:
    """The checkpoint as a Llama model with tied embeddings.

    llama2.c rotates neighbouring coordinates, transformers the two halves of a head: the rows of the query
    and key matrices are put into the other order.
    """
    data = path.read_bytes()
    dim, hidden, layers, heads, kv_heads, vocabulary, window = struct.unpack_from("<7i", data)
    assert vocabulary > 0, "a negative size means an untied head, which is not needed here"
    numbers = torch.from_numpy(np.frombuffer(data, dtype="<f4", offset=28).copy())
    width = dim // heads
    shapes = {
        "embed": (vocabulary, dim),
        "input_layernorm": (layers, dim),
        "self_attn.q_proj": (layers, dim, dim),
        "self_attn.k_proj": (layers, kv_heads * width, dim),
        "self_attn.v_proj": (layers, kv_heads * width, dim),
        "self_attn.o_proj": (layers, dim, dim),
        "post_attention_layernorm": (layers, dim),
        "mlp.gate_proj": (layers, hidden, dim),
        "mlp.down_proj": (layers, dim, hidden),
        "mlp.up_proj": (layers, hidden, dim),
        "norm": (dim,),
        "rotary": (2, window, width // 2),
    }
    tensors, at = {}, 0
    for name, shape in shapes.items():
        count = int(np.prod(shape))
        tensors[name] = numbers[at : at + count].view(shape)
        at += count
    assert at == len(numbers), "the file holds more than the tensors"
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=dim,
            intermediate_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            max_position_embeddings=window,
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
    state = {"model.embed_tokens.weight": tensors.pop("embed"), "model.norm.weight": tensors.pop("norm")}
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    tensors.pop("rotary")
    for name, stacked in tensors.items():
        for layer in range(layers):
            value = stacked[layer]
            if name.endswith(("q_proj", "k_proj")):
                value = _halves(value, value.shape[0] // width)
            state[f"model.layers.{layer}.{name}.weight"] = value
    model.load_state_dict(state)
    return model.eval()


def _halves(matrix: Tensor, heads: int) -> Tensor:
    rows, columns = matrix.shape
    return matrix.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


def convert(out: Path, model: Path | None = None, tokenizer: Path | None = None) -> None:
    """Write a Hugging Face folder (config, safetensors, tokenizer) to `out`."""
    made = read_model(model or SHARED / "aidreams260K.bin")
    pieces, scores = read_tokenizer(tokenizer or SHARED / "tok512.bin", made.config.vocab_size)
    made.save_pretrained(out)
    build_tokenizer(pieces, scores).save_pretrained(out)


if __name__ == "__main__":
    convert(*(Path(argument) for argument in sys.argv[1:4]))
