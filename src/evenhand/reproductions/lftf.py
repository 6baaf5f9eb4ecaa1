"""LFTF (Qin et al. 2025): ten models measured, the located block tuned, and what the paper sets beside it."""

from __future__ import annotations

from dataclasses import dataclass

from evenhand.reproductions.evidence import Evidence, Missing
from evenhand.reproductions.judging import (
    Judgement,
    State,
    at_least,
    at_most,
    capable,
    every,
    falls,
    keeps,
    rises,
)
from evenhand.reproductions.recipe import Claim, Judge, Recipe
from evenhand.studies.margins import Margins

LFTF, PROMPT, DAMA = "lftf:lr=paper", "prompt", "dama"
SCALES = ("word", "phrase", "sentence")
NONE_LEFT = 0.05  # five of the smallest steps of AFGB: a bias that no verdict would find worth treating
ONE_WORD = 0.9  # a gap that leaves a tenth of the probability to everything but one word
EDITS = {
    "ROME": "rome:C=I,target=anti",
    "R-ROME": "r_rome:C=I,target=anti",
    "MEND": "mend:target=anti",
    "MEMIT": "memit:target=anti",
}


def _gap_falls(treatment: str, since: str = "") -> Judge:
    return lambda e: every([falls(e.change(e.site(one), treatment, since)) for one in SCALES])


def _gap_rises(treatment: str, since: str = "") -> Judge:
    return lambda e: every([rises(e.change(e.site(one), treatment, since)) for one in SCALES])


def _mean_gap_rises(treatment: str) -> Judge:
    return lambda e: rises(e.change(e.site("all"), treatment))


def _one_word(treatment: str) -> Judge:
    return lambda e: every(
        [at_least(e.site(one).title, e.figure(e.site(one), treatment), ONE_WORD) for one in SCALES]
    )


def _hints_kept(treatment: str) -> Judge:
    return lambda e: keeps(e.change(e.site("ub"), treatment), Margins().hints)


def _hints_rise(treatment: str, since: str = "") -> Judge:
    return lambda e: rises(e.change(e.site("ub"), treatment, since))


def _hints_fall(treatment: str, since: str = "") -> Judge:
    return lambda e: falls(e.change(e.site("ub"), treatment, since))


def _no_gap(treatment: str) -> Judge:
    return lambda e: every(
        [at_most(e.site(one).title, e.figure(e.site(one), treatment), NONE_LEFT) for one in SCALES]
    )


def _hints_ignored(treatment: str) -> Judge:
    def judge(e: Evidence) -> Judgement:
        found, limit = e.figure(e.site("ub"), treatment), Margins().hints
        return every([at_most("UB", found, limit), at_least("UB", found, -limit)])

    return judge


def _and(*judges: Judge) -> Judge:
    return lambda e: every([judge(e) for judge in judges])


def _last_block(e: Evidence) -> Judgement:
    found = e.record(LFTF).location
    if found is None:
        raise Missing("no block was located")
    ranking = found.ranking()
    last = max(ranking, key=lambda site: int(site.rpartition(".")[2]))
    said = f"{found.locator} ranks {ranking[0]} first of {len(ranking)}, and {last}, the last, {{}}"
    place = ranking.index(last) + 1
    said = said.format("first" if place == 1 else f"at place {place}")
    return Judgement(State.HOLDS if place == 1 else State.FAILS, said)


def _shorter(e: Evidence) -> Judgement:
    """Less bias where the prompt is long: the sentence scale beside the two others."""
    return every(
        [
            falls(e.across(f"AFGB, {one} to sentence", e.site("all"), f"scale={one}", "scale=sentence"))
            for one in SCALES[:2]
        ]
    )


def _capability(treatment: str) -> Judge:
    return lambda e: capable(e.record(treatment).capability)


def _tests_kept(*columns: str) -> Judge:
    margin = Margins().accuracy * Margins().each
    return lambda e: every([keeps(e.change(e.site(one), LFTF), margin) for one in columns])


def _mitigated(e: Evidence) -> Judgement:
    """The verdict, which is about more than the score: none without control models."""
    from evenhand.records import VerdictName

    record = e.record(LFTF)
    said = f"the verdict of {LFTF} is '{record.verdict}'"
    if record.control is None:
        return Judgement(
            State.UNDECIDED, f"{said}: without control models there is none (--control standard)"
        )
    holds = record.verdict is VerdictName.MITIGATED
    unknown = record.verdict in (VerdictName.COST_UNKNOWN, VerdictName.NOT_COMPARABLE)
    return Judgement(State.HOLDS if holds else State.UNDECIDED if unknown else State.FAILS, said)


@dataclass(frozen=True)
class Rate:
    """The treatments at one learning rate: the paper's own, or scaled to the model's width."""

    option: str
    ours: bool

    def spec(self, name: str, *options: str) -> str:
        """A treatment with its options and this rate."""
        given = ",".join(filter(None, (self.option, *options)))
        return f"{name}:{given}" if given else name

    def claim(self, table: str, text: str, judge: Judge) -> Claim:
        """A claim about it; at a rate that is not the paper's it is not the paper's either."""
        return Claim(table, f"{text} At a rate scaled to the width." if self.ours else text, judge, self.ours)


