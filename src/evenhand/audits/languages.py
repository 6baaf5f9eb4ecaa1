"""Languages: in which languages and scripts the texts are."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from evenhand.audits._question import TextQuestion
from evenhand.audits._state import Reads
from evenhand.decimals import percent
from evenhand.frames import OTHER
from evenhand.records import Finding, GroupFigure

_WORD = re.compile(r"[^\W\d_]+")
_FREQUENT = {  # words that are frequent in one of these languages and rare in the others
    "English": "the of and to is was that for with he she are this",
    "German": "der die und das nicht ist ein eine mit den von sich auch",
    "French": "les des une dans est pour pas qui sur elle avec sont cette",
    "Spanish": "los las una por con para del ella pero como más está muy",
    "Italian": "il che di per una sono non gli della anche questo più lei",
    "Portuguese": "não uma os com para ele ela mais por foi são seu dos",
    "Dutch": "het een van niet zijn met voor maar ook deze wordt zij aan",
}
_WORDS = {name: frozenset(words.split()) for name, words in _FREQUENT.items()}
UNKNOWN = "not told"


@dataclass(frozen=True)
class Languages:
    """Languages of a seeded sample of documents, by frequent words, or by script where that is not Latin.

    Seven languages are known (English, German, French, Spanish, Italian, Portuguese, Dutch); other texts in
    Latin letters, and texts of few words, are "not told". The lexicons of mentions are English.
    """

    reads: ClassVar[Reads] = "texts"
    needs: ClassVar[frozenset[str]] = frozenset()

    def findings(self, question: TextQuestion) -> list[Finding]:
        """One finding: the share of documents that are not English, with its interval."""
        from evenhand.stats.proportions import clopper_pearson

        counted = question.counted()
        every = Counter(language(text) for _, text in counted.seen)
        found, few = _pooled(every, question.suppress)
        n = sum(found.values())
        if not n:
            return []
        other = sum(count for name, count in found.items() if name not in ("English", UNKNOWN))
        if few & {"English", UNKNOWN}:
            other -= found[OTHER]
            if not other:
                question.notes.append(
                    f"languages: not shown, for fewer than {question.suppress} documents are in some of them."
                )
                return []
        low, high = clopper_pearson(other, n)
        told = ", ".join(f"{percent(count / n)} {name}" for name, count in found.most_common(8))
        figures = []
        for name, count in found.most_common():
            figures.append(GroupFigure(name, count, count / n, *clopper_pearson(count, n)))
        return [
            Finding(
                "languages",
                ("language",),
                None,
                None,
                other / n,
                low,
                high,
                n,
                f"In a sample of {n} documents: {told}. Mentions are looked for with English words."
                + (f" {OTHER} are {', '.join(sorted(few))}." if few else ""),
                measure="share of documents in another language than English",
                mend="Audit other languages with lexicons of theirs.",
                command=question.typed("--audits", "languages"),
                groups=(*figures, *(GroupFigure(name, None) for name in sorted(few))),
            )
        ]


def _pooled(every: Counter[str], least: int) -> tuple[Counter[str], set[str]]:
    """The languages' counts, those of fewer documents than `least` together, and the names of these.

    Their number follows from that of all documents, so that the next larger language joins them until they
    are enough.
    """
    few, pooled = set(), 0
    for name, count in sorted(every.items(), key=lambda one: (one[1], one[0])):
        if count >= least and not 0 < pooled < least:
            break
        few.add(name)
        pooled += count
    kept = Counter({name: count for name, count in every.items() if name not in few})
    return (kept + Counter({OTHER: pooled}) if few else kept), few


def language(text: str) -> str:
    """The language of a text, or its script where that is not Latin."""
    script = _script(text[:500])
    if script not in ("LATIN", ""):
        return f"{script.capitalize()} script"
    words = [word.casefold() for word in _WORD.findall(text)]
    votes = {name: sum(word in known for word in words) for name, known in _WORDS.items()}
    best = max(votes, key=lambda name: votes[name])
    rest = max(count for name, count in votes.items() if name != best)
    return best if votes[best] > rest and votes[best] >= max(1, len(words) // 25) else UNKNOWN


def _script(text: str) -> str:
    """The script of most letters, as Unicode's names begin."""
    if text.isascii():
        return "LATIN"
    scripts = Counter(unicodedata.name(sign, "").partition(" ")[0] for sign in text if sign.isalpha())
    return scripts.most_common(1)[0][0] if scripts else ""


component = Languages
