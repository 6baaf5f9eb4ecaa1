"""What a column means, guessed from its name: the share of positives, DPD, LMS, a printed change ..."""

from __future__ import annotations

import re
from dataclasses import dataclass

from evenhand.errors import UnknownName


@dataclass(frozen=True)
class Meaning:
    """What a column may hold.

    Attributes:
        about: what it is, in a few words.
        names: regular expressions of the names, words in lower case with single spaces; the whole name must
            match, or its end or beginning where `inside`.
        low, high: the bounds of its values as shares (a percentage is a hundredth of a share); None without.
        inside: whether further words may stand beside the name; they tell which figures belong together.
    """

    about: str
    names: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    inside: bool = True


_OF = r"(?: score| value)?"
_GAP = r"(?:difference|diff|gap|disparity)"
_PEOPLE = (
    r"applications|applicants|candidates|participants|respondents|people|persons|individuals|items|questions"
)
_ITEMS = rf"(?:{_PEOPLE}|subjects|samples|prompts|examples|instances|observations)"
_NUMBER = r"(?:n|nr|no|num|number)(?: of)?"
_CHOSEN = r"(?:selected|hired|correct|positives|hits|successes|passed|accepted|approved)"
_LEVEL = r"(?:\d\d(?: \d)?(?: percent)? )?"  # of an interval, such as 95 %
_CI = r"(?:ci|confidence (?:interval|limit|bound))"
MEANINGS: dict[str, Meaning] = {
    "low": Meaning(
        "the lower end of an interval",
        (
            rf"{_LEVEL}{_CI} (?:low(?:er)?|l)(?: (?:end|bound|limit))?",
            rf"(?:lower|lo) {_LEVEL}{_CI}",
            r"low(?:er)?(?: (?:end|bound|limit))?",
            r"lcl|lci|2 5 percent",
        ),
    ),
    "high": Meaning(
        "the upper end of an interval",
        (
            rf"{_LEVEL}{_CI} (?:high(?:er)?|upper|u|h)(?: (?:end|bound|limit))?",
            rf"(?:upper|hi) {_LEVEL}{_CI}",
            r"(?:high|upper)(?: (?:end|bound|limit))?",
            r"ucl|uci|97 5 percent",
        ),
    ),
    "dpd": Meaning(
        "demographic parity difference, between the highest and the lowest group",
        (
            r"(?:m )?d ?p ?d",
            rf"(?:demographic|statistical) parity {_GAP}",
            rf"dp {_GAP}",
            r"(?:δ|delta) ?dp",
        ),
        0.0,
        1.0,
    ),
    "deo": Meaning(
        "equalized odds difference, the sum or the greater of the two gaps",
        (
            r"(?:m )?(?:deo|eod)(?: (?:sum|max))?",
            rf"(?:difference (?:in|of) )?(?:equali[sz]ed|eq) odds(?: {_GAP})?",
            rf"(?:eo|eodds) {_GAP}",
        ),
        0.0,
        2.0,
    ),
    "lms": Meaning(
        "StereoSet's language modelling score", (r"lms" + _OF, r"language model(?:l?ing)? score"), 0.0, 1.0
    ),
    "ss": Meaning("StereoSet's stereotype score", (r"ss" + _OF, r"stereotype score"), 0.0, 1.0),
    "icat": Meaning(
        "StereoSet's idealized CAT", (r"i ?cat" + _OF, r"ideali[sz]ed c(?:ontext association|at).*"), 0.0, 1.0
    ),
    "ratio": Meaning(
        "a rate over the highest rate",
        (
            r"(?:adverse )?impact ratio",
            r"disparate impact(?: ratio)?",
            r"(?:selection|selection rate|parity|dp|eo|four fifths) ratio",
            r"(?:demographic parity|equali[sz]ed odds) ratio",
            r"d ?i r?",
        ),
        0.0,
        1.0,
    ),
    "mean": Meaning(
        "the mean of other columns",
        (r"(?:avg|average|mean)(?: score)?", r"macro(?: average| avg)?", r"overall|all"),
        inside=False,
    ),
    "total": Meaning("the sum of other columns", (r"sum|total|all|overall",), inside=False),
    "count": Meaning(
        "how many of the n",
        (
            rf"(?:{_NUMBER} )?(?:{_CHOSEN} {_ITEMS}|(?:{_ITEMS} )?{_CHOSEN})",
            r"n selected or n above median",
            r"k",
        ),
        0.0,
    ),
    "n": Meaning(
        "people or items that a rate is of",
        (
            # "Examples" alone may be those in a prompt, "samples" those of the training.
            rf"{_NUMBER} {_ITEMS}|(?:total )?(?:{_PEOPLE})|n(?: total)?",
            r"(?:sample size|test size|support|group size|size)",
        ),
        0.0,
    ),
    "rate": Meaning(
        "a share of the n",
        (
            r"(?:selection|sel|hiring|hire|acceptance|approval|pass|positive|success|hit|error) rate",
            r"(?:accuracy|acc)",
            r"(?:rate|share|proportion|percentage|percent|pct)",
        ),
        0.0,
        1.0,
    ),
    "share": Meaning(
        "a share or a probability of something else",
        (
            r"(?:tpr|fpr|tnr|fnr|f1|auc|auroc|ece|precision|recall)",
            r"p value",
            r"prob(?:ability)?",
            r"afgb" + _OF,
        ),
        0.0,
        1.0,
    ),
    "gap": Meaning(
        "a signed difference of two shares",
        (r"spd", r"bias parity", r"(?:ub|tpr gap|fpr gap)" + _OF),
        -1.0,
        1.0,
    ),
    "before": Meaning("a figure before treatment", (r"before|pre|base(?:line)?|original|untreated",)),
    "after": Meaning("a figure after treatment", (r"after|post|treated|mitigated|debiased",)),
    "change": Meaning(
        "a figure after less the figure before", (r"change", r"delta", r"δ", r"diff(?:erence)?")
    ),
    "figure": Meaning("a figure of some other kind"),
    "part": Meaning("one of the columns that a mean or a total is of"),
    "label": Meaning("a name of the row"),
    "none": Meaning(
        "nothing that is judged, such as the number of a row, a year or a size",
        (
            r"(?:id|index|rank|row|seed|year|date|epochs?|layers?|size b|lr|learning rate|steps?)",
            r"param(?:s|eters)?",
        ),
    ),
}
"""Every meaning that a column may have, the more special ones first."""

