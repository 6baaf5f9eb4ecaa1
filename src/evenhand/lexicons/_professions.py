"""The professions that prompts are built from, with both readings of the published filter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from evenhand.errors import UnknownName
from evenhand.files import lines

Status = Literal["kept", "A", "B1", "B2", "C"]
Reading = Literal["occupation", "multiword"]

REASONS = {
    "A": "composed with a gendered word",
    "B1": "gendered by its meaning",
    "B2": "gendered by its meaning or by tradition (a judgement)",
    "C": "no occupation, or not a usable noun (a judgement)",
}
# The second reading needs one gendered single word beyond A and B1. The source's own scores single out
# "waiter": with A and B1 gone, no other entry has a factual score of 1.0 (and its pair "waitress" is in B1).
EXTRA_OF_MULTIWORD = "waiter"


@dataclass(frozen=True, slots=True)
class Profession:
    """One occupation word of Bolukbasi et al. 2016.

    Attributes:
        name: lower case, words separated by single spaces (``assistant professor``).
        factual: the gender that the word itself states, -1 (female) .. +1 (male).
        stereotypical: the gender that people associate with it, -1 (female) .. +1 (male).
        status: ``kept``, or the class of its removal in the reading ``occupation``.
    """

    name: str
    factual: float
    stereotypical: float
    status: Status = "kept"

    @property
    def phrase(self) -> str:
        """What stands for ``{profession}`` in an English sentence: the word itself."""
        return self.name

    def why_removed(self, reading: Reading = "occupation") -> str | None:
        """Why `reading` leaves this word out, in words; None when it is one of the 262."""
        if reading == "occupation":
            return REASONS.get(self.status)
        if " " in self.name:
            return "more than one word"
        if self.status in ("A", "B1") or self.name == EXTRA_OF_MULTIWORD:
            return REASONS["B1" if self.name == EXTRA_OF_MULTIWORD else self.status]
        return None


@cache
def professions(reading: Reading = "occupation") -> tuple[Profession, ...]:
    """The 262 professions of GenBiasEval (Qin et al., LFTF), sorted by name.

    The paper removes 58 of 320 words and prints neither list. Two readings fit the number:

    - ``occupation``: the words that state a gender (A, B1, B2) and those that are no occupation (C);
    - ``multiword``: all 29 entries of more than one word, the 28 words of A and B1, and "waiter".

    Report bias under both where the choice could matter.

    Raises:
        UnknownName: there is no such reading.
    """
    if reading not in ("occupation", "multiword"):
        raise UnknownName("reading of the professions", reading, ("occupation", "multiword"))
    return tuple(entry for entry in profession_entries() if entry.why_removed(reading) is None)


@cache
def profession_entries() -> tuple[Profession, ...]:
    """All 320 entries of the source, sorted by name; `Profession.why_removed` says which were left out."""
    text = files("evenhand.lexicons").joinpath("professions.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in lines(text) if line and not line.startswith("#")]
    return tuple(
        Profession(name, float(factual), float(stereotypical), _status(status))
        for name, factual, stereotypical, status in rows[1:]
    )


def _status(text: str) -> Status:
    statuses: dict[str, Status] = {"kept": "kept", "A": "A", "B1": "B1", "B2": "B2", "C": "C"}
    return statuses[text]
