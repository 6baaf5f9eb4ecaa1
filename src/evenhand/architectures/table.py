"""The table of architectures: `config.model_type` to its row. To add one, add a row here.

The tests build a tiny model of every type in the table and compare the row with it. A row with `shares`
must pass the comparisons of `evenhand.scoring.trees` and `evenhand.scoring.prefix`: the method gives wrong
values without any error where a model derives positions or distances from the index of a key (ALiBi in MPT
and BLOOM, the local layers of GPT-Neo).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evenhand.architectures.row import NONE, Architecture, part

LLAMA = Architecture(
    blocks="model.layers",
    embeddings=part("model.embed_tokens"),
    norm=part("model.norm"),
    attention=part("self_attn"),
    mlp=part("mlp"),
    norm1=part("input_layernorm"),
    norm2=part("post_attention_layernorm"),
    shares=True,
)
_SANDWICH = replace(  # a norm before and a norm after each of attention and MLP
    LLAMA,
    norm1=part("input_layernorm", "post_attention_layernorm"),
    norm2=part("pre_feedforward_layernorm", "post_feedforward_layernorm"),
)
_POST_NORM = replace(LLAMA, norm1=part("post_attention_layernorm"), norm2=part("post_feedforward_layernorm"))
_PARALLEL = replace(LLAMA, norm2=NONE)  # one norm feeds attention and MLP
_GPT2 = Architecture(
    blocks="transformer.h",
    embeddings=part("transformer.wte", "transformer.wpe", output="transformer.wte"),
    norm=part("transformer.ln_f"),
    attention=part("attn"),
    mlp=part("mlp"),
    norm1=part("ln_1"),
    norm2=part("ln_2"),
    shares=True,
)
_GPTJ = replace(_GPT2, embeddings=part("transformer.wte"), norm2=NONE)  # rotary, one norm a block
_OPT = Architecture(
    blocks="model.decoder.layers",
    embeddings=part(
        "model.decoder.embed_tokens", "model.decoder.embed_positions", output="model.decoder.embed_tokens"
    ),
    norm=part("model.decoder.final_layer_norm", optional=True),  # not where norms follow (opt-350m)
    attention=part("self_attn"),
    mlp=part("fc1", "fc2"),  # the two matrices of the MLP sit in the block itself
    norm1=part("self_attn_layer_norm"),
    norm2=part("final_layer_norm"),
    shares=True,
)
_RECURRENT = Architecture(recurrent=True)
_BERT = Architecture(  # a norm after each half, on the sum; no final norm but that of the head
    blocks="bert.encoder.layer",
    embeddings=part("bert.embeddings"),
    norm=part("cls.predictions.transform.LayerNorm", optional=True),
    attention=part("attention.self", "attention.output.dense"),
    mlp=part("intermediate", "output.dense"),
    norm1=part("attention.output.LayerNorm"),
    norm2=part("output.LayerNorm"),
)
_SHIFTED = Architecture(first_position="padding")  # the rows up to the padding token's id are for padding
_ROBERTA = replace(
    _BERT,
    blocks="roberta.encoder.layer",
    embeddings=part("roberta.embeddings"),
    norm=part("lm_head.layer_norm", optional=True),
    first_position="padding",
)
_DEBERTA = replace(
    _BERT,
    blocks="deberta.encoder.layer",
    embeddings=part("deberta.embeddings"),
    attention=part("attention.self", "attention.output.dense"),
)
_T5 = Architecture(
    blocks="decoder.block",
    embeddings=part("encoder.embed_tokens"),
    norm=part("decoder.final_layer_norm"),
    attention=part("layer.0.SelfAttention", output="layer.0.SelfAttention.o"),
    mlp=part("layer.2.DenseReluDense"),
    norm1=part("layer.0.layer_norm"),
    norm2=part("layer.2.layer_norm"),
    encoder=Architecture(
        blocks="encoder.block",
        attention=part("layer.0.SelfAttention", output="layer.0.SelfAttention.o"),
        mlp=part("layer.1.DenseReluDense"),
        norm1=part("layer.0.layer_norm"),
        norm2=part("layer.1.layer_norm"),
        depth="num_layers",
    ),
    depth="num_decoder_layers",
    alone=False,
)
_BART = replace(
    _OPT,
    blocks="model.decoder.layers",
    embeddings=part("model.encoder.embed_tokens"),
    norm=NONE,  # norms follow, and the head has none
    encoder=replace(_OPT, blocks="model.encoder.layers", norm=NONE, depth="encoder_layers"),
    depth="decoder_layers",
    shares=False,
    alone=False,
)

ROWS: Mapping[str, Architecture] = {
    "arcee": LLAMA,
    "deepseek_v3": LLAMA,
    "ernie4_5": LLAMA,
    "gemma": LLAMA,
    "glm": LLAMA,
    "gpt_oss": LLAMA,
    "granite": LLAMA,
    "helium": LLAMA,
    "llama": LLAMA,
    "ministral": LLAMA,
    "mistral": LLAMA,
    "mixtral": LLAMA,
    "nemotron": LLAMA,
    "olmo": LLAMA,
    "olmoe": LLAMA,
    "phi3": LLAMA,
    "phimoe": LLAMA,
    "qwen2": LLAMA,
    "qwen2_moe": LLAMA,
    "qwen3": LLAMA,
    "qwen3_moe": LLAMA,
    "seed_oss": LLAMA,
    "smollm3": LLAMA,
    "starcoder2": LLAMA,
    "stablelm": replace(LLAMA, norm2=part("post_attention_layernorm", optional=True)),
    "gemma2": _SANDWICH,
    "gemma3_text": _SANDWICH,
    "olmo2": _POST_NORM,
    "olmo3": _POST_NORM,
    "exaone4": _POST_NORM,
    "cohere": _PARALLEL,
    "cohere2": _PARALLEL,
    "glm4": replace(
        LLAMA,
        norm1=part("input_layernorm", "post_self_attn_layernorm"),
        norm2=part("post_attention_layernorm", "post_mlp_layernorm"),
    ),
    "phi": replace(_PARALLEL, norm=part("model.final_layernorm")),
    "persimmon": replace(LLAMA, norm=part("model.final_layernorm")),
    "gpt2": _GPT2,
    "gpt_bigcode": _GPT2,
    "gpt_neo": replace(_GPT2, shares=False, places="window_size"),
    "gptj": _GPTJ,
    "codegen": _GPTJ,
    "gpt_neox": Architecture(
        blocks="gpt_neox.layers",
        embeddings=part("gpt_neox.embed_in"),
        norm=part("gpt_neox.final_layer_norm"),
        attention=part("attention"),
        mlp=part("mlp"),
        norm1=part("input_layernorm"),
        norm2=part("post_attention_layernorm"),
        shares=True,
    ),
    "bloom": Architecture(
        blocks="transformer.h",
        embeddings=part("transformer.word_embeddings", "transformer.word_embeddings_layernorm"),
        norm=part("transformer.ln_f"),
        attention=part("self_attention", output="self_attention.dense"),
        mlp=part("mlp", output="mlp.dense_4h_to_h"),
        norm1=part("input_layernorm"),
        norm2=part("post_attention_layernorm"),
        window=(),  # ALiBi: its `seq_length` is what it was trained on
    ),
    "falcon": Architecture(
        blocks="transformer.h",
        embeddings=part("transformer.word_embeddings"),
        norm=part("transformer.ln_f"),
        attention=part("self_attention"),
        mlp=part("mlp"),
        norm1=part("input_layernorm", "ln_attn", optional=True),
        norm2=part("post_attention_layernorm", "ln_mlp", optional=True),
        shares=True,
    ),
    "mpt": Architecture(
        blocks="transformer.blocks",
        embeddings=part("transformer.wte"),
        norm=part("transformer.norm_f"),
        attention=part("attn"),
        mlp=part("ffn", output="ffn.down_proj"),
        norm1=part("norm_1"),
        norm2=part("norm_2"),
    ),
    "opt": _OPT,
    "xglm": replace(
        _OPT,
        blocks="model.layers",
        embeddings=part("model.embed_tokens"),
        norm=part("model.layer_norm"),
    ),
    "biogpt": replace(
        _OPT,
        blocks="biogpt.layers",
        embeddings=part("biogpt.embed_tokens", "biogpt.embed_positions", output="biogpt.embed_tokens"),
        norm=part("biogpt.layer_norm"),
    ),
    "bamba": _RECURRENT,
    "falcon_h1": _RECURRENT,
    "falcon_mamba": _RECURRENT,
    "granitemoehybrid": _RECURRENT,
    "jamba": _RECURRENT,
    "lfm2": _RECURRENT,
    "lfm2_moe": _RECURRENT,
    "mamba": _RECURRENT,
    "mamba2": _RECURRENT,
    "minimax": _RECURRENT,
    "nemotron_h": _RECURRENT,
    "qwen3_next": _RECURRENT,
    "recurrent_gemma": _RECURRENT,
    "rwkv": _RECURRENT,
    "xlstm": _RECURRENT,
    "zamba": _RECURRENT,
    "zamba2": _RECURRENT,
    "bert": _BERT,
    "deberta": _DEBERTA,
    "deberta-v2": _DEBERTA,
    "electra": replace(
        _BERT,
        blocks="electra.encoder.layer",
        embeddings=part("electra.embeddings"),
        norm=part("generator_predictions.LayerNorm", optional=True),
    ),
    "modernbert": Architecture(
        blocks="model.layers",
        embeddings=part("model.embeddings"),
        norm=part("head.norm", optional=True),
        attention=part("attn"),
        mlp=part("mlp"),
        norm1=part("attn_norm"),
        norm2=part("mlp_norm"),
    ),
    "distilbert": replace(
        _BERT,
        blocks="distilbert.transformer.layer",
        embeddings=part("distilbert.embeddings"),
        norm=part("vocab_layer_norm", optional=True),
        attention=part("attention"),
        mlp=part("ffn"),
        norm1=part("sa_layer_norm"),
        norm2=part("output_layer_norm"),
    ),
    "t5": _T5,
    "mt5": _T5,
    "bart": _BART,
    "camembert": _ROBERTA,
    "data2vec-text": _SHIFTED,
    "esm": _SHIFTED,
    "ibert": _SHIFTED,
    "longformer": _SHIFTED,
    "luke": _SHIFTED,
    "roberta": _ROBERTA,
    "roberta-prelayernorm": _SHIFTED,
    "xlm-roberta": _ROBERTA,
    "xlm-roberta-xl": _SHIFTED,
    "xmod": _SHIFTED,
    "mpnet": Architecture(first_position=2),  # whatever the id of its padding token is
}
