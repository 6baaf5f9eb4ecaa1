"""The default benchmarks of a model. Without torch, because the command line needs them first.

A decision model can only make decisions. Its bias is the bias of its decisions, and its capability is their
accuracy, after the same demonstrations and on other people. Its bias follows the demonstrations: after
balanced demonstrations there is too little bias to treat, so the default uses biased ones.

The default capability benchmarks are English, and some of them are about he and she. They are taken where a
bias benchmark is so, too; where nothing fits, nothing is taken, and a sentence says that it was not measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evenhand import lexicons, registry
from evenhand.errors import BadOption, UsageError
from evenhand.registry import ComponentSpec, parse

if TYPE_CHECKING:
    from evenhand.lexicons import Attribute

BIAS = ("genbiaseval", "genhinteval")
TREATED_BIAS = ("genbiaseval:split=heldout", "genhinteval", "genhinteval:form=sentence786")
CAPABILITY: Mapping[str, tuple[str, ...]] = {
    "lab": ("facts", "perplexity:text=lab"),
    "hf": (
        "subjects",
        "coreference",
        "definitional",
        "facts:set=world",
        "perplexity",
        "perplexity:text=people",
    ),
}
BY_ATTRIBUTE = ("genbiaseval", "genhinteval")  # bias benchmarks that ask with the words of an attribute
OF_GENDER = ("coreference", "definitional")  # capability that is about he and she
HARD_WORLD = (
    "facts:set=hard",
    "facts:set=professions",
    "facts:set=stated",
    "facts:set=definitional",
    "facts:set=unseen",
)  # what only the lab's harder world can know
DECISION_MODEL = "lab:decisions"
DECISIONS, ACCURACY = "decisions", "decision_accuracy"
BIASED = "decisions:parity=0.5,shots=8"
ACCURACY_PEOPLE = "2000"  # of the lab's people, who are cheap to make: one point of accuracy needs many
_SHARED = (
    "task",
    "shots",
    "parity",
    "counterbalanced",
    "prompt_seed",
    "seed",
    "attribute",
    "labels",
    "leaky",
    "bins",
    "test",
)


def bias(uri: str, attribute: str | None = None) -> tuple[str, ...]:
    """The bias benchmarks of the model `uri` that are measured alone; of an `attribute` those that fit it.

    Raises:
        UsageError: the model decides about people, whose attribute is a column.
        EvenhandError: the attribute is unknown, or its file cannot be used.
    """
    if attribute is not None:
        return _about(uri, BIAS, attribute)
    return (BIASED,) if decides(uri) else BIAS


def treated_bias(uri: str, attribute: str | None = None) -> tuple[str, ...]:
    """The bias benchmarks of the model `uri` where a treatment is fitted or judged, as `bias` says.

    Its professions and templates are held out, and one of two kinds of hint is one that no method trains on.
    """
    if attribute is not None:
        return _about(uri, TREATED_BIAS, attribute)
    return (BIASED,) if decides(uri) else TREATED_BIAS


def _about(uri: str, specs: Sequence[str], attribute: str) -> tuple[str, ...]:
    """Those of `specs`, about the attribute, that it has the words for: not every one has hints."""
    if decides(uri):
        raise UsageError(
            f"The attribute {attribute} is words of sentences, and {uri} decides about people.",
            mend="Name a column of the people: -b decisions:attribute=COLUMN.",
        )
    first, *hints = (
        str(ComponentSpec(one.name, {**one.options, "attribute": attribute})) for one in map(parse, specs)
    )
    lexicons.attribute(attribute)
    return (first, *filter(_fits, hints))


def _fits(spec: str) -> bool:
    """Whether the benchmark can ask about the attribute that its spec names."""
    try:
        registry.create("benchmark", spec)
    except BadOption:
        return False
    return True


def capability(uri: str, bias_specs: Sequence[str] = ()) -> tuple[str, ...]:
    """The capability benchmarks of the model `uri`, whose bias is measured by `bias_specs`.

    Where decisions are measured, these include their accuracy after the same demonstrations. Those in English
    are left out where no bias benchmark is English, and those about he and she where none is about gender.
    """
    own = _fitting(uri, bias_specs)
    specs = [spec for spec in map(parse, bias_specs or treated_bias(uri)) if spec.name == DECISIONS]
    if not specs and not decides(uri):
        return own
    shared = {key: value for spec in specs[:1] for key, value in spec.options.items() if key in _SHARED}
    if decides(uri):
        return (str(ComponentSpec(ACCURACY, {"n": ACCURACY_PEOPLE, **shared})),)
    return (str(ComponentSpec(ACCURACY, shared)), *own)


def left_out(uri: str, bias_specs: Sequence[str]) -> str:
    """What a reader has to know of the default capability of a model beside these bias benchmarks.

    Sentences that name what was left out, or what is in another language; empty where all of it fits.
    """
    asked = _attributes(bias_specs)
    foreign = list(
        dict.fromkeys(lexicons.language(one.language).name for one in asked if one.language != "en")
    )
    said = []
    if foreign and not _english(bias_specs):
        said.append(
            "Capability was not measured: the default questions and texts are English, and these sentences "
            f"are {' and '.join(foreign)}. Name your own, such as --capability perplexity:file=TEXTS.txt."
        )
    elif foreign:
        said.append(
            f"The default capability is English; what it costs in {' and '.join(foreign)} is unknown."
        )
    elif gone := [name for name in _own(uri) if name not in _fitting(uri, bias_specs)]:
        said.append(f"Left out of the default capability, being about he and she: {' and '.join(gone)}.")
    if foreign:
        said.append("How far the next words of neutral text moved is measured on English texts.")
    return " ".join(said)


def _own(uri: str) -> tuple[str, ...]:
    """The default capability of the model, whatever its bias is measured by."""
    return (*CAPABILITY.get(uri.partition(":")[0], CAPABILITY["hf"]), *(HARD_WORLD if _hard(uri) else ()))


def _fitting(uri: str, bias_specs: Sequence[str]) -> tuple[str, ...]:
    """The part of it that fits the language and the attribute of the bias benchmarks."""
    if not _english(bias_specs):
        return ()
    asked = _attributes(bias_specs)
    about_gender = len(asked) < len(bias_specs) or any(map(_of_gender, asked)) or not asked
    return tuple(spec for spec in _own(uri) if about_gender or spec not in OF_GENDER)


def _english(bias_specs: Sequence[str]) -> bool:
    """Whether one of the bias benchmarks is English, as all are that ask with no attribute's words."""
    asked = _attributes(bias_specs)
    return len(asked) < len(bias_specs) or not asked or any(one.language == "en" for one in asked)


