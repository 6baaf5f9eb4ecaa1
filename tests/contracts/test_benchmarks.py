"""What every benchmark keeps to, whoever wrote it: found by discovery, answered by scripted models."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from evenhand import registry, sources
from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._associations import read_test
from evenhand.errors import BadData, BadOption, MissingExtra
from evenhand.lexicons import gender_of
from evenhand.records import (
    Averaged,
    Cloze,
    ContextPair,
    Continuation,
    Contrast,
    Embedding,
    Generation,
    GreedyMatch,
    GuardName,
    PersonExample,
    Sample,
    Score,
    Unanchored,
    Value,
    from_json,
    to_json,
)
from tests.support.scripted import (
    EVEN,
    NEUTRAL,
    ScriptedModel,
    anti_stereotype,
    by_role,
    choosing,
    figures,
    run,
    stereotype,
)

NAMES = registry.names("benchmark")
# What is tested in place of a name that needs more than a machine may have, such as a classifier's weights.
QUESTIONS = Path(__file__).parents[1] / "support" / "questions.jsonl"
SPECS: Mapping[str, str] = {
    "lm_eval": f"lm_eval:task={QUESTIONS.with_suffix('.yaml')},data={QUESTIONS}",
    "multiple_choice": f"multiple_choice:file={QUESTIONS}",
    "bbq": "bbq:category=Sexual_orientation",  # all nine take seconds to read
    "toxicity": "toxicity:classifier=lexicon",
    "regard": "regard:classifier=lexicon",
    "bold": "bold:regard=lexicon,toxicity=lexicon",
}
VARIANTS = (
    *(SPECS.get(name, name) for name in NAMES),
    "genbiaseval:part=all",
    "genbiaseval:split=profession",
    "genbiaseval:part=dev,professions=multiword,seed=3",
    "genbiaseval:attribute=race",
    "genbiaseval:attribute=religion,split=profession",
    "genbiaseval:attribute=age",
    "genbiaseval:attribute=race_gender,part=dev",
    "genhinteval:form=paired1572",
    "genhinteval:professions=multiword",
    "facts:set=world",
    "facts:normalise=token",
    "lpbs:form=causal",
    "seat:tests=religion",
    "weat:tests=age",
    "perplexity:text=lab",
    "perplexity:window=12",
    "crows_pairs:mode=lm_eval",
    "crows_pairs:mode=nangia",
    "crows_pairs:mode=bias_bench",
    "stereoset:task=both",
    "stereoset:form=cloze",
    "stereoset:scoring=reference",
    "stereoset:form=prompted,task=intersentence",
    "crows_pairs:data=lab",
    "crows_pairs:data=lab,mode=nangia",
    "stereoset:data=lab",
    "stereoset:data=lab,form=cloze",
    "bbq:category=Religion,form=prompted",
    "bbq:category=Sexual_orientation,normalise=total,unknown=any",
    "winobias:part=dev,type=2",
    "counterfactual:vocabulary=full",
    "counterfactual:category=Age,prompts=langfair",
    "honest:k=1,level=all,set=queer_nonqueer,temperature=0",
    "toxicity:classifier=lexicon,k=2,prompts=nontoxic",
    "regard:classifier=lexicon,prompts=honest-queer",
    "bold:domain=religion,regard=lexicon,toxicity=lexicon",
    "winogender:normalise=token,participant=someone",
    "decisions:shots=0,seed=3",
    "decisions:counterbalanced=true,parity=0.5,prompt_seed=1,shots=8,test_parity=0.5",
    "decisions:attribute=sex*race,labels=0|1,leaky=true,n=40,shots=20,task=adult,train=20,dev=10",
    "decision_accuracy:n=50,shots=2",
)
Script = Callable[[Benchmark], ScriptedModel]


def _right(benchmark: Benchmark) -> ScriptedModel:
    """Certain of the right option, or of every text."""
    right = _answers(benchmark)
    return ScriptedModel(lambda item: float((item.context, item.text) in right))


def _wrong(benchmark: Benchmark) -> ScriptedModel:
    """Certain of anything but the right option; finds a text a thousand times less likely with every word."""
    right = _answers(benchmark)
    if not any(context for context, _ in right):
        return ScriptedModel(lambda item: 1000.0 ** -len(item.text.split()))
    return ScriptedModel(lambda item: 0.0 if (item.context, item.text) in right else 1 / 3)


def _uniform(benchmark: Benchmark) -> ScriptedModel:
    """The same for every option of a sample; for whole texts, one of 512 tokens at every step."""
    if "roles" in benchmark.load()[0].fields:
        return by_role(benchmark, {})
    if "first" in benchmark.load()[0].fields:  # both versions of a counterfactual pair
        return ScriptedModel(lambda item: 0.25)
    if isinstance(benchmark.ask(benchmark.load()[0])[0], Cloze | Embedding):
        return ScriptedModel(lambda item: 0.25, embeds=lambda text: (1.0, 0.0))
    if any(isinstance(request, Generation) for request in benchmark.ask(benchmark.load()[0])):
        return ScriptedModel(lambda item: 0.5, writes=lambda prompt: " and so on.")
    if benchmark.role == "capability" and not any(context for context, _ in _answers(benchmark)):
        return ScriptedModel(lambda item: 512.0 ** -len(item.text.split()))
    shares = {
        (r.context, r.text): 1 / len(benchmark.ask(sample))
        for sample in benchmark.load()
        for r in benchmark.ask(sample)
    }
    return ScriptedModel(lambda item: shares[item.context, item.text])


def _answers(benchmark: Benchmark) -> set[tuple[str, str]]:
    found = set()
    for sample in benchmark.load():
        request = benchmark.ask(sample)[sample.fields.get("answer", 0)]
        found.add((request.context, request.text))
    return found


BIAS_SCRIPTS: Mapping[str, Script] = {
    "stereotype": lambda b: choosing(b, stereotype),
    "anti": lambda b: choosing(b, anti_stereotype),
    "even": lambda b: choosing(b, lambda sample: EVEN),
    "unknown": lambda b: choosing(b, lambda sample: NEUTRAL),
    "uniform": _uniform,
}
CAPABILITY_SCRIPTS: Mapping[str, Script] = {"right": _right, "wrong": _wrong, "uniform": _uniform}
SCRIPTS = {"bias": BIAS_SCRIPTS, "capability": CAPABILITY_SCRIPTS}


def _mentions(choice: Callable[[str], str]) -> Script:
    """For WinoBias and Winogender: certain of the mention, ``right`` or ``other``, that a pronoun calls for.

    `choice` is asked with ``pro`` or ``anti``, or with ``male``, ``female`` or ``neutral``.
    """

    def script(benchmark: Benchmark) -> ScriptedModel:
        chosen = set()
        for sample in benchmark.load():
            asked = sample.fields.get("contexts") or {key: sample.fields[key] for key in ("pro", "anti")}
            for key, one in asked.items():
                mentions = one if isinstance(one, dict) else {"context": one, **sample.fields}
                chosen.add((mentions["context"], f" {mentions[choice(key)]}"))
        return ScriptedModel(lambda item: float((item.context, item.text) in chosen))

    return script


def _deciding(man: str | None, woman: str | None) -> Script:
    """For counterfactual pairs: certain of one answer for each gender, None gives none any probability."""

    def rule(item: Continuation) -> float:
        return float(item.text == (man if gender_of(item.context) == "male" else woman))

    return lambda benchmark: ScriptedModel(rule)


def _writing(group: float | None, text: str = " an idiot.", other: str = " and so on.") -> Script:
    """For generated text: `text` after prompts about the group of this index alone, `other` after the rest.

    None is all prompts.
    """

    def script(benchmark: Benchmark) -> ScriptedModel:
        samples = benchmark.load()
        rest = {s.fields["prompt"] for s in samples if group is not None and s.fields["group"] != group}
        return ScriptedModel(lambda item: 0.5, writes=lambda prompt: other if prompt in rest else text)

    return script


def _roles(**shares: float) -> Script:
    """For benchmarks that compare whole options: what a word of each role's option gets, the others 1/8."""
    return lambda benchmark: by_role(benchmark, shares)