def _tuned(rate: Rate) -> tuple[Claim, ...]:
    """What table 4 says of tuning: the block, all parameters, and the block beside the prompt."""
    lftf, full = rate.spec("lftf"), rate.spec("full_finetune")
    return (
        rate.claim("4", "Tuning the located block alone makes the gap smaller.", _gap_falls(lftf)),
        rate.claim("4", "After LFTF hints are followed as before, or better.", _hints_kept(lftf)),
        rate.claim("4", "After LFTF general capability is kept.", _capability(lftf)),
        rate.claim(
            "4",
            "LFTF has a smaller gap and a larger UB than the prompt.",
            _and(_gap_falls(lftf, PROMPT), _hints_rise(lftf, PROMPT)),
        ),
        rate.claim("4", "Tuning all parameters leaves no gap.", _no_gap(full)),
        rate.claim("4", "After tuning all parameters hints are no longer followed.", _hints_ignored(full)),
    )


def _parts(rate: Rate) -> tuple[Claim, ...]:
    """What table 8 says of LFTF without one of its parts."""
    whole = rate.spec("lftf")
    mlp, attention = rate.spec("lftf", "modules=mlp"), rate.spec("lftf", "modules=attention")
    halves = (("he", rate.spec("lftf", "terms=female")), ("she", rate.spec("lftf", "terms=male")))
    return (
        rate.claim(
            "8",
            "Without the attention's weights the gap is larger than with LFTF, and UB as well.",
            _and(_gap_rises(mlp, whole), _hints_rise(mlp, whole)),
        ),
        rate.claim(
            "8",
            "Without the MLP's weights the gap is smaller than with LFTF, and UB as well.",
            _and(_gap_falls(attention, whole), _hints_fall(attention, whole)),
        ),
        *(
            rate.claim(
                "8",
                f"Without the half of the loss about {word!r} only the other word is left.",
                _and(_one_word(half), _hints_ignored(half)),
            )
            for word, half in halves
        ),
    )


OWN, SCALED = Rate("lr=paper", ours=False), Rate("", ours=True)
CLAIMS = (
    Claim(
        "2",
        "Longer prompts show less bias: the gap is smaller at sentence scale than at the others.",
        _shorter,
    ),
    *(
        Claim(
            "3",
            f"Editing with {name} enlarges the gap, and hints are no longer followed.",
            _and(_mean_gap_rises(spec), _hints_ignored(spec)),
        )
        for name, spec in EDITS.items()
    ),
    Claim("4", "BMI ranks the last block first.", _last_block),
    *_tuned(OWN),
    Claim(
        "4",
        "A prompt makes the gap smaller at every scale and keeps hints.",
        _and(_gap_falls(PROMPT), _hints_kept(PROMPT)),
    ),
    Claim("4", "DAMA makes the gap larger at every scale.", _gap_rises(DAMA)),
    Claim("4", "DAMA has a larger UB than LFTF.", _hints_rise(DAMA, LFTF)),
    *_tuned(SCALED),
    Claim(
        "4",
        "LFTF mitigates: the bias falls beyond control models and nothing else is lost.",
        _mitigated,
        ours=True,
    ),
    Claim(
        "5",
        "Answers to questions are as good after LFTF.",
        _tests_kept("hellaswag", "boolq", "race", "cmmlu", "ceval"),
    ),
    Claim("5", "Mathematics declines only slightly after LFTF.", _tests_kept("gsm8k", "gsm_plus")),
    Claim("6", "LFTF makes the gap smaller at every scale on other models as well.", _gap_falls(LFTF)),
    Claim("6", "After LFTF hints are followed less than before.", _hints_fall(LFTF)),
    Claim("6", "After LFTF general capability is kept on other models as well.", _capability(LFTF)),
    *_parts(OWN),
    *_parts(SCALED),
)

RECIPE = Recipe(
    "lftf",
    families=("causal", "masked", "seq2seq"),
    unfit="Its figures are probabilities of words.",
    claims=CLAIMS,
    only_causal=("dama", "rome", "r_rome", "mend", "memit"),
    differs=(
        "The prompts are ours: of nine actions the paper prints two, and of its list of professions none.",
        "The split has the paper's counts; its seed is not published.",
        "lftf and full_finetune minimise the loss that fits the paper's figures, not equation 5 as printed.",
        "The paper does not print its prompt (PB); `prompt` has a text of ours.",
        "DAMA, MEND and the editing methods run with the settings that their own papers or EasyEdit publish, "
        "as far as they exist for the model; MEND's for Llama3.2-3B do not.",
        "ROME and R-ROME seek the values of all edits on the base and stack them; together=1 would be the "
        "published order.",
        "MMLU and table 5 need lm-evaluation-harness with its data on this machine; the benchmarks that "
        "evenhand brings stand for capability otherwise.",
    ),
)
