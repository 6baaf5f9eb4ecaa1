"""Loading Hugging Face models of all families, with errors that state a remedy."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from evenhand.errors import (
    BadData,
    BadModel,
    BadOption,
    EvenhandError,
    OutOfMemory,
)
from evenhand.files import expanded, is_folder, parse_json, written_as_path
from evenhand.models import checkpoints, hub, parts, placing, precision, quantised, room
from evenhand.models.causal import CausalModel
from evenhand.models.encoder import EncoderModel
from evenhand.models.families import Family, backbone_alone, family, loader
from evenhand.models.footprint import weight_bytes
from evenhand.models.masked import MaskedModel
from evenhand.models.placing import Placement
from evenhand.models.seq2seq import Seq2SeqModel
from evenhand.models.together import Named
from evenhand.progress import task
from evenhand.scoring.finite import check_weights
from evenhand.scoring.memory import ran_out

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HfModel = CausalModel | MaskedModel | Seq2SeqModel | EncoderModel
KINDS: Mapping[Family, Callable[..., HfModel]] = {
    "encoder": EncoderModel,
    "causal": CausalModel,
    "masked": MaskedModel,
    "seq2seq": Seq2SeqModel,
}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_SETTINGS = ("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json")
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def open_hf(rest: str, *, dtype: str | None = None, batch_tokens: int | None = None) -> HfModel:
    """Open ``hf:REST``: ``org/name``, ``org/name@revision``, or a folder that starts with ./ or / or ~; each
    may be followed by ``?device_map=`` or ``?tp=auto`` (see `evenhand.models.placing`).

    A folder never opens a network connection; a hub name does where the files are not in the cache. The
    configuration decides the family: causal, masked, sequence-to-sequence, or an encoder without a head (see
    `families.family`). Without `dtype` the weights keep their own, but for narrow ones on a device that
    multiplies them slowly: those become float32, and a note says so (see `evenhand.models.precision`).

    Raises:
        BadData: the folder is missing.
        BadModel: it holds no language model in safetensors, or the hub has no such repository.
        BadOption: an unknown dtype, or a place that does not suit the model.
        UsageError: it is to be divided among several processes, and this one is alone.
        EnvironmentProblem: the hub cannot be reached, or another process cannot open its part.
        OutOfMemory: the weights do not fit.
    """
    name, revision, place = _named(rest)
    with ExitStack() as stack:
        if place is not None and place.in_parts:
            size = parts.check_launched()
            with quiet(), explained(name):
                found, _ = hub.opened(name, revision, lambda where: _described(name, dtype, where))
            parts.check_plan(name, found.module, size)
            stack.enter_context(parts.opening(Named(f"hf:{rest}", dtype, batch_tokens)))
        with quiet(), explained(name):
            (kind, module, tokenizer, remarks), notes = hub.opened(
                name, revision, lambda where: _load(name, dtype, where, place, batch_tokens)
            )
        model = KINDS[kind](module, tokenizer, f"hf:{rest}", revision=revision, batch_tokens=batch_tokens)
    model.opening = (*notes, *remarks)
    return model


def open_folder(
    folder: Path, uri: str, *, dtype: str | None = None, batch_tokens: int | None = None
) -> HfModel:
    """Open a folder that evenhand itself made, under the name `uri`; errors as in `open_hf`."""
    with quiet(), explained(str(folder)):
        (kind, module, tokenizer, _), _ = hub.opened(
            str(folder), None, lambda where: _load(str(folder), dtype, where, None, batch_tokens)
        )
    return KINDS[kind](module, tokenizer, uri, batch_tokens=batch_tokens)


def described(rest: str, *, dtype: str | None = None) -> Described:
    """What `open_hf` would open, without its weights; nothing is requested from a hub.

    Raises:
        EvenhandError: as for `open_hf`, and for a name of the hub whose files are not in the cache.
    """
    name, revision, place = _named(rest)
    where = {"revision": revision, "trust_remote_code": False, "local_files_only": True}
    with quiet(), explained(name):
        return replace(_described(name, dtype, where), place=place)


def _named(rest: str) -> tuple[str, str | None, Placement | None]:
    """The folder or the name on the hub in ``hf:REST``, its revision, and where its weights go."""
    rest, place = placing.parsed(rest)
    if written_as_path(rest) or is_folder(rest):
        return str(checked_folder(expanded(Path(rest)))), None, place
    name, _, revision = rest.partition("@")
    return name, revision or None, place


@dataclass(frozen=True)
class Described:
    """A model before its weights are read: `module` has no storage, and is None where they are packed.

    `how` is what transformers needs to open it, `place` where its weights go, `notes` what to say of it, and
    `copied` the bytes of the checkpoint that are not read in the dtype in which they are stored.
    """

    kind: Family
    config: Any
    tokenizer: PreTrainedTokenizerBase
    module: nn.Module | None
    how: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    place: Placement | None = None
    copied: int = 0


def _described(name: str, dtype: str | None, where: Mapping[str, Any]) -> Described:
    from transformers import AutoConfig, AutoTokenizer

    wanted = "auto" if dtype is None else torch_dtype(dtype)
    config = AutoConfig.from_pretrained(name, **where)
    kind = family(name, config)
    tokenizer = AutoTokenizer.from_pretrained(name, **where)
    _check_longest(name, tokenizer)
    files = checkpoints.found(name, where)
    checkpoints.check_depth(name, config, files)
    how: dict[str, Any] = {"dtype": wanted, **where}
    if getattr(config, "quantization_config", None) is not None:  # packed weights need memory to be described
        return Described(kind, config, tokenizer, None, how)
    # Without memory for the weights, to check them against the configuration.
    kind, module, _ = _built(kind, name, config, {**how, "device_map": "meta"})
    own = precision.dtype_name(module)
    notes: tuple[str, ...] = ()
    if dtype is None and not precision.multiplies_fast(own):
        how["dtype"], module, notes = torch.float32, module.float(), (precision.widened(own),)
    copied = checkpoints.copied_bytes(name, files, precision.dtype_name(module))
    return Described(kind, config, tokenizer, module, how, notes, copied=copied)


def _load(
    name: str,
    dtype: str | None,
    where: Mapping[str, Any],
    place: Placement | None = None,
    batch_tokens: int | None = None,
) -> tuple[Family, nn.Module, PreTrainedTokenizerBase, tuple[str, ...]]:
    """The parts of the model `name`, and notes on how they were opened.

    `where` states which of its files may be requested (see `hub.opened`), `place` where its weights go.
    """
    found = _described(name, dtype, where)
    kind, config, tokenizer = found.kind, found.config, found.tokenizer
    put: dict[str, Any] = {"device_map": None}
    notes = found.notes
    if found.module is None:
        label, late = f"loading {name}", False
        put |= {} if place is None else {"device_map": place.device_map}
    else:
        module = found.module
        if place is not None and place.in_parts:
            put = parts.arguments()
        elif place is None:
            room.check_room(name, module, replace(room.job(batch_tokens), copied=found.copied))
        else:
            put = place.arguments(module, (folder := placing.offload_folder()).name)
        label, late = f"loading {name}, {room.described(module)}", weight_bytes(module) < room.LARGE
    with task(label, 3, unit="step", late=late) as advance:
        with quantised.explained(name, config):
            kind, module, remarks = _built(kind, name, config, {**found.how, **put})
        advance(1)
        check_weights(name, module)
        advance(1)
        if place is None:
            module = placed(module)
        elif found.module is not None and not place.in_parts:
            vars(module)["_evenhand_folder"] = folder  # so that it lives as long as the model
        advance(1)
    notes += remarks + placing.note(module)
    return kind, module, tokenizer, notes + checkpoints.foreign_code(module, tokenizer)


def _built(
    kind: Family, name: str, config: Any, how: Mapping[str, Any]
) -> tuple[Family, nn.Module, tuple[str, ...]]:
    """The family, the module with the checkpoint's weights, and notes on weights that it does not use."""
    module, info = _from_pretrained(kind, name, config, how)
    if kind == "masked" and info["missing_keys"] and backbone_alone(config):
        kind = "encoder"  # the head is not tied to the embeddings, and the checkpoint does not hold it
        module, info = _from_pretrained(kind, name, config, how)
    if kind == "encoder":
        info = _without_pooler(module, info)
    return kind, module, checkpoints.check_complete(name, module, info)


