"""A treated model as a plain one: its weights in safetensors, its configuration and its tokenizer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.errors import BadModel
from evenhand.folders import replace_folder
from evenhand.models import Model, OpenModel, gives_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

MODEL = "model"  # what the folder's mark says that it holds
# Nats between the treated model and the one that was written, in float32: its rounding is up to 2e-5 on some
# processors, and what is wrongly merged is farther away.
TOLERANCE = 1e-4
_NARROW = 0.05  # the same in fewer bits
_APPLY = "Use it where it is applied, as URI+FOLDER"


def merge(treated: Model, folder: Path) -> None:
    """Write the treated model into `folder` as `save_pretrained` writes a model that nothing was put on.

    A LoRA is added to the weights that it lies on. Where a treatment parted a head from its embeddings, the
    configuration says so. What was written is opened again and compared before it takes the folder's place.

    Raises:
        BadModel: the treatment is not one of weights, or what was written answers otherwise.
        BadData, UsageError, NoSpace: as for `replace_folder`.
    """
    from evenhand.models.loading import quiet  # here, so that methods are listed without torch

    opened = check_mergeable(treated)
    state = _state(opened)
    config: Any = copy.deepcopy(opened.module.config)
    if not _tied(opened.module, state):
        for part in (config, config.get_text_config()):
            part.tie_word_embeddings = False
    with replace_folder(folder, kind=MODEL) as temporary:
        plain = _plain(opened.module, config, state)
        with quiet():
            plain.save_pretrained(temporary)
            opened.tokenizer.save_pretrained(temporary)
        _check(opened, plain, temporary)


def check_mergeable(treated: Model) -> OpenModel:
    """The treated model, if all that was put on it lies in its weights.

    Raises:
        BadModel: it does not; the message says what to do instead.
    """
    from evenhand.scoring.blocks import altered

    if not gives_weights(treated):
        raise BadModel(
            f"{treated.spec.uri} is treated by what is asked or answered, not in its weights, so there is "
            "nothing to merge.",
            mend=f"{_APPLY}; or put the text of its prompt.txt before every prompt, or apply its rule.json "
            "with evenhand.postprocessing.",
        )
    if altered(treated.module):
        raise BadModel(
            f"{treated.spec.uri} is treated by hooks on its hidden states, which no file of weights holds.",
            mend=f"{_APPLY}, or fit a method that changes weights.",
        )
    return treated


def _state(model: OpenModel) -> dict[str, Tensor]:
    """Every weight by the name that it has in a model without adapters, LoRA updates added."""
    try:
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils import ModulesToSaveWrapper
    except ImportError:
        return dict(model.module.state_dict())
    kinds = (BaseTunerLayer, ModulesToSaveWrapper)
    if not any(isinstance(part, kinds) for part in model.module.modules()):
        return dict(model.module.state_dict())
    merged = copy.deepcopy(model.module)
    for name, part in [*merged.named_modules()]:
        if not isinstance(part, kinds):
            continue
        inner: Any = part
        if isinstance(part, BaseTunerLayer):
            inner.merge(safe_merge=True)
            inner = inner.get_base_layer()
        else:
            inner = inner.modules_to_save[inner.active_adapters[0]]
        parent, _, leaf = name.rpartition(".")
        setattr(merged.get_submodule(parent), leaf, inner)
    return dict(merged.state_dict())


def _tied(module: Any, state: Mapping[str, Tensor]) -> bool:
    """Whether head and embeddings are to be one: as the configuration says, unless they differ by now."""
    if not getattr(module.config.get_text_config(), "tie_word_embeddings", False):
        return False
    head, embedding = module.get_output_embeddings(), module.get_input_embeddings()
    names = {id(part): name for name, part in module.named_modules()}
    both = [state.get(f"{names.get(id(part))}.weight") for part in (head, embedding)]
    if both[0] is None or both[1] is None:
        return True
    return both[0].data_ptr() == both[1].data_ptr() or bool((both[0] == both[1]).all())


def _plain(module: Any, config: Any, state: Mapping[str, Tensor]) -> Any:
    """A model of the same class with these weights and nothing put on it."""
    import torch

    with torch.random.fork_rng(devices=[]):
        made = type(module)(config)
    made.to(next(module.parameters()).dtype)
    made.load_state_dict(dict(state), strict=True)
    made.generation_config = copy.deepcopy(getattr(module, "generation_config", None))
    return made.eval()


def _check(treated: OpenModel, plain: nn.Module, folder: Path) -> None:
    """Open what was written and compare its log-probabilities with those of the treated model.

    Raises:
        BadModel: they differ.
    """
    from evenhand.models.loading import open_folder

    again: Any = open_folder(folder, f"hf:{folder}", dtype=treated.spec.dtype)
    far = max(_apart(treated.module, one) for one in (plain, again.module))
    if not far <= (TOLERANCE if treated.spec.dtype in ("float32", "float64") else _NARROW):
        raise BadModel(
            f"The merged model does not answer as {treated.spec.uri} does: they differ by {far:.1e} nats.",
            mend=f"{_APPLY}.",
        )


def _apart(one: nn.Module, other: nn.Module) -> float:
    """The largest difference of log-probabilities after a few tokens of the vocabulary."""
    import torch

    config: Any = one.config
    size = int(config.get_text_config().vocab_size)
    ids = (torch.arange(1, 25) * 7919 % (size - 1) + 1).view(2, 12)
    given = {"input_ids": ids, **({"decoder_input_ids": ids[:, :5]} if config.is_encoder_decoder else {})}

    def answers(module: nn.Module) -> Tensor:
        device = next(module.parameters()).device
        with torch.no_grad():
            logits: Tensor = module(**{key: value.to(device) for key, value in given.items()}).logits
        return logits.double().log_softmax(-1).cpu()

    return float((answers(one) - answers(other)).abs().max())