_ABBREVIATED = re.compile(r"\(\s*([A-Za-z]{2,8})\s*\)")
_LONE = {r"ratio": "ratio", r"count": "count", r"total": "n"}  # names that mean so only alone
_OTHER_RATIOS = re.compile(r"\b(?:odds|likelihood|hazard|compression|loss|speed)\b")
_NOT_OF_N = re.compile(
    r"\b(?:macro|balanced|weighted|mean|avg|average|norm|normali[sz]ed|train|cost|miss|missing|unknown)\b"
)

_MOVED = re.compile(
    r"\b(?:change|delta|δ|diff|difference|gap|drop|gain|growth|lift|reduction|decrease|increase|improvement)\b"
)  # beside a name: how far such a figure moved, or lies from another, which has neither its bounds nor its n


@dataclass(frozen=True)
class Guess:
    """A meaning, and the further words of the name, which tell which figures belong together."""

    meaning: str
    scope: str = ""


def check(meaning: str) -> None:
    """Refuse a meaning that there is not.

    Raises:
        UnknownName: there is no such meaning.
    """
    if meaning not in MEANINGS:
        raise UnknownName("meaning of a column", meaning, MEANINGS)


def plain(name: str) -> str:
    """A column's name as words in lower case: no markup, no signs, ``nSelected`` as ``n selected``."""
    text = re.sub(r"\\[a-z]+|</?[A-Za-z]+>|[$†‡]", " ", name)
    text = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", text)
    text = re.sub(r"\b(\w+)\s*\(\s*%\s*\)", r"\1", text).replace("Δ", " δ ").replace("%", " percent ")
    text = text.replace("#", " number ")
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def guess(name: str) -> Guess:
    """What the column `name` seems to mean; ``figure`` where its name says nothing.

    A name with its own abbreviation behind it, ``Stereotype score (SS)``, is one name.
    """
    long, short = _ABBREVIATED.sub(" ", name), _ABBREVIATED.search(name)
    if short and (twice := _guess(long)).meaning == _guess(short[1]).meaning != "figure":
        return twice
    return _guess(name)


def _guess(name: str) -> Guess:
    words = plain(name)
    for whole, meaning in _LONE.items():
        if re.fullmatch(whole, words):
            return Guess(meaning)
    for meaning, known in MEANINGS.items():
        for pattern in known.names:
            found = _beside(pattern, words) if known.inside else re.fullmatch(pattern, words)
            if not found:
                continue
            scope = "" if not known.inside else _rest(words, found)
            if known.low is not None and _MOVED.search(words[: found.start()] + words[found.end() :]):
                continue
            if (meaning == "ratio" and _OTHER_RATIOS.search(words)) or (
                meaning in {"rate", "n", "count"} and _NOT_OF_N.search(scope)
            ):
                return Guess("figure")
            return Guess(meaning, scope)
    return Guess("figure" if words else "none")


def without(meaning: str, name: str) -> str | None:
    """The other words of a name that begins or ends with those of a meaning; None where it does not."""
    words = plain(name)
    for pattern in MEANINGS[meaning].names:
        if found := _beside(pattern, words):
            return _rest(words, found)
    return None


def _beside(pattern: str, words: str) -> re.Match[str] | None:
    return re.search(rf"^(?:{pattern})(?= |$)", words) or re.search(rf"(?:^|(?<= ))(?:{pattern})$", words)


def _rest(words: str, found: re.Match[str]) -> str:
    others = (words[: found.start()] + " " + words[found.end() :]).split()
    return " ".join(word for word in others if word not in ("percent", "pct", "score", "value", "gap"))