def _check_longest(name: str, tokenizer: Any) -> None:
    longest = tokenizer.model_max_length
    if type(longest) not in (int, float) or not longest > 0:
        raise BadModel(
            f"The tokenizer of {name} has the model_max_length {longest!r}, which is not a number of tokens.",
            mend="Write a positive number into its tokenizer_config.json, or take the line out.",
        )


def _from_pretrained(kind: Family, name: str, config: Any, how: Mapping[str, Any]) -> tuple[Any, Any]:
    loaded: tuple[Any, Any] = loader(kind, config).from_pretrained(
        name,
        config=copy.deepcopy(config),
        use_safetensors=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are refused by name in `checkpoints.check_complete`
        **how,
    )
    return loaded


def _without_pooler(module: Any, info: Mapping[str, Any]) -> Mapping[str, Any]:
    """The loading info without a missing pooler, which is not used here; a random pooler is removed."""
    lacking = {key for key in info["missing_keys"] if str(key).startswith("pooler.")}
    if lacking:
        module.pooler = None
    return {**info, "missing_keys": set(info["missing_keys"]) - lacking}


def torch_dtype(name: str) -> torch.dtype:
    """The dtype of that name.

    Raises:
        BadOption: there is none.
    """
    if name not in DTYPES:
        raise BadOption(f"There is no dtype {name!r}.", mend=f"Use one of {', '.join(DTYPES)}.")
    return DTYPES[name]