def _pronouns(choice: Callable[[Sample], str]) -> Script:
    """For LPBS: beside the profession the pronoun of the choice gets twice its prior of 1/4, the other
    half.
    """

    def script(benchmark: Benchmark) -> ScriptedModel:
        table = {}
        for sample in benchmark.load():
            named = choice(sample)
            he, she, *prior = benchmark.ask(sample)
            shares = {"male": (0.5, 0.125), "female": (0.125, 0.5), EVEN: (0.25, 0.25), NEUTRAL: (0.0, 0.0)}
            table |= dict(zip((he, she), shares[named], strict=True)) | dict.fromkeys(prior, 0.25)
        return ScriptedModel(table.__getitem__)

    return script


def _poles(*, anti: bool = False) -> Script:
    """For SEAT and WEAT: texts about men, careers and sciences lie at one pole, the others at the other.

    With `anti` careers and sciences change places with families and arts.
    """
    first, men = {"MaleNames", "MaleTerms", "Career", "Math", "Science"}, {"MaleNames", "MaleTerms"}
    people = men | {"FemaleNames", "FemaleTerms"}

    def script(benchmark: Benchmark) -> ScriptedModel:
        places = {}
        for name in {sample.slices["test"] for sample in benchmark.load()}:
            test = read_test(sources.path(f"seat/{name}.jsonl"))
            for category, texts in zip(test.categories, (test.X, test.Y, test.A, test.B), strict=True):
                near = (category in first) != (anti and category not in people)
                places |= dict.fromkeys(texts, (1.0, 0.0) if near else (0.0, 1.0))
        return ScriptedModel(lambda item: 0.5, embeds=places.__getitem__)

    return script


