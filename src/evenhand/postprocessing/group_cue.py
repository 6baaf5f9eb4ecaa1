"""The group of the person in a prompt, recognised by the places where counterfactual twins' prompts differ.

A rule that treats groups differently must know the group when it decides. Twins' prompts are equal except at
the places that render the attribute (``sex: male``), so those places, with the words around them, identify
the group of a new prompt too. Only the end of a prompt is read, since demonstrations before it render the
attribute of other people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from evenhand.errors import BadData
from evenhand.records import PersonExample

Words = tuple[str, ...]
_LINE = "\n"
_WORD = re.compile(rf"{_LINE}|[\w'’-]+|[^\w\s]")
_BEFORE, _AFTER = 3, 2  # largest numbers of context words of a mark; all from the same line
PLACE = "\N{WHITE SQUARE}"  # stands for the attribute in a neutral text


@dataclass(frozen=True, slots=True)
class Mark:
    """A place where twins differ: the constant words `before` and `after` it, the `phrases` seen in it."""

    before: Words
    after: Words
    phrases: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class GroupCue:
    """Recognises a prompt's group by the phrases at its marks; `table` holds (phrase of each mark, group).

    `reach` is the largest number of words between the first mark and the end of a prompt.
    """

    marks: tuple[Mark, ...]
    table: tuple[tuple[tuple[Words, ...], str], ...]
    reach: int

    def read(self, prompt: str) -> tuple[str, str]:
        """The prompt's group, and the prompt without it: the same text for all twins of a person.

        Raises:
            BadData: the end of the prompt holds no combination of phrases that identifies a group.
        """
        words = _words(prompt)
        places = [_place(words, mark, max(0, len(words) - self.reach)) for mark in self.marks]
        found = tuple(words[place[0] : place[1]] if place else ("?",) for place in places)
        group = next((name for phrases, name in self.table if phrases == found), None)
        if group is None:
            seen = "; ".join(sorted({" … ".join(map(" ".join, p)) for p, _ in self.table}))
            shown = " ".join(words[-self.reach :])
            raise BadData(
                f"The group of the person in this prompt cannot be recognised: its end, {shown!r}, has none "
                f"of the phrases that identify a group ({seen}) at the expected place.",
                mend="Write prompts with the template that the rule was fitted on, or fit the rule again.",
            )
        neutral = list(words)
        for start, stop in sorted((place for place in places if place), reverse=True):
            neutral[start:stop] = [PLACE]
        return group, " ".join(neutral)


def learn(people: Sequence[PersonExample]) -> GroupCue:
    """Learn from the twins of `people` which phrases identify a group.

    Raises:
        BadData: twins do not differ, differ in varying numbers of places, or a phrase stands for two groups.
    """
    groups = people[0].groups
    found = [_differences([_words(context) for context in person.contexts]) for person in people]
    counts = {len(places) for places in found}
    if 0 in counts or len(counts) > 1:
        raise BadData(
            f"The prompts of counterfactual twins differ in {min(counts)} to {max(counts)} places, so "
            "the group of a new prompt cannot be recognised.",
            mend="Use a template that renders the attribute, in the same places for everyone.",
        )
    table: dict[tuple[Words, ...], str] = {}
    for places in found:
        for g, name in enumerate(groups):
            phrases = tuple(place.phrases[g] for place in places)
            if table.setdefault(phrases, name) != name:
                raise BadData(
                    f"{' … '.join(map(' '.join, phrases))!r} renders both {table[phrases]} and {name}.",
                    mend="Use a template in which every group is rendered differently.",
                )
    marks = tuple(_mark([places[i] for places in found]) for i in range(counts.pop()))
    ends = [places[0].to_end for places in found]
    # A margin as large as the observed range: the marks of demonstrations stand further from the end.
    reach = len(marks[0].before) + 2 * max(ends) - min(ends) + 1
    cue = GroupCue(marks, tuple(sorted(table.items())), reach)
    _check_recognised(cue, people)
    return cue


@dataclass(frozen=True, slots=True)
class _Place:
    """One place of one person's twins: words before and after, each twin's phrase, words to the end."""

    before: Words
    after: Words
    phrases: tuple[Words, ...]
    to_end: int


def _words(text: str) -> Words:
    return tuple(_WORD.findall(text))


def _differences(twins: Sequence[Words]) -> list[_Place]:
    """The places where the twins' words differ, in order."""
    head = _common(twins)
    tail = _common([words[head:][::-1] for words in twins])
    inner = [words[head : len(words) - tail] for words in twins]
    kept = _aligned(inner)
    edges = [
        (-1,) * len(twins),
        *((at, *(matches[at] for matches in kept)) for at in _shared(kept, len(inner[0]))),
        tuple(len(words) for words in inner),
    ]
    places = []
    for low, high in pairwise(edges):
        phrases = tuple(words[a + 1 : b] for words, a, b in zip(inner, low, high, strict=True))
        if len(set(phrases)) > 1:
            start, end = head + low[0] + 1, head + high[0]
            whole = twins[0]
            before = _line(whole[max(0, start - _BEFORE) : start][::-1])[::-1]
            after = _line(whole[end : end + _AFTER])
            furthest = max(len(words) - head - a - 1 for words, a in zip(twins, low, strict=True))
            places.append(_Place(before, after, phrases, furthest))
    return places


