"""The family of language models that a Hugging Face configuration describes, and the class that opens it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from evenhand.errors import BadModel

Family = Literal["causal", "masked", "seq2seq", "encoder"]
_HEADLESS = "Model"  # BertModel, GPT2Model, ...: the class of a backbone; old GPT-2 heads end in ...HeadModel
_HEADS = ("HeadModel", "MTModel", "DecoderModel")


def family(name: str, config: Any) -> Family:
    """The family of the checkpoint `name` with this configuration.

    The stated architecture decides (BertForMaskedLM is masked, BartForConditionalGeneration sequence to
    sequence). A checkpoint that states none, or only a backbone, is opened if its model type has a single
    family: such a checkpoint may still be complete, because its head is tied to its embeddings. A backbone
    that can have several heads, or that is half of a model, is an encoder: it has none of them.

    Raises:
        BadModel: it is not a language model; or it states no head and its model type has several.
    """
    stated = [str(a) for a in getattr(config, "architectures", None) or ()]
    headed = [a for a in stated if not a.endswith(_HEADLESS) or a.endswith(_HEADS)]
    possible = [f for f, classes in _classes(config.model_type).items() if classes]
    named = [f for f in possible if set(headed) & _classes(config.model_type)[f]]
    if named:
        return "seq2seq" if "seq2seq" in named else named[0]
    half = any(a.endswith("EncoderModel") for a in stated)
    several = "masked" in possible and len(possible) > 1 and "seq2seq" not in possible
    if backbone_alone(config) and (half or several):
        return "encoder"
    if not headed and getattr(config, "is_encoder_decoder", False) and "seq2seq" in possible:
        return "seq2seq"
    if not headed and len(possible) == 1:
        return possible[0]
    if not headed and possible:
        raise BadModel(
            f"{name} states no language-model head ({', '.join(stated) or 'no architecture'}), and a "
            f"{config.model_type} can be {' or '.join(possible)}: its family is not known.",
            mend="Use a checkpoint with its head, such as one of the class ...ForMaskedLM; if the weights "
            'hold the head, state the class under "architectures" in config.json.',
        )
    raise BadModel(
        f"{name} is not a language model: it is a {', '.join(stated) or config.model_type}.",
        mend="Use a model of the class ...ForCausalLM, ...LMHeadModel, ...ForMaskedLM or "
        "...ForConditionalGeneration.",
    )


def loader(kind: Family, config: Any = None) -> Any:
    """The transformers class that opens models of this family; an encoder's depends on `config`."""
    import transformers

    if kind == "encoder":
        return _encoder_loader(config)

    names: Mapping[Family, str] = {
        "causal": "AutoModelForCausalLM",
        "masked": "AutoModelForMaskedLM",
        "seq2seq": "AutoModelForSeq2SeqLM",
    }
    return getattr(transformers, names[kind])


def backbone_alone(config: Any) -> bool:
    """Whether the configuration states a backbone and no class with a head."""
    stated = [str(a) for a in getattr(config, "architectures", None) or ()]
    return bool(stated) and all(a.endswith(_HEADLESS) and not a.endswith(_HEADS) for a in stated)


def _encoder_loader(config: Any) -> Any:
    """The class that opens an encoder with this configuration: of a model with two halves, its encoder."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES as HALVES

    if HALVES.get(config.model_type, "").endswith("EncoderModel"):
        return transformers.AutoModelForTextEncoding
    return transformers.AutoModel


def _classes(model_type: str) -> dict[Family, set[str]]:
    """The classes with a head that each family has for `model_type`."""
    from transformers.models.auto import modeling_auto as auto

    tables: Mapping[Family, Mapping[str, Any]] = {
        "causal": auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        "masked": auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        "seq2seq": auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    }
    found: dict[Family, set[str]] = {}
    for kind, table in tables.items():
        names = table.get(model_type, ())
        found[kind] = {names} if isinstance(names, str) else set(names)
    if found["masked"]:  # a checkpoint of the pre-training class holds the masked head, too
        found["masked"] |= {name.replace("ForMaskedLM", "ForPreTraining") for name in found["masked"]}
    # The name that T5's class had before it was called ForConditionalGeneration.
    found["seq2seq"] |= {n.replace("ForConditionalGeneration", "WithLMHeadModel") for n in found["seq2seq"]}
    return found
