"""PEFT adapters (LoRA and similar): applied completely, or refused with what is missing or left over."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from evenhand.errors import BadModel, MissingExtra
from evenhand.files import read_json_object
from evenhand.folders import replace_folder
from evenhand.hashing import file_sha256
from evenhand.models import Model
from evenhand.models.loading import HfModel, explained, quiet
from evenhand.records import digest
from evenhand.scoring.finite import check_weights
from evenhand.treatments._base import CARD, KIND, About, Kind, Treatment, check_base, damaged, write_card

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_PICKLE = "adapter_model.bin"
_NAME = "default"  # what peft calls a model's first adapter
_SIZES = re.compile(
    r"size mismatch for (\S+): copying a param with shape torch\.Size\(\[([\d, ]*)\]\) from checkpoint, "
    r"the shape in current model is torch\.Size\(\[([\d, ]*)\]\)"
)
_VOCABULARY = re.compile(r"embed|lm_head|\bwte\b|\bword_embeddings\b|\bshared\b")
_OURS = re.compile(rf"\.(original_module|modules_to_save|{_NAME})\b")  # levels that peft puts into a name
_SHOWN = 5
_BASE = re.compile(r"^base_model\.model\.|\.base_layer\b")  # what peft adds to a base's names
_LORA = re.compile(r"\.lora_(embedding_)?[AB]\b")
_PART = re.compile(
    r"\.(lora|ia3|hada|lokr|vera|oft|boft|fourierft|hra|token_adapter)\b.*|\.(lora|ia3|hada|lokr"
    r"|vera|oft|boft|fourierft|hra)_.*"
)


@dataclass(frozen=True)
class AdapterTreatment:
    """The adapter in `files`, a folder as peft writes it; nothing is merged or rounded.

    An adapter that another program trained does not name its base model by digest: its `about.base` is empty,
    and it is applied to any model that has a place for each of its weights. `factor` multiplies the update of
    a LoRA; it stands in the card, not in the files.
    """

    about: About
    files: Path
    factor: float = 1.0

    @property
    def digest(self) -> str:
        """SHA-256 of the base and of the adapter's two files, and of a factor other than 1."""
        files = [file_sha256(self.files / name) for name in (CONFIG, WEIGHTS)]
        return digest("adapter", self.about.base, files, *([] if self.factor == 1 else [self.factor]))

    @property
    def can_scale(self) -> bool:
        """Whether its update is linear in one of its parts: a LoRA that sets nothing else, without DoRA."""
        settings = read_json_object(self.files / CONFIG, mend="Save the adapter again with save_pretrained.")
        return not settings.get("use_dora") and all(_LORA.search(key) for key in _keys(self.files))

    def scaled(self, model: Model, about: About, factor: float) -> Self:
        """The same files with another factor; see `evenhand.treatments.scaled`."""
        return replace(self, about=about, factor=self.factor * factor)

    @property
    def touches(self) -> frozenset[str]:
        """The weights of the layers that it changes, and the biases that it sets."""
        return frozenset(_PART.sub(".weight", _BASE.sub("", key)) for key in _keys(self.files))

    def evidence(self, model: Model) -> Mapping[str, Any]:
        """The number of `tensors` that the adapter holds."""
        return {"tensors": len(_keys(self.files))}

    @contextmanager
    def applied(self, model: Model) -> Iterator[Model]:
        """The model with the adapter in its layers; on exit its own layers, flags and values are put back.

        Raises:
            MissingExtra: peft is not installed.
            BadModel: the model gives no weights, the adapter belongs to another model, or it cannot be
                applied completely (see `put_on`).
        """
        if not isinstance(model, HfModel):
            raise BadModel(
                f"{model.spec.uri} does not give access to its weights, which the adapter "
                f"{self.files} needs.",
                mend="Put the adapter on an hf: or lab: model.",
            )
        if self.about.base:
            check_base(self.about, model.spec)
        with _put_back(model.module):
            with quiet(), explained(f"the adapter {self.files}"):
                put_on(model.module, self.files)
                _scale(model.module, self.factor)
                check_weights(f"the adapter {self.files}", model.module)
            yield _adapted(model, self.files)

    def save(self, folder: Path) -> None:
        """Write ``mitigation.json`` and a copy of the adapter's two files."""
        with replace_folder(folder, kind=KIND) as temporary:
            for name in (CONFIG, WEIGHTS):
                shutil.copyfile(self.files / name, temporary / name)
            write_card(temporary, "adapter", self.about, {"digest": self.digest, "factor": self.factor})


