"""Which option a written answer names: by its number, by its words, never by a guess."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Literal

from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._common import Chat
from evenhand.benchmarks._pairs import plain
from evenhand.decimals import fixed, percent
from evenhand.errors import BadOption
from evenhand.records import Completion, Score

Numbering = Literal["auto", "1", "0"]
Reading = Callable[[str, Sequence[str]], int | None]
MANY_INVALID = 0.1  # share of answers from which on the invalid ones are a note
NUMBERED = 20  # answers with a number that it takes to tell where a run's numbering begins
ZEROS = 0.1  # share of 0 among them: one slip must not move the numbers of a whole run
_EXAMPLES, _LONGEST = 3, 80
_LABEL = re.compile(
    r"(?:choice|option|answer)\s*(?:is\s*)?[:(]?\s*(?:choice\s*)?([0-9])(?!\w)", re.IGNORECASE
)
_BARE = re.compile(r"\W*([0-9])(?!\w|[-.,]\w)")
_LAST = re.compile(r"[(\[]\s*([0-9])\s*[)\]]\W*$")


def chosen(text: str, options: Sequence[str], first: int = 1) -> int | None:
    """Which option an answer in words names, from 0; None when it names none, or more than one.

    A label counts first (``Choice2``, ``2``, ``(2)``, ``the answer is 2``), then an option's own words, alone
    or inside the answer; `first` is the number of the first option. An answer is never guessed at: "28" is
    not option 2, and a number beside the words of another option names neither.
    """
    found = _labels(text)
    words = [plain(option) for option in options]
    if found:
        places = {int(match[1]) - first for match in found}
        place = places.pop()
        if places or not 0 <= place < len(options):
            return None
        return None if _contradicted(text, found, words, place) else place
    said = plain(text)
    named = [i for i, option in enumerate(words) if option == said] or _named(said, words)
    last = _LAST.search(text)
    if len(named) != 1 or (last and 0 <= int(last[1]) - first != named[0]):
        return None
    return named[0]


def _labels(text: str) -> list[re.Match[str]]:
    found = list(_LABEL.finditer(text))
    bare = None if found else _BARE.match(text)
    return [bare] if bare else found


def _named(said: str, words: Sequence[str]) -> list[int]:
    return [i for i, option in enumerate(words) if option and f" {option} " in f" {said} "]


def _contradicted(text: str, found: Sequence[re.Match[str]], words: Sequence[str], place: int) -> bool:
    """Whether the words right beside the number are those of another option, and of no second one."""
    before, after = plain(text[: found[0].start()]), plain(text[found[-1].end() :])
    if before and before in words:
        return before != words[place]
    opening = max((w for w in words if w and f"{after} ".startswith(f"{w} ")), key=len, default="")
    named = {words[i] for i in _named(after, words)}
    alone = {w for w in named if not any(w != other and f" {w} " in f" {other} " for other in named)}
    return bool(opening) and opening != words[place] and alone == {opening}


def number_of(text: str) -> int | None:
    """The number that an answer names an option by; None without one, or with several."""
    numbers = {int(match[1]) for match in _labels(text)}
    return numbers.pop() if len(numbers) == 1 else None


@dataclass
class Choices:
    """How the written answers of one run are read, and what must be said of them.

    The prompts number `n` options from 1. With `numbering` auto a run whose answers name 0 and never `n` is
    read from 0, if it has enough of them; one answer alone never tells. `prepare` looks at a run's answers
    before they are scored; without it numbers are read from 1 unless `numbering` says otherwise.
    """

    numbering: Numbering = "auto"
    n: int = 3
    first: int = field(default=1, init=False)
    _numbers: Counter[int] = field(default_factory=Counter, init=False, repr=False)
    _unread: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.first = 0 if self.numbering == "0" else 1

    @property
    def protocol(self) -> str:
        """How the answers are read, for the protocol of a measurement: runs that differ do not compare."""
        return "none" if self.numbering == "auto" else f"numbered from {self.numbering}"

    def prepare(self, answers: Sequence[Sequence[Completion]]) -> None:
        """For a benchmark's `prepare`: where the numbering of all these answers begins."""
        numbers = (number_of(answer.text) for found in answers for answer in found)
        self._numbers = Counter(number for number in numbers if number is not None and number <= self.n)
        self._unread.clear()
        if self.numbering == "auto":
            total, zeros = self._numbers.total(), self._numbers[0]
            enough = total >= NUMBERED and zeros >= ZEROS * total
            self.first = 0 if zeros and not self._numbers[self.n] and enough else 1

    def read(self, text: str, options: Sequence[str]) -> int | None:
        """`chosen`, with this run's numbering."""
        place = chosen(text, options, self.first)
        if place is None and len(self._unread) < _EXAMPLES and text not in self._unread:
            self._unread.append(text)
        return place

    def remarks(self, scores: Sequence[Score]) -> list[str]:
        """Where the numbering began, if that is in doubt, and how many answers are invalid, if many are."""
        return [*self._numbered(), *self._invalid(scores)]

    def _numbered(self) -> list[str]:
        zeros, last, total = self._numbers[0], self._numbers[self.n], self._numbers.total()
        seen = f"{zeros} of {total} answers with a number name 0 and {last} name {self.n}"
        if self.first == 0:
            why = "as numbering=0 asks" if self.numbering == "0" else f"for {seen}"
            return [
                f"The prompts number the options from 1, and the numbers in the answers are read from 0, "
                f"{why}. Write numbering=1 to read them from 1."
            ]
        if not zeros:
            return []
        return [
            f"{seen}. The numbers are read from 1, as in the prompts, so that 0 is invalid. If the model "
            "counts from 0, write numbering=0."
        ]

    def _invalid(self, scores: Sequence[Score]) -> list[str]:
        shares = [(score, share) for score in scores if (share := score.values["invalid"]) is not None]
        if not shares or fmean(share for _, share in shares) <= MANY_INVALID:
            return []
        parts: dict[str, dict[str, list[float]]] = {}
        for score, share in shares:
            for key, value in score.slices.items():
                parts.setdefault(key, {}).setdefault(value, []).append(share)
        by = "; ".join(
            f"by {key} "
            + ", ".join(f"{value} {percent(fmean(found))}" for value, found in sorted(values.items()))
            for key, values in parts.items()
            if len(values) > 1
        )
        examples = ", ".join(repr(_shortened(text)) for text in self._unread)
        return [
            f"{fixed(100 * fmean(share for _, share in shares), 1)} % of the answers name no option, or more "
            f"than one, and are left out of every other figure{f' ({by})' if by else ''}."
            f"{f' For example: {examples}.' if examples else ''}"
        ]


