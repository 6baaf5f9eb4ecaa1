"""Sites of an architecture: a table from `config.model_type` to module paths, and the `Layout` that reads it.

A site is a place in the residual stream of a causal transformer, named alike for every architecture:

``embeddings`` · ``block.3`` · ``block.3.attention`` · ``block.3.mlp`` · ``block.3.norm1`` (the norms around
the attention) · ``block.3.norm2`` (the norms around the MLP) · ``norm`` (the final one) · ``head``

Another package adds an architecture through an entry point of the group ``evenhand.layouts`` whose name is
the ``model_type`` and whose object is an `Architecture`; in Python, ``Layout(module, architecture)`` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points

from torch import nn

from evenhand.errors import BadModel, UnknownName
from evenhand.scoring.forward import output_embeddings


@dataclass(frozen=True, slots=True)
class Part:
    """The modules of one site, in the order in which they run; paths that a checkpoint lacks are left out.

    `output` is the path where the site's result comes out, when that is not the last of `paths`: a module
    that adds the residual stream itself (BLOOM) must not be taken at its own output.
    """

    paths: tuple[str, ...]
    output: str | None = None


def part(*paths: str, output: str | None = None) -> Part:
    """A `Part` from its paths."""
    return Part(paths, output)


NONE = Part(())


@dataclass(frozen=True, slots=True)
class Architecture:
    """Where the sites of one family of models are.

    `blocks`, `embeddings` and `norm` are paths from the model; `attention`, `mlp`, `norm1` and `norm2` are
    paths from a block. The head is what the model's `get_output_embeddings` gives.
    """

    blocks: str
    embeddings: Part
    norm: Part
    attention: Part
    mlp: Part
    norm1: Part
    norm2: Part = NONE


LLAMA = Architecture(
    blocks="model.layers",
    embeddings=part("model.embed_tokens"),
    norm=part("model.norm"),
    attention=part("self_attn"),
    mlp=part("mlp"),
    norm1=part("input_layernorm"),
    norm2=part("post_attention_layernorm"),
)
_SANDWICH = Architecture(  # a norm before and a norm after each of attention and MLP
    LLAMA.blocks, LLAMA.embeddings, LLAMA.norm, LLAMA.attention, LLAMA.mlp,
    norm1=part("input_layernorm", "post_attention_layernorm"),
    norm2=part("pre_feedforward_layernorm", "post_feedforward_layernorm"),
)  # fmt: skip
_POST_NORM = Architecture(
    LLAMA.blocks, LLAMA.embeddings, LLAMA.norm, LLAMA.attention, LLAMA.mlp,
    norm1=part("post_attention_layernorm"), norm2=part("post_feedforward_layernorm"),
)  # fmt: skip
_PARALLEL = Architecture(  # one norm feeds attention and MLP
    LLAMA.blocks, LLAMA.embeddings, LLAMA.norm, LLAMA.attention, LLAMA.mlp, norm1=part("input_layernorm")
)
_GPT2 = Architecture(
    blocks="transformer.h",
    embeddings=part("transformer.wte", "transformer.wpe", output="transformer.wte"),
    norm=part("transformer.ln_f"),
    attention=part("attn"),
    mlp=part("mlp"),
    norm1=part("ln_1"),
    norm2=part("ln_2"),
)
_FLAT_MLP = part("fc1", "fc2")  # the two matrices of the MLP sit in the block itself

ARCHITECTURES: Mapping[str, Architecture] = {
    **dict.fromkeys(
        (
            "llama", "mistral", "mixtral", "ministral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "gemma",
            "phi3", "phimoe", "stablelm", "olmo", "olmoe", "granite", "starcoder2", "smollm3", "nemotron",
            "glm", "helium", "seed_oss", "arcee", "ernie4_5", "gpt_oss",
        ),
        LLAMA,
    ),
    **dict.fromkeys(("gemma2", "gemma3_text"), _SANDWICH),
    **dict.fromkeys(("olmo2", "olmo3", "exaone4"), _POST_NORM),
    **dict.fromkeys(("cohere", "cohere2"), _PARALLEL),
    **dict.fromkeys(("gpt2", "gpt_neo", "gptj", "codegen", "gpt_bigcode"), _GPT2),
    "glm4": Architecture(
        LLAMA.blocks, LLAMA.embeddings, LLAMA.norm, LLAMA.attention, LLAMA.mlp,
        norm1=part("input_layernorm", "post_self_attn_layernorm"),
        norm2=part("post_attention_layernorm", "post_mlp_layernorm"),
    ),
    "phi": Architecture(
        LLAMA.blocks, LLAMA.embeddings, part("model.final_layernorm"), LLAMA.attention, LLAMA.mlp, LLAMA.norm1
    ),
    "persimmon": Architecture(
        LLAMA.blocks, LLAMA.embeddings, part("model.final_layernorm"), LLAMA.attention, LLAMA.mlp,
        LLAMA.norm1, LLAMA.norm2,
    ),
    "gpt_neox": Architecture(
        "gpt_neox.layers", part("gpt_neox.embed_in"), part("gpt_neox.final_layer_norm"), part("attention"),
        part("mlp"), part("input_layernorm"), part("post_attention_layernorm"),
    ),
    "bloom": Architecture(
        blocks="transformer.h",
        embeddings=part("transformer.word_embeddings", "transformer.word_embeddings_layernorm"),
        norm=part("transformer.ln_f"),
        attention=part("self_attention", output="self_attention.dense"),
        mlp=part("mlp", output="mlp.dense_4h_to_h"),
        norm1=part("input_layernorm"),
        norm2=part("post_attention_layernorm"),
    ),
    "falcon": Architecture(
        "transformer.h", part("transformer.word_embeddings"), part("transformer.ln_f"),
        part("self_attention"), part("mlp"), part("input_layernorm", "ln_attn"),
        part("post_attention_layernorm", "ln_mlp"),
    ),
    "mpt": Architecture(
        "transformer.blocks", part("transformer.wte"), part("transformer.norm_f"), part("attn"),
        part("ffn", output="ffn.down_proj"), part("norm_1"), part("norm_2"),
    ),
    "opt": Architecture(
        "model.decoder.layers",
        part(
            "model.decoder.embed_tokens", "model.decoder.embed_positions", output="model.decoder.embed_tokens"
        ),
        part("model.decoder.final_layer_norm"), part("self_attn"), _FLAT_MLP,
        part("self_attn_layer_norm"), part("final_layer_norm"),
    ),
    "xglm": Architecture(
        "model.layers", part("model.embed_tokens"), part("model.layer_norm"), part("self_attn"), _FLAT_MLP,
        part("self_attn_layer_norm"), part("final_layer_norm"),
    ),
    "biogpt": Architecture(
        "biogpt.layers",
        part("biogpt.embed_tokens", "biogpt.embed_positions", output="biogpt.embed_tokens"),
        part("biogpt.layer_norm"), part("self_attn"), _FLAT_MLP,
        part("self_attn_layer_norm"), part("final_layer_norm"),
    ),
}  # fmt: skip
"""`config.model_type` to its `Architecture`."""

_BLOCK_PARTS = ("attention", "mlp", "norm1", "norm2")


@cache
def _registered() -> Mapping[str, Architecture]:
    return {point.name: point.load() for point in entry_points(group="evenhand.layouts")}


def find_architecture(module: nn.Module) -> Architecture:
    """The table's entry for a Hugging Face model.

    Raises:
        BadModel: the table has no such `model_type`; the message lists the known ones.
    """
    kind = str(getattr(getattr(module, "config", None), "model_type", type(module).__name__))
    known = {**ARCHITECTURES, **_registered()}
    if kind not in known:
        raise BadModel(
            f"The architecture {kind!r} has no layout, so its blocks cannot be found. "
            f"Known: {', '.join(sorted(known))}.",
            mend="Pass Layout(module, Architecture(...)) to CausalModel, or register an Architecture under "
            f"the entry point group 'evenhand.layouts' with the name {kind!r}.",
        )
    return known[kind]


class Layout:
    """The sites of one model. `architecture` defaults to the table's entry for the model's type.

    Raises:
        BadModel: unknown architecture, or its paths do not exist in this model.
    """

    def __init__(self, module: nn.Module, architecture: Architecture | None = None) -> None:
        self._root = module
        self._parts: dict[str, tuple[tuple[nn.Module, ...], nn.Module]] = {}
        architecture = architecture or find_architecture(module)
        blocks = _find(module, architecture.blocks)
        if not isinstance(blocks, nn.ModuleList) or not len(blocks):
            raise BadModel(
                f"This model has no list of blocks at {architecture.blocks!r}.",
                mend="Pass a Layout whose Architecture fits the model.",
            )
        self.n_blocks = len(blocks)
        self._add("embeddings", module, architecture.embeddings)
        for i, block in enumerate(blocks):
            self._parts[f"block.{i}"] = ((block,), block)
            for name in _BLOCK_PARTS:
                self._add(f"block.{i}.{name}", block, getattr(architecture, name))
        self._add("norm", module, architecture.norm)
        head = output_embeddings(module)
        if head is not None:
            self._parts["head"] = ((head,), head)

    def _add(self, site: str, root: nn.Module, described: Part) -> None:
        found = tuple(m for m in (_find(root, path) for path in described.paths) if m is not None)
        if not found:
            return
        output = _find(root, described.output) if described.output else None
        self._parts[site] = (found, output if output is not None else found[-1])

    def sites(self) -> tuple[str, ...]:
        """Every site of this model, from the embeddings to the head."""
        return tuple(self._parts)

    def blocks(self) -> tuple[str, ...]:
        """``block.0``, ``block.1``, ... in order of depth."""
        return tuple(f"block.{i}" for i in range(self.n_blocks))

    def modules(self, site: str) -> tuple[nn.Module, ...]:
        """All modules of a site in the order in which they run; the first receives the site's input.

        Raises:
            UnknownName: this model has no such site.
        """
        return self._part(site)[0]

    def module(self, site: str) -> nn.Module:
        """The module whose output is the site's output, without the residual stream for attention and MLP.

        Raises:
            UnknownName: this model has no such site.
        """
        return self._part(site)[1]

    def parameters(self, site: str) -> dict[str, nn.Parameter]:
        """The site's parameters by their names in the model; a tied one has the one name the model gives it.

        Raises:
            UnknownName: this model has no such site.
        """
        names = {id(p): name for name, p in self._root.named_parameters()}
        return {names[id(p)]: p for module in self.modules(site) for p in module.parameters()}

    def _part(self, site: str) -> tuple[tuple[nn.Module, ...], nn.Module]:
        if site not in self._parts:
            raise UnknownName("site", site, self._parts)
        return self._parts[site]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sites())


def _find(root: nn.Module, path: str) -> nn.Module | None:
    found: object = root
    for name in path.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, nn.Module) else None