def _approving(rule: Callable[[int, int], int | None]) -> Script:
    """For decisions: certain of the label that `rule` says for a twin's group and the true outcome (0 or 1).

    None gives neither label any probability.
    """

    def script(benchmark: Benchmark) -> ScriptedModel:
        table = {}
        for sample in benchmark.load():
            for group, context in enumerate(sample.fields["contexts"]):
                said = rule(group, sample.fields["answer"])
                for label, word in enumerate(sample.fields["options"]):
                    table[context, word] = float(label == said)
        return ScriptedModel(lambda item: table[item.context, item.text])

    return script


# A benchmark whose stereotype is not a group's term after a profession brings scripts of its own.
OWN_SCRIPTS: Mapping[str, Mapping[str, Script]] = {
    "lpbs": {
        "stereotype": _pronouns(stereotype),
        "anti": _pronouns(anti_stereotype),
        "even": _pronouns(lambda sample: EVEN),
        "unknown": _pronouns(lambda sample: NEUTRAL),
        "uniform": _uniform,
    },
    "seat": {"stereotype": _poles(), "anti": _poles(anti=True), "uniform": _uniform},
    "weat": {"stereotype": _poles(), "anti": _poles(anti=True), "uniform": _uniform},
    "crows_pairs": {
        "stereotype": _roles(stereotype=0.5, anti=0.25),
        "anti": _roles(stereotype=0.25, anti=0.5),
        "uniform": _roles(),
    },
    "stereoset": {
        "stereotype": _roles(stereotype=0.5, anti=0.25),
        "anti": _roles(stereotype=0.25, anti=0.5),
        "even": _roles(stereotype=0.5, anti=0.5),
        "unknown": _roles(unrelated=0.5),
        "uniform": _roles(),
    },
    "bbq": {
        "stereotype": _roles(stereotype=0.5),
        "anti": _roles(anti=0.5),
        "unknown": _roles(unknown=0.5),
        "uniform": _roles(),
    },
    "honest": {
        "stereotype": _writing(0),
        "anti": _writing(1),
        "unknown": _writing(None, ""),
        "uniform": _uniform,
    },
    **{
        name: {
            "stereotype": _writing(1),
            "anti": _writing(0),
            "unknown": _writing(None, " "),
            "uniform": _uniform,
        }
        for name in ("toxicity", "regard", "bold")
    },
    "counterfactual": {
        "stereotype": _deciding(" yes", " no"),
        "anti": _deciding(" no", " yes"),
        "right": _deciding(" yes", " yes"),
        "unknown": _deciding(None, None),
        "uniform": _uniform,
    },
    "decisions": {
        "stereotype": _approving(lambda group, outcome: 1 - group),
        "anti": _approving(lambda group, outcome: group),
        "right": _approving(lambda group, outcome: outcome),
        "unknown": _approving(lambda group, outcome: None),
        "uniform": _uniform,
    },
    "winobias": {
        "stereotype": _mentions(lambda key: "right" if key == "pro" else "other"),
        "anti": _mentions(lambda key: "right" if key == "anti" else "other"),
        "right": _mentions(lambda key: "right"),
        "uniform": _uniform,
    },
    "lambada": {
        "right": _right,
        "wrong": lambda benchmark: ScriptedModel(lambda item: 0.001),
        "uniform": lambda benchmark: ScriptedModel(lambda item: 1 / 512),
    },
    "winogender": {
        "stereotype": _mentions(lambda key: "right" if key == "male" else "other"),
        "anti": _mentions(lambda key: "other" if key == "male" else "right"),
        "right": _mentions(lambda key: "right"),
        "uniform": _uniform,
    },
}

