"""Tiny random-weight models of many architectures, and a byte-level tokenizer trained on a few sentences.

Matrices are multiplied after initialisation, so that narrow models, too, give log-probabilities that are
spread by more than half a nat: a wrong mask or position then changes them visibly.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from evenhand.models.causal import CausalModel

CORPUS = (
    "The nurse smiled because she was late. The nurse smiled because he was late.",
    "The carpenter sat down slowly because he was tired. The carpenter left because she was tired.",
    "The teacher put the keys on the table and switched off the lights because they were done.",
    "The doctor opened the door and walked into the empty hall because she heard his dog.",
)
_EOS, _BOS = "<|end|>", "<|begin|>"
_LLAMA: Mapping[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
_GPT2: Mapping[str, Any] = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}

CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "gpt2": _GPT2,
    "gpt_neo": {
        "hidden_size": 32,
        "num_layers": 4,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 2]],
        "window_size": 6,
        "max_position_embeddings": 64,
    },
    "gpt_neox": _LLAMA,
    "bloom": {"hidden_size": 32, "n_layer": 3, "n_head": 4},
    "opt": {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "ffn_dim": 48,
        "max_position_embeddings": 64,
        "word_embed_proj_dim": 32,
    },
    "llama": _LLAMA,
    "mistral": {**_LLAMA, "sliding_window": 6},
    "qwen2": _LLAMA,
    "qwen3": {**_LLAMA, "head_dim": 8},
    "gemma": {**_LLAMA, "head_dim": 8},
    "phi": _LLAMA,
    "gemma2": {**_LLAMA, "head_dim": 8, "sliding_window": 6},
    "gemma3_text": {**_LLAMA, "head_dim": 8, "sliding_window": 6},
    "phi3": _LLAMA,
    "gptj": {**_GPT2, "rotary_dim": 8},
    "codegen": {**_GPT2, "rotary_dim": 8},
    "gpt_bigcode": _GPT2,
    "falcon": {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4},
    "mpt": {"d_model": 32, "n_layers": 3, "n_heads": 4, "max_seq_len": 64},
    "mixtral": {**_LLAMA, "num_local_experts": 2},
    "stablelm": _LLAMA,
    "olmo2": _LLAMA,
    "glm4": _LLAMA,
    "granite": {**_LLAMA, "logits_scaling": 4.0},
    "cohere": _LLAMA,
    "starcoder2": _LLAMA,
    "smollm3": _LLAMA,
    "persimmon": _LLAMA,
    "xglm": {"d_model": 32, "num_layers": 3, "attention_heads": 4, "ffn_dim": 48},
    "biogpt": _LLAMA,
    "gpt_oss": {**_LLAMA, "head_dim": 8, "num_local_experts": 2, "num_experts_per_tok": 1},
}
"""`config.model_type` to the settings of a tiny model; the first eleven are the ones always promised."""
PROMISED = tuple(CONFIGS)[:11]

_EXPERTS: Mapping[str, Any] = {
    **_LLAMA,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
}
_WINDOWED: Mapping[str, Any] = {**_LLAMA, "num_hidden_layers": 4, "sliding_window": 6}

FURTHER: Mapping[str, Mapping[str, Any]] = {
    "arcee": _LLAMA,
    "cohere2": _WINDOWED,
    "deepseek_v3": {
        **_LLAMA,
        "num_key_value_heads": 4,
        "q_lora_rank": 16,
        "kv_lora_rank": 16,
        "qk_nope_head_dim": 8,
        "qk_rope_head_dim": 4,
        "v_head_dim": 8,
        "first_k_dense_replace": 1,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "n_group": 2,
        "topk_group": 1,
        "moe_intermediate_size": 24,
    },
    "ernie4_5": {**_LLAMA, "head_dim": 8},
    "exaone4": _WINDOWED,
    "glm": {**_LLAMA, "head_dim": 8},
    "helium": {**_LLAMA, "head_dim": 8},
    "ministral": {**_WINDOWED, "head_dim": 8},
    "nemotron": _LLAMA,
    "olmo": _LLAMA,
    "olmo3": _WINDOWED,
    "olmoe": {**_LLAMA, "num_experts": 4, "num_experts_per_tok": 2},
    "phimoe": {**_LLAMA, "num_local_experts": 4},
    "qwen2_moe": {**_EXPERTS, "shared_expert_intermediate_size": 24},
    "qwen3_moe": {**_EXPERTS, "head_dim": 8},
    "seed_oss": {**_LLAMA, "head_dim": 8},
}
"""Architectures with a layout, near relatives of those in `CONFIGS`: not every test is run on them."""

RECURRENT: Mapping[str, Mapping[str, Any]] = {
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
    "rwkv": {"hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32},
    "lfm2": {**_LLAMA, "layer_types": ["conv", "full_attention", "conv"]},
    "jamba": {
        **_LLAMA,
        "num_experts": 2,
        "num_experts_per_tok": 1,
        "use_mamba_kernels": False,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "mamba_d_state": 4,
        "mamba_dt_rank": 4,
    },
}
"""Models with a state from token to token; no layout knows their blocks, but they can be scored."""


@cache
def tokenizer(*, bos: bool = False, eos: bool = True, vocabulary: int = 400) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on `CORPUS`; with `bos` it puts a beginning mark before every text."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.train_from_iterator(
        CORPUS * 4,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[_EOS, _BOS],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    if bos:
        inner.post_processor = processors.TemplateProcessing(
            single=f"{_BOS} $A", pair=f"{_BOS} $A $B", special_tokens=[(_BOS, 1)]
        )
    marks = {"bos_token": _BOS} if bos else {}
    if eos:
        marks["eos_token"] = _EOS
    kind: Any = PreTrainedTokenizerFast
    found: PreTrainedTokenizerFast = kind(tokenizer_object=inner, clean_up_tokenization_spaces=False, **marks)
    return found


def module(kind: str, *, seed: int = 0, gain: float = 12.0, **changes: Any) -> PreTrainedModel:
    """A tiny random model of `kind` in evaluation mode, float32, its matrices multiplied by `gain`."""
    settings = {
        **{**CONFIGS, **FURTHER, **RECURRENT}[kind],
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 0,
        **changes,
    }
    settings.setdefault("vocab_size", len(tokenizer()))
    family: Any = AutoModelForCausalLM
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made: PreTrainedModel = family.from_config(AutoConfig.for_model(kind, **settings))
        with torch.no_grad():
            embedding = made.get_input_embeddings().weight
            for parameter in made.parameters():
                if parameter.dim() > 1:  # the embeddings less: the blocks' additions must count beside them
                    parameter.mul_(gain / 2 if parameter is embedding else gain)
    made.train(False)  # evaluation mode: no dropout
    return made


def model(
    kind: str = "llama", *, bos: bool = False, batch_tokens: int | None = None, **changes: Any
) -> CausalModel:
    """A tiny `CausalModel` of `kind` with the tokenizer of this module."""
    return CausalModel(
        module(kind, **changes), tokenizer(bos=bos), f"hf:tiny-{kind}", batch_tokens=batch_tokens
    )