@dataclass(frozen=True, kw_only=True)
class ChoiceBenchmark(Benchmark):
    """A benchmark in which the model chooses an option in words; it may also have forms without words.

    Attributes:
        numbering: where the numbers in the answers begin; see `Choices`.
        chat: ``auto`` puts the question as a user's message into the chat template of a model that has one,
            ``no`` asks it as it stands.
    """

    numbering: Numbering = "auto"
    chat: Chat = "auto"

    @property
    @abstractmethod
    def prompted(self) -> bool:
        """Whether the model is to answer in words."""

    @property
    def message(self) -> str:
        return "{prompt}" if self.prompted and self.chat == "auto" else ""

    @cached_property
    def choices(self) -> Choices:
        """How the answers in words are read."""
        return Choices(self.numbering)

    def prepare(self, answers: Sequence[Sequence[Completion]]) -> None:
        """See where the numbering of all answers in words begins."""
        if self.prompted:
            self.choices.prepare(answers)

    def remarks(self, scores: Sequence[Score]) -> list[str]:
        """What must be said of the answers in words."""
        return self.choices.remarks(scores) if self.prompted else []


def check_chat(name: str, form: str, chat: Chat) -> None:
    """Refuse the option `chat` of the benchmark `name` where its form asks for no text.

    Raises:
        BadOption: `chat` is ``no`` and the form is not ``prompted``.
    """
    if chat == "no" and form != "prompted":
        raise BadOption(
            f"{name}:chat=no is for form=prompted: the form {form} never uses a chat template.",
            mend="Leave chat= out, or write form=prompted.",
        )


def _shortened(text: str) -> str:
    said = " ".join(text.split())
    return said if len(said) <= _LONGEST else said[: _LONGEST - 3] + "..."