def _load(folder: Path, about: About, card: Mapping[str, Any]) -> Treatment:
    treatment = AdapterTreatment(about, folder, float(card.get("factor", 1.0)))
    if not card:  # written by peft: faults are found when it is applied
        return treatment
    try:
        held = treatment.digest
    except OSError as error:
        raise damaged(folder, error.strerror or str(error)) from None
    if held != card.get("digest"):
        raise damaged(folder, f"{WEIGHTS} or {CONFIG} does not have the digest that {CARD} states")
    return treatment


def _scale(module: nn.Module, factor: float) -> None:
    """Multiply the update of every LoRA layer that was put into `module`."""
    for part in module.modules():
        scaling = getattr(part, "scaling", None)
        if factor != 1 and isinstance(scaling, dict) and _NAME in scaling:
            scaling[_NAME] *= factor


def _adapted(model: HfModel, folder: Path) -> HfModel:
    """A view of `model`, whose layers hold the adapter now."""
    model.module.requires_grad_(True)  # peft freezes the base; each method decides what to train
    adapted = type(model)(
        model.module, model.tokenizer, f"{model.spec.uri}+{folder}", batch_tokens=model.batch_tokens
    )
    adapted.opening = model.opening
    adapted.spec = replace(adapted.spec, revision=model.spec.revision, origin=model.spec.origin)
    return adapted


@contextmanager
def _put_back(module: nn.Module) -> Iterator[None]:
    """On exit `module` has the layers, attributes, flags and biases that it has now; peft overwrites these.

    All other weights of the base keep their bits, because an adapter only adds layers.
    """
    layers = [(part, dict(part._modules), part.training) for part in module.modules()]
    known = set(vars(module))
    parameters = dict(module.named_parameters())
    flags = {name: parameter.requires_grad for name, parameter in parameters.items()}
    biases = {n: p.detach().clone() for n, p in parameters.items() if n.endswith("bias")}
    try:
        yield
    finally:
        for part, children, training in layers:
            part._modules.clear()
            part._modules.update(children)
            part.training = training
        for name in set(vars(module)) - known:
            delattr(module, name)
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.requires_grad_(flags[name])
                if name in biases:
                    parameter.copy_(biases[name])


def _keys(folder: Path) -> tuple[str, ...]:
    from safetensors import safe_open

    with safe_open(folder / WEIGHTS, framework="pt") as file:
        return tuple(sorted(file.keys()))


def put_on(module: nn.Module, folder: Path) -> None:
    """Put the layers of the adapter in `folder` into `module`; nothing is merged or rounded.

    Every weight that the adapter's configuration asks for must be in its file, and every weight of the file
    must have a place in `module`: otherwise a part of the adapter would be left out, or at its start values.

    Raises:
        MissingExtra: peft is not installed.
        BadModel: the adapter is incomplete, has weights of another model or another size, keeps them in a
            pickle, or adds virtual tokens; or `module` has an adapter already.
        BadData: its configuration cannot be read.
    """
    try:
        from peft import PeftConfig, PeftModel
    except ImportError:
        raise MissingExtra("peft", "hf", f"The adapter {folder}") from None
    _check_bare(module, folder)
    settings = read_json_object(folder / CONFIG, mend="Save the adapter again with save_pretrained.")
    if PeftConfig.from_pretrained(str(folder)).is_prompt_learning:
        raise BadModel(
            f"The adapter {folder} adds virtual tokens, which cannot be scored beside plain prompts.",
            mend="Use a LoRA adapter.",
        )
    _check_file(folder)
    mapping = getattr(module, "_checkpoint_conversion_mapping", {})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters is read from the result
            wrapped: Any = PeftModel.from_pretrained(module, str(folder), is_trainable=False)
            # peft's own list of what was missing or left over; it gives it only when asked again.
            result: Any = wrapped.load_adapter(str(folder), _NAME, key_mapping=mapping)
    except KeyError as error:  # a module of modules_to_save, or a token of trainable_token_indices
        raise _incomplete(folder, [str(error.args[0])]) from None
    except RuntimeError as error:
        sizes = _SIZES.findall(str(error))
        if not sizes:
            raise
        raise _resized(folder, *sizes[0]) from None
    if result.unexpected_keys:
        raise _left_over(folder, result.unexpected_keys, settings)
    missing = [*result.missing_keys, *_missing_biases(wrapped, folder, settings)]
    if missing:
        raise _incomplete(folder, missing)