# The test part of genbiaseval has 721 prompts whose profession leans to he, 168 to she and 55 to neither; in
# genhinteval the stereotype agrees with 293 male and 75 female hints and contradicts 81 and 289.
LEANING, SIGNED = 889 / 944, (721 - 168) / 944
UB = (293 - 81 + 75 - 289) / 786
# Of all 262 professions 194 lean to he and 52 to she.
LEAN_ALL, SIGNED_ALL = (194 + 52) / 262, (194 - 52) / 262
# With all of X at one pole and all of Y at the other, s is 1 and -1: d = 2 / sqrt(2n / (2n - 1)); the mean
# over the six tests, n the texts of a target.
D_SEAT = sum(2 * math.sqrt((2 * n - 1) / (2 * n)) for n in (64, 80, 72, 72, 56, 56)) / 6
D_WEAT = 2 * math.sqrt(15 / 16)
ACTRESSES = 1156 / 3204
EXPECTED: Mapping[str, Mapping[str, Mapping[str, Value]]] = {
    "lpbs": {
        # Beside its profession a pronoun's odds are (1/2) / (1/8) = 4 times those of the prior.
        "stereotype": {"lpbs_magnitude": LEAN_ALL * math.log(4), "lpbs": SIGNED_ALL * math.log(4)},
        "anti": {"lpbs_magnitude": LEAN_ALL * math.log(4), "lpbs": -SIGNED_ALL * math.log(4)},
        "even": {"lpbs_magnitude": 0, "lpbs": 0, "mass": 0.5},
        "unknown": {"lpbs_magnitude": None, "lpbs": None, "mass": 0},
        "uniform": {"lpbs_magnitude": 0, "lpbs": 0, "afgb": 0},
    },
    "seat": {
        "stereotype": {"weat_effect": D_SEAT, "weat_magnitude": D_SEAT},
        "anti": {"weat_effect": -D_SEAT, "weat_magnitude": D_SEAT},
        "uniform": {"weat_effect": None, "weat_magnitude": None},
    },
    "weat": {
        "stereotype": {"weat_effect": D_WEAT, "weat_magnitude": D_WEAT},
        "anti": {"weat_effect": -D_WEAT, "weat_magnitude": D_WEAT},
        "uniform": {"weat_effect": None, "weat_magnitude": None},
    },
    "genbiaseval": {
        "stereotype": {
            "afgb": LEANING,
            "afgb_normalised": LEANING,
            "afgb_signed": SIGNED,
            "mass": 1,
            "neutral": 0,
        },
        "anti": {
            "afgb": LEANING,
            "afgb_normalised": LEANING,
            "afgb_signed": -SIGNED,
            "mass": 1,
            "neutral": 0,
        },
        "even": {"afgb": 0, "afgb_normalised": 0, "afgb_range": 0, "afgb_signed": 0, "stereotype_slope": 0},
        "unknown": {"afgb": 0, "afgb_normalised": None, "mass": 0, "neutral": 1, "stereotype_slope": 0},
        "uniform": {"afgb": 0, "afgb_normalised": 0, "mass": 2 / 3, "neutral": 1 / 3, "slope_intercept": 0},
    },
    "genhinteval": {
        "stereotype": {"ub": UB, "mass": 1},
        "anti": {"ub": -UB, "mass": 1},
        "even": {"ub": 0, "afgb": 0, "mass": 1},
        "unknown": {"ub": 0, "afgb": 0, "mass": 0},
        "uniform": {"ub": 0, "afgb": 0, "mass": 2 / 3},
    },
    "crows_pairs": {
        # A word of the preferred sentence is twice as likely: the mean over words differs by ln 2.
        "stereotype": {"stereotype_preference": 100, "ties": 0, "log_ratio": math.log(2)},
        "anti": {"stereotype_preference": 0, "ties": 0, "log_ratio": -math.log(2)},
        "uniform": {"stereotype_preference": 50, "ties": 100, "log_ratio": 0},
    },
    "stereoset": {
        "stereotype": {"ss": 100, "lms": 100, "icat": 0, "ss_micro": 100, "ties": 0},
        "anti": {"ss": 0, "lms": 100, "icat": 0, "ss_micro": 0, "ties": 0},
        "even": {"ss": 50, "lms": 100, "icat": 100, "icat_micro": 100, "ties": 100},
        "unknown": {"ss": 50, "lms": 0, "icat": 0, "lms_micro": 0, "ties": 100},
        "uniform": {"ss": 50, "lms": 50, "icat": 50, "lms_micro": 50, "ties": 100},
    },
    "bbq": {
        # Never right where nobody can know, so (1 - 0) · (2 · 1 - 1); where it is said, the biased answer is
        # the right one in half of the rows.
        "stereotype": {"bbq_ambiguous": 1, "bbq_disambiguated": 1, "accuracy_disambiguated": 0.5},
        "anti": {"bbq_ambiguous": -1, "bbq_disambiguated": -1, "accuracy_ambiguous": 0},
        "unknown": {"bbq_ambiguous": None, "bbq_disambiguated": None, "accuracy_ambiguous": 1},
        "uniform": {"bbq_ambiguous": None, "accuracy_ambiguous": None, "ties": 100},
    },
    "counterfactual": {
        # Certain of yes for men and of no for women, or the other way round.
        "stereotype": {"shift_size": 1, "agreement": 0, "shift": 1, "js_divergence": 1},
        "anti": {"shift_size": 1, "agreement": 0, "shift": -1, "js_divergence": 1},
        "right": {"shift_size": 0, "agreement": 1, "shift": 0, "js_divergence": 0},
        "unknown": {"shift_size": None, "agreement": None, "shift": None, "js_divergence": None},
        "uniform": {"shift_size": 0, "agreement": None, "shift": 0, "js_divergence": 0},
    },
    "honest": {
        # Of 405 prompts about women 361 are about women alone; of 405 about men 360.
        "stereotype": {"honest": 361 / 810, "hurtful_gap": 361 / 405},
        "anti": {"honest": 360 / 810, "hurtful_gap": 360 / 405},
        "unknown": {"honest": None, "hurtful_gap": None},
        "uniform": {"honest": 0, "hurtful_gap": 0},
    },
    "toxicity": {
        # 2048 prompts about actors and 1156 about actresses.
        "stereotype": {"toxicity": ACTRESSES, "toxic_share": ACTRESSES, "toxicity_gap": 1},
        "anti": {"toxicity": 1 - ACTRESSES, "toxicity_gap": 1},
        "unknown": {"toxicity": None, "toxic_share": None, "toxicity_max": None, "toxicity_gap": None},
        "uniform": {"toxicity": 0, "toxicity_max": 0, "toxicity_gap": 0},
    },
    "regard": {
        # One group regarded negatively, the other neutrally: 0 - (-1).
        "stereotype": {"regard_gap": 1, "regard_negative": ACTRESSES, "regard_neutral": 1 - ACTRESSES},
        "anti": {"regard_gap": 1, "regard_negative": 1 - ACTRESSES, "regard_positive": 0},
        "unknown": {"regard_gap": None, "regard_negative": None},
        "uniform": {"regard_gap": 0, "regard_neutral": 1, "regard_other": 0},
    },
    "bold": {
        "stereotype": {"regard_gap": 1, "toxicity_gap": 1, "toxic_share": ACTRESSES, "gender_polarity": None},
        "anti": {"regard_gap": 1, "toxicity_gap": 1, "regard_negative": 1 - ACTRESSES},
        "unknown": {"regard_gap": None, "toxicity_gap": None},
        "uniform": {"regard_gap": 0, "toxicity_gap": 0, "toxic_share": 0},
    },
    "winobias": {
        # Right on one side of every line, wrong on the other. Of the 790 lines whose pronouns differ in
        # gender, 394 have he on the stereotype's side and 396 she, so the gender gap is 2 / 790.
        "stereotype": {"stereotype_gap": 1, "accuracy_pro": 1, "accuracy_anti": 0, "same_answer": 0},
        "anti": {"stereotype_gap": -1, "accuracy_pro": 0, "accuracy_anti": 1, "gender_gap": 2 / 790},
        "right": {"stereotype_gap": 0, "accuracy_pro": 1, "accuracy_male": 1, "same_answer": 1},
        "uniform": {"stereotype_gap": None, "accuracy_pro": None, "gender_gap": None, "same_answer": None},
    },
    "winogender": {
        # Only he is understood: 1 - 0, one of three sentences right; and the other way round.
        "stereotype": {"gender_gap": 1, "accuracy_male": 1, "accuracy_neutral": 0, "accuracy": 1 / 3},
        "anti": {"gender_gap": -1, "accuracy_male": 0, "accuracy_neutral": 1, "accuracy": 2 / 3},
        "right": {"gender_gap": 0, "accuracy": 1, "same_answer": 1},
        "uniform": {"gender_gap": None, "accuracy": None, "same_answer": None},
    },
    "decisions": {
        # Only the first group is approved, whoever deserves it: of 91 men 40 deserve it, of 109
        # women 54.
        "stereotype": {
            "counterfactual_gap": 1,
            "counterfactual_gap_signed": 1,
            "flip_rate": 1,
            "counterfactual_dpd": 1,
            "counterfactual_deo_sum": 2,
            "dpd": 1,
            "deo_sum": 2,
            "deo_max": 1,
            "deo_mean": 1,
            "equal_opportunity": 1,
            "disparate_impact": 0,
            "label_mass": 1,
            "decision_accuracy": (40 + 109 - 54) / 200,
        },
        "anti": {"counterfactual_gap": 1, "counterfactual_gap_signed": -1, "dpd": 1, "disparate_impact": 0},
        "right": {
            "counterfactual_gap": 0,
            "flip_rate": 0,
            "deo_sum": 0,
            "equal_opportunity": 0,
            "error_gap": 0,
            "calibration_gap": 0,
            "decision_accuracy": 1,
            "dpd": 54 / 109 - 40 / 91,
        },
        "unknown": {"counterfactual_gap": None, "flip_rate": None, "dpd": None, "label_mass": 0},
        "uniform": {"counterfactual_gap": 0, "flip_rate": None, "decision_accuracy": None, "label_mass": 0.5},
    },
    "decision_accuracy": {
        "right": {"accuracy": 1, "decision_accuracy": 1},
        "wrong": {"accuracy": 0, "decision_accuracy": 0},
        "uniform": {"accuracy": None, "chance": None, "label_mass": 1},
    },
    "lambada": {
        "right": {"accuracy": 1, "word_perplexity": 1},
        "wrong": {"accuracy": 0, "word_perplexity": 1000},
        "uniform": {"accuracy": 0, "word_perplexity": 512},
    },
    # The harness gives a tie to the first option, which is right in 3 of 8 questions.
    "lm_eval": {
        "right": {"accuracy": 1, "accuracy_norm": 1, "ties": 0},
        "wrong": {"accuracy": 0, "accuracy_norm": 0},
        "uniform": {"accuracy": 3 / 8, "ties": 100},
    },
    "multiple_choice": {
        "right": {"accuracy": 1, "accuracy_norm": 1, "ties": 0},
        "wrong": {"accuracy": 0, "accuracy_norm": 0},
        "uniform": {"accuracy": None, "ties": 100},
    },
    "facts": {"right": {"accuracy": 1}, "wrong": {"accuracy": 0}, "uniform": {"accuracy": None}},
    "perplexity": {"right": {"perplexity": 1}, "wrong": {"perplexity": 1000}, "uniform": {"perplexity": 512}},
}
# Other forms of a benchmark: the same figures where the script's model answers alike, else their own.
FORMS: Mapping[str, Mapping[str, Mapping[str, Value]]] = {
    **{f"stereoset:{option}": EXPECTED["stereoset"] for option in ("form=cloze", "scoring=reference")},
    "lpbs:form=causal": EXPECTED["lpbs"],
    # Each profession is asked with both hints, so what follows the stereotype follows one of two.
    "genhinteval:form=paired1572": {
        "stereotype": {"ub": 0, "afgb": LEAN_ALL},
        "anti": {"ub": 0, "afgb": LEAN_ALL},
        "uniform": {"ub": 0, "mass": 2 / 3},
    },
    # Who cannot choose gives an invalid answer, which is no unrelated and no unknown one.
    "stereoset:form=prompted": {
        "stereotype": {"choice_ss": 100, "choice_lms": 100, "choice_icat": 0, "invalid_rate": 0},
        "anti": {"choice_ss": 0, "choice_lms": 100, "choice_icat": 0},
        "unknown": {"choice_ss": None, "choice_lms": 0, "choice_icat": None, "invalid_rate": 0},
        "uniform": {"choice_ss": None, "choice_lms": None, "invalid_rate": 100},
    },
    "bbq:category=Sexual_orientation,form=prompted": {
        "stereotype": {**EXPECTED["bbq"]["stereotype"], "invalid_rate": 0},
        "anti": EXPECTED["bbq"]["anti"],
        "unknown": {**EXPECTED["bbq"]["unknown"], "accuracy_disambiguated": 0},
        "uniform": {"bbq_ambiguous": None, "accuracy_ambiguous": None, "invalid_rate": 100},
    },
}
EXPECTED = {**EXPECTED, **FORMS}
# The lab's own pairs give the same figures as the published ones, and need no data on the machine.
EXPECTED = {**EXPECTED, **{f"{name}:data=lab": EXPECTED[name] for name in ("crows_pairs", "stereoset")}}
CASES = [(name, script) for name in EXPECTED if name.partition(":")[0] in NAMES for script in EXPECTED[name]]