def placed(module: nn.Module) -> nn.Module:
    """`module` on the graphics card where there is one."""
    return module.to("cuda" if torch.cuda.is_available() else "cpu")


def checked_folder(folder: Path) -> Path:
    """`folder`, if it holds a Hugging Face configuration and weights in safetensors.

    Raises:
        BadData: there is no such folder.
        BadModel: the configuration or the weights are missing or of another kind.
    """
    if not is_folder(folder):
        raise BadData(
            f"There is no folder {folder}.", mend="Check the path; a hub name has no ./ or / in front."
        )
    config = folder / "config.json"
    if not config.is_file():
        raise BadModel(
            f"{folder} holds no config.json, so it is not a Hugging Face model.",
            mend="Name the folder that save_pretrained wrote.",
        )
    for path in (folder / file for file in _SETTINGS):
        try:
            parse_json(path.read_bytes() if path.is_file() else "{}")
        except (ValueError, OSError) as error:
            raise BadModel(f"{path} cannot be read: it is {error}.", mend="Write the model again.") from None
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
        raise _no_safetensors(str(folder), ", ".join(pickled))
    return folder


def _no_safetensors(name: str, found: str) -> BadModel:
    if not found:
        return BadModel(f"{name} holds no model.safetensors.", mend="Download or save the weights, too.")
    return BadModel(
        f"{name} keeps its weights in {found}: loading such a pickle can run any code, so it is not opened.",
        mend='If you trust its maker, convert it once to safetensors: python -c "from transformers import '
        f"AutoModelForCausalLM as A, AutoTokenizer as T; n='{name}'; o='./converted'; "
        "A.from_pretrained(n, use_safetensors=False).save_pretrained(o); "
        'T.from_pretrained(n).save_pretrained(o)" '
        "and open hf:./converted",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the libraries' messages while they load: relevant ones become errors of evenhand."""
    from huggingface_hub.utils import logging as hub_chatter
    from transformers.utils import logging as chatter

    logging: Any = chatter  # the functions of both are not annotated
    hub: Any = hub_chatter
    level, bars, hub_level = logging.get_verbosity(), logging.is_progress_bar_enabled(), hub.get_verbosity()
    logging.set_verbosity_error()
    hub.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        hub.set_verbosity(hub_level)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn errors of the loading libraries into one paragraph with a remedy."""
    try:
        yield
    except EvenhandError:
        raise
    except Exception as error:
        raise _explain(name, error) from None


def _explain(name: str, error: BaseException) -> EvenhandError:
    if ran_out(error):
        return OutOfMemory(
            f"The weights of {name} do not fit into memory.", mend="Use dtype bfloat16 or a smaller model."
        )
    said = " ".join(str(e) for e in hub.causes(error)).lower()
    if "no file named model.safetensors" in said:
        return _no_safetensors(name, "another format")
    if "contains custom code" in said or "references custom code" in said:
        return _remote_code(name)
    known = hub.explanation(name, error)
    if known is not None:
        return known
    first = str(error).strip().splitlines() or [type(error).__name__]
    return BadModel(
        f"{name} cannot be opened: {first[0].rstrip('.')}.",
        mend="Check that it is a complete language model.",
    )


def _remote_code(name: str) -> BadModel:
    return BadModel(
        f"{name} contains its own Python code (auto_map in its JSON files) for a kind of model that the "
        "transformers library does not know, and evenhand runs no code that comes with a model.",
        mend="Use a kind of model that is part of transformers, such as a converted copy of this one; or "
        "serve it with a program that you trust and measure it as openai:http://host/v1#model.",
    )