def _check_bare(module: nn.Module, folder: Path) -> None:
    """Refuse a second adapter: under one name, peft would write its weights into the first one's layers."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if any(isinstance(part, BaseTunerLayer) for part in module.modules()):
        raise BadModel(
            f"The model has an adapter already, which {folder} would replace in part.",
            mend="Merge the first with peft (merge_and_unload) and save it, then put the second on that.",
        )


def _check_file(folder: Path) -> None:
    if (folder / WEIGHTS).is_file():
        return
    if (folder / _PICKLE).is_file():
        raise BadModel(
            f"The adapter {folder} keeps its weights in {_PICKLE}: loading such a pickle can run any code, "
            "so it is not opened.",
            mend="If you trust its maker, load it with peft and save it again with save_pretrained, which "
            f"writes {WEIGHTS}.",
        )
    raise BadModel(
        f"The adapter {folder} holds no {WEIGHTS}.", mend="Download or save the adapter's weights, too."
    )


def _missing_biases(wrapped: Any, folder: Path, settings: Mapping[str, Any]) -> list[str]:
    """The biases that the adapter trained by its configuration and that its file lacks.

    peft counts only weights of its own making as missing; a bias belongs to the base.
    """
    if settings.get("bias", "none") == "none":
        return []
    from peft import get_peft_model_state_dict

    held = set(_keys(folder))
    wanted = get_peft_model_state_dict(wrapped, adapter_name=_NAME, save_embedding_layers=False)
    return sorted(name for name in wanted if name.endswith(".bias") and name not in held)


def _named(keys: Iterable[str]) -> str:
    plain = sorted({_OURS.sub("", str(key).removeprefix("base_model.model.")) for key in keys})
    more = f" and {len(plain) - _SHOWN} more" if len(plain) > _SHOWN else ""
    return ", ".join(plain[:_SHOWN]) + more


def _incomplete(folder: Path, keys: Iterable[str]) -> BadModel:
    return BadModel(
        f"The adapter {folder} is incomplete: its {CONFIG} asks for weights of this model that {WEIGHTS} "
        f"lacks: {_named(keys)}.",
        mend="Put it on the model that it was trained on, or download or save the adapter again.",
    )


def _left_over(folder: Path, keys: Iterable[str], settings: Mapping[str, Any]) -> BadModel:
    base = settings.get("base_model_name_or_path")
    return BadModel(
        f"The adapter {folder} holds weights that have no place in this model: {_named(keys)}.",
        mend=f"Put it on the model that it was trained on{f' ({base})' if base else ''}, or save it again "
        f"with the {CONFIG} that belongs to its weights.",
    )


def _resized(folder: Path, key: str, saved: str, own: str) -> BadModel:
    ours, theirs = (tuple(int(n) for n in text.split(",") if n.strip()) for text in (own, saved))
    if _VOCABULARY.search(key) and ours[1:] == theirs[1:] and ours and theirs:
        return BadModel(
            f"The adapter {folder} was trained with another vocabulary: its {_named([key])} has {theirs[0]} "
            f"rows, the model's {ours[0]}.",
            mend="Save the model that it was trained on with its resized embeddings and its tokenizer, and "
            "put the adapter on that; or merge it with peft (merge_and_unload) and open the merged folder.",
        )
    return BadModel(
        f"The adapter {folder} does not fit: its {_named([key])} has the shape {theirs}, where this model "
        f"needs {ours}.",
        mend="Put it on the model that it was trained on.",
    )


component = Kind(AdapterTreatment, _load, foreign=CONFIG)