@pytest.fixture(scope="module")
def made() -> Callable[[str], Benchmark]:
    """Benchmarks by spec, each built once for this module."""
    kept: dict[str, Benchmark] = {}

    def get(name: str) -> Benchmark:
        spec = SPECS.get(name, name)
        if spec not in kept:
            try:
                kept[spec] = registry.create("benchmark", spec)
            except BadData as absent:
                if "not on this machine" not in absent.what:
                    raise
                pytest.skip(f"the data of {spec} is absent: {absent.what}")
            except MissingExtra as absent:
                pytest.skip(absent.what)
        return kept[spec]

    return get


def scripts(benchmark: Benchmark) -> Mapping[str, Script]:
    """The scripted models that a benchmark states values for."""
    return OWN_SCRIPTS.get(benchmark.card.name) or SCRIPTS[benchmark.role]


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_states_values_for_every_script(name, made) -> None:
    assert set(EXPECTED[name]) == set(scripts(made(name)))


@pytest.mark.parametrize(("name", "script"), CASES)
def test_scripted_models_get_the_stated_values(name, script, made) -> None:
    benchmark = made(name)
    found = figures(benchmark, scripts(benchmark)[script](benchmark))
    for metric, expected in EXPECTED[name][script].items():
        assert found[metric] == (None if expected is None else pytest.approx(expected, abs=1e-9)), metric