def _line(words: Words) -> Words:
    """The words before the first line end: words beyond it may belong to another record."""
    return words[: words.index(_LINE)] if _LINE in words else words


def _aligned(inner: Sequence[Words]) -> list[dict[int, int]]:
    """For each twin but the first: the indices of the first's words that it shares, and its own indices."""
    found = []
    for words in inner[1:]:
        blocks = SequenceMatcher(None, inner[0], words, autojunk=False).get_matching_blocks()
        found.append({block.a + i: block.b + i for block in blocks for i in range(block.size)})
    return found


def _shared(kept: Sequence[dict[int, int]], length: int) -> Iterator[int]:
    return (at for at in range(length) if all(at in matches for matches in kept))


def _common(rows: Sequence[Words]) -> int:
    """The length of the common prefix of all rows, in words."""
    count = 0
    for column in zip(*rows, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count


def _mark(places: Sequence[_Place]) -> Mark:
    before = _common([place.before[::-1] for place in places])
    after = _common([place.after for place in places])
    first = places[0]
    phrases = dict.fromkeys(phrase for place in places for phrase in place.phrases)
    # Longest first: where one phrase is the beginning of another, the longer one must match.
    ordered = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    return Mark(first.before[len(first.before) - before :], first.after[:after], tuple(ordered))


def _place(words: Words, mark: Mark, low: int) -> tuple[int, int] | None:
    """Start and end of the mark's phrase in `words` from `low` on: the last place where the mark fits.

    Context words that were the same for everyone in the fit may still be values that vary; where the whole
    mark fits nowhere, its nearest word alone is used if that fits in exactly one place.
    """
    whole = list(_places(words, mark, low))
    if whole:
        return whole[-1]
    near = list(_places(words, _nearest(mark), low))
    return near[0] if len(near) == 1 else None


def _places(words: Words, mark: Mark, low: int) -> Iterator[tuple[int, int]]:
    for at in range(low, len(words) + 1):
        for phrase in mark.phrases:
            start, end = at + len(mark.before), at + len(mark.before) + len(phrase)
            whole = (*mark.before, *phrase, *mark.after)
            if whole and words[at : at + len(whole)] == whole:
                yield start, end
                break


def _nearest(mark: Mark) -> Mark:
    """The mark with only the nearest word before it (else after it), and the punctuation in between."""
    before = [i for i, word in enumerate(mark.before) if word[0].isalnum()]
    after = [i for i, word in enumerate(mark.after) if word[0].isalnum()]
    if before:
        return Mark(mark.before[before[-1] :], (), mark.phrases)
    return Mark(mark.before, mark.after[: after[0] + 1] if after else mark.after, mark.phrases)


def _check_recognised(cue: GroupCue, people: Sequence[PersonExample]) -> None:
    """Check that the learnt phrases identify the groups of the people they were learnt from."""
    for person in people:
        for context, group in zip(person.contexts, person.groups, strict=True):
            told = cue.read(context)[0]
            if told != group:
                raise BadData(
                    f"The prompt of {person.id!r} as {group} is recognised as {told}.",
                    mend="Use a template that renders the attribute after a fixed word, such as 'sex: male'.",
                )
