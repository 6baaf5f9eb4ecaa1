"""Low-rank adapters on the query and value projections of an open model: put in, merged, and saved for peft.

FairCon trains rank 4, scale alpha 16, dropout 0.01 on query and value (786 432 weights of GPT-Neo-1.3B, which
is 0.06 % of them; the paper says 0.5 %). Which modules those are follows from the layout's attention sites: a
linear layer there whose name says query or value. Where one matrix makes query, key and value together
(GPT-2's `c_attn`, `query_key_value`, `qkv_proj`, ...), the adapter covers that whole matrix, key included, as
in peft.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from evenhand.errors import BadModel, MissingExtra
from evenhand.folders import replace_folder
from evenhand.models import Model, OpenModel
from evenhand.models.stage import Stage
from evenhand.training.parameters import training_flags_kept
from evenhand.treatments import KIND, About
from evenhand.treatments.weights import WeightTreatment

QUERY_VALUE = frozenset({"q_proj", "v_proj", "query", "value", "q", "v", "wq", "wv", "q_lin", "v_lin"})
FUSED = frozenset({"c_attn", "query_key_value", "qkv_proj", "Wqkv", "qkv", "in_proj"})
ADAPTER = "adapter"
_NAME = "default"


@dataclass(frozen=True)
class LoraSettings:
    """Rank, scale (the update is ``alpha / rank * B A``) and dropout of the adapter's input."""

    rank: int = 4
    alpha: int = 16
    dropout: float = 0.01


def projections(model: OpenModel) -> tuple[str, ...]:
    """Names of the modules that make queries and values, block by block.

    Raises:
        BadModel: the layout knows no attention, or it has no projection of a known name.
    """
    names = {id(module): name for name, module in model.module.named_modules()}
    found: list[str] = []
    seen: set[str] = set()
    for block in model.layout.blocks():
        site = f"{block}.attention"
        if site not in model.layout.sites():
            continue
        for root in model.layout.modules(site):
            for path, module in root.named_modules():
                leaf = path.rpartition(".")[2] or names[id(root)].rpartition(".")[2]
                seen.add(leaf)
                if leaf in QUERY_VALUE | FUSED and getattr(module, "weight", None) is not None:
                    found.append(names[id(module)])
    if not found:
        raise BadModel(
            f"No query or value projection was found in {model.spec.uri}; its attention has "
            f"{', '.join(sorted(seen)) or 'no modules'}.",
            mend="Use a causal transformer whose attention has q_proj and v_proj, or a fused c_attn.",
        )
    return tuple(dict.fromkeys(found))


def stage_of_adapter(model: OpenModel, rank: int) -> Stage:
    """What training an adapter of that rank takes; `model` may have no storage.

    Merged, it changes every matrix that it stands at. Its own copy, which a fit puts back, is small.

    Raises:
        BadModel: as for `projections`.
    """
    every = dict(model.module.named_parameters())
    shapes = [every[f"{name}.weight"].shape for name in projections(model)]
    weights = rank * sum(sum(shape) for shape in shapes)
    return Stage(weights, apart=True, changed=sum(map(math.prod, shapes)), copied=weights, frozen=True)


@dataclass(frozen=True)
class Adapter:
    """The adapter while it sits in the model: `parameters` in a fixed order, by their name."""

    parameters: Mapping[str, nn.Parameter]
    layers: Mapping[str, Any]
    settings: LoraSettings
    config: Mapping[str, Any]

    @contextmanager
    def training(self, seed: int) -> Iterator[None]:
        """Dropout on, drawn from `seed`; torch's own random state is untouched outside."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for layer in self.layers.values():
                layer.lora_dropout.train()
            try:
                yield
            finally:
                for layer in self.layers.values():
                    layer.lora_dropout.eval()

    @torch.no_grad()
    def merged(self) -> dict[str, Tensor]:
        """The adapted matrices with the update added, float32, by their name in the model."""
        return {
            f"{name}.weight": (
                layer.base_layer.weight.detach().float() + layer.get_delta_weight(_NAME).float()
            ).cpu()
            for name, layer in self.layers.items()
        }

    def values(self) -> dict[str, Tensor]:
        """The adapter's own weights as they are now, copied."""
        return {name: p.detach().float().cpu().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def write(self, values: Mapping[str, Tensor]) -> None:
        """Put `values` into the adapter."""
        for name, parameter in self.parameters.items():
            parameter.copy_(values[name])


@contextmanager
def adapted(model: OpenModel, settings: LoraSettings, *, seed: int) -> Iterator[Adapter]:
    """Put a new adapter into the model; at the end every module and flag is restored.

    The start depends on `seed` alone: A is random, B zero, so that the adapted model first answers like the
    model itself.

    Raises:
        MissingExtra: peft is not installed.
        BadModel: the model has no query or value projection.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise MissingExtra("peft", "hf", "Training an adapter") from None
    module = model.module
    names = projections(model)
    originals = {name: module.get_submodule(name) for name in names}
    known = set(vars(module))
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(names),
        fan_in_fan_out=any(type(original).__name__ == "Conv1D" for original in originals.values()),
        bias="none",
        task_type="CAUSAL_LM",
    )
    with training_flags_kept(module):
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                inject_adapter_in_model(config, module, adapter_name=_NAME)
            module.eval()
            yield _adapter(module, names, settings, config)
        finally:
            for name, original in originals.items():
                parent, _, leaf = name.rpartition(".")
                setattr(module.get_submodule(parent), leaf, original)
            for name in set(vars(module)) - known:
                delattr(module, name)


def _adapter(module: nn.Module, names: tuple[str, ...], settings: LoraSettings, config: Any) -> Adapter:
    layers = {name: module.get_submodule(name) for name in names}
    parameters = {}
    for name, layer in layers.items():
        for part in ("lora_A", "lora_B"):
            inner: Any = getattr(layer, part)[_NAME]
            inner.to(torch.float32)  # half precision would lose steps of 1e-4
            parameters[f"{name}.{part}.weight"] = inner.weight
    return Adapter(parameters, layers, settings, config.to_dict())


@dataclass(frozen=True)
class LoraTreatment(WeightTreatment):
    """The adapter merged into the weights, and with it the adapter itself for peft.

    `adapter` are its weights by module and part, `config` is peft's. What the treatment does is decided by
    `weights`; `save` also writes the folder ``adapter``, which peft loads onto the base model. A treatment
    that was loaded again no longer carries it.
    """

    adapter: Mapping[str, Tensor] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)

    def scaled(self, model: Model, about: About, factor: float) -> Self:
        """The merged weights and the adapter's B, from which its update follows linearly, scaled."""
        adapter = {
            name: value * factor if ".lora_B." in name else value for name, value in self.adapter.items()
        }
        return replace(super().scaled(model, about, factor), adapter=adapter)

    def save(self, folder: Path) -> None:
        """Write ``mitigation.json``, ``weights.safetensors`` and ``adapter/``, all or nothing."""
        with replace_folder(folder, kind=KIND) as temporary:
            super().save(temporary)
            export(temporary / ADAPTER, self.adapter, self.config)


def export(folder: Path, values: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
    """Write an adapter folder as peft reads it: ``adapter_model.safetensors``, ``adapter_config.json``."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    named = {f"base_model.model.{name}": value.contiguous() for name, value in values.items()}
    save_file(named, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    plain = {k: sorted(v) if isinstance(v, set) else v for k, v in config.items()}
    text = json.dumps(plain, indent=2, default=str, sort_keys=True) + "\n"
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