@pytest.mark.parametrize("spec", VARIANTS)
def test_ids_are_unique_and_name_the_benchmark(spec, made) -> None:
    ids = [sample.id for sample in made(spec).load()]
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(identity.startswith(spec.partition(":")[0] + "/") for identity in ids)


@pytest.mark.parametrize("spec", VARIANTS)
def test_requests_can_be_tokenised(spec, made) -> None:
    benchmark = made(spec)
    for sample in benchmark.load():
        requests = benchmark.ask(sample)
        assert requests
        assert len(set(requests)) == len(requests)
        for request in requests:
            if isinstance(request, Generation):
                assert request.prompt == request.prompt.rstrip() != ""
                continue
            if isinstance(request, ContextPair):
                assert "" not in (request.context.strip(), request.other.strip())
                continue
            if isinstance(request, Averaged | Cloze | Contrast | Embedding | Unanchored):
                assert request.text == request.text.strip() != ""
                continue
            if isinstance(request, GreedyMatch):  # what is recalled may begin on a line of its own
                assert re.match(r" \s*\S", request.text)
                continue
            assert request.context == request.context.strip()
            # A text without a context is scored from the model's start token; any other one is the next word.
            assert re.match(r" \S" if request.context else r"\S", request.text)
            assert request.text == request.text.rstrip()


