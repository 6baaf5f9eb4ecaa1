"""The default benchmarks of a model. Without torch, because the command line needs them first.

A decision model can only make decisions. Its bias is the bias of its decisions, and its capability is their
accuracy, after the same demonstrations and on other people. Its bias follows the demonstrations: after
balanced demonstrations there is too little bias to treat, so the default uses biased ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evenhand.registry import ComponentSpec, parse

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


def bias(uri: str) -> tuple[str, ...]:
    """The bias benchmarks of the model `uri` that are measured alone."""
    return (BIASED,) if decides(uri) else BIAS


def treated_bias(uri: str) -> tuple[str, ...]:
    """The bias benchmarks of the model `uri` where a treatment is fitted or judged.

    Its professions and templates are held out, and one of two kinds of hint is one that no method trains on.
    """
    return (BIASED,) if decides(uri) else TREATED_BIAS


def capability(uri: str, bias_specs: Sequence[str] = ()) -> tuple[str, ...]:
    """The capability benchmarks of the model `uri`, whose bias is measured by `bias_specs`.

    Where decisions are measured, these include their accuracy after the same demonstrations.
    """
    own = (*CAPABILITY.get(uri.partition(":")[0], CAPABILITY["hf"]), *(HARD_WORLD if _hard(uri) else ()))
    specs = [spec for spec in map(parse, bias_specs or treated_bias(uri)) if spec.name == DECISIONS]
    if not specs and not decides(uri):
        return own
    shared = {key: value for spec in specs[:1] for key, value in spec.options.items() if key in _SHARED}
    if decides(uri):
        return (str(ComponentSpec(ACCURACY, {"n": ACCURACY_PEOPLE, **shared})),)
    return (str(ComponentSpec(ACCURACY, shared)), *own)


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