def _attributes(bias_specs: Sequence[str]) -> list[Attribute]:
    """The attributes of the bias benchmarks that ask with the words of one."""
    found = [spec for spec in map(parse, bias_specs) if spec.name in BY_ATTRIBUTE]
    return [lexicons.attribute(str(spec.options.get("attribute", "gender"))) for spec in found]


def _of_gender(attribute: Attribute) -> bool:
    """Whether its groups are those of pronouns, or of a gender crossed with something else."""
    return "gender" in attribute.axes or all(group.possessive for group in attribute.groups)


def training(uri: str, given_by: str) -> str:
    """The spec of `given_by`, the benchmark that gives training examples if none of the run has any."""
    if given_by == DECISIONS and decides(uri):
        return BIASED
    return next((spec for spec in TREATED_BIAS if parse(spec).name == given_by), given_by)


def decides(uri: str) -> bool:
    """Whether `uri` names the lab's decision model, with whatever options and adapters."""
    return uri.partition("?")[0].partition("+")[0] == DECISION_MODEL


def _hard(uri: str) -> bool:
    """Whether `uri` names a lab model of the harder world, with whatever other options and adapters."""
    lab, _, options = uri.partition("+")[0].partition("?")
    return lab == "lab:causal" and "world=hard" in options.split("&")