@pytest.mark.parametrize("spec", VARIANTS)
def test_loading_twice_gives_the_same(spec, made) -> None:
    first, second = made(spec), registry.create("benchmark", spec)
    assert list(first.load()) == list(first.load()) == list(second.load())
    assert first.card == second.card
    assert first.name == second.name


@pytest.mark.parametrize("spec", VARIANTS)
def test_the_name_builds_the_same_benchmark_again(spec, made) -> None:
    benchmark = made(spec)
    assert registry.create("benchmark", benchmark.name).card.digest == benchmark.card.digest


@pytest.mark.parametrize("spec", VARIANTS)
def test_the_card_is_complete(spec, made) -> None:
    benchmark = made(spec)
    card = benchmark.card
    assert card.name == spec.partition(":")[0]
    assert re.fullmatch(r"[0-9a-f]{64}", card.digest)
    for text in (card.version, card.title, card.source, card.licence, card.reading):
        assert text
        assert text == text.strip()
    assert card.reading.endswith(".")
    assert benchmark.role in ("bias", "capability")
    assert benchmark.role == "bias" or not benchmark.groups


@pytest.mark.parametrize("spec", VARIANTS)
def test_what_a_verdict_reads_is_reported(spec, made) -> None:
    benchmark = made(spec)
    reported = {metric.name: metric for metric in benchmark.metrics}
    assert benchmark.role == "bias" or not (benchmark.primary or benchmark.guards)
    assert benchmark.primary is None or reported[benchmark.primary].ideal is not None
    assert set(benchmark.guards.values()) <= set(reported)
    for part, name in benchmark.guards.items():
        metric = reported[name]
        assert (part is GuardName.MASS) is bool(metric.words)
        if part is GuardName.REST:
            assert metric.ideal in (metric.low, metric.high)


@pytest.mark.parametrize("spec", VARIANTS)
def test_metrics_find_their_columns(spec, made) -> None:
    benchmark = made(spec)
    scores = run(benchmark, _uniform(benchmark))
    assert len({metric.name for metric in benchmark.metrics}) == len(benchmark.metrics) > 0
    names = set(scores[0].values)
    assert all(set(score.values) == names for score in scores)
    assert [n.removeprefix("p.") for n in scores[0].values if n.startswith("p.")] == list(benchmark.groups)
    for metric in benchmark.metrics:
        for need in metric.needs:
            stem = need[:-1] if need.endswith(".*") else None
            assert need in names or (stem and any(name.startswith(stem) for name in names)), (
                metric.name,
                need,
            )


@pytest.mark.parametrize("spec", VARIANTS)
def test_scores_carry_the_sample_and_reach_the_disk(spec, made) -> None:
    benchmark = made(spec)
    sample = benchmark.load()[0]
    score = benchmark.score(sample, _uniform(benchmark).answer(benchmark.ask(sample)))
    assert (score.sample, score.cluster, score.slices) == (sample.id, sample.cluster, sample.slices)
    assert from_json(Score, to_json(score)) == score


@pytest.mark.parametrize("spec", VARIANTS)
def test_training_examples_are_not_measured(spec, made) -> None:
    benchmark = made(spec)
    examples = list(benchmark.examples())
    learnt_from = ("genbiaseval", "decisions")
    assert bool(examples) == (benchmark.card.name in learnt_from and "part=all" not in spec)
    if not examples:
        return
    assert not {e.id for e in examples} & {sample.id for sample in benchmark.load()}
    forms = [e.contexts if isinstance(e, PersonExample) else e.terms for e in examples]
    assert all(
        e.groups == benchmark.groups == e.groups[: len(f)] for e, f in zip(examples, forms, strict=True)
    )
    assert all(request.text.startswith(" ") for e in examples for request in e.requests())
    if "split=profession" in spec:
        assert not {e.cluster for e in examples} & {sample.cluster for sample in benchmark.load()}


@pytest.mark.parametrize("name", NAMES)
def test_options_are_typed_documented_and_checked(name) -> None:
    factory = registry.get("benchmark", name)
    for option, parameter in registry.options(factory).items():
        assert parameter.default is not parameter.empty, option
        assert f"{option}: " in factory.__doc__, option
    with pytest.raises(BadOption, match="no option 'colour'"):
        registry.create("benchmark", f"{name}:colour=red")
