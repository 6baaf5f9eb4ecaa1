"""Texts to tune on: training examples of any kind as texts with the groups' words exchanged.

A prompt becomes a text by a term after it. A text as it is *found* has the term that the model itself would
write: drawn from the base's probabilities of the groups, so that tuning on found texts alone would leave the
groups where they are.
"""

from __future__ import annotations

import difflib
import math
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.errors import BadData
from evenhand.files import lines, read_text
from evenhand.lexicons import gendered_spans, plain, swap_gender
from evenhand.models import every_logprob
from evenhand.records import Example, PairExample, TextExample

if TYPE_CHECKING:
    from evenhand.models import Model

Spans = tuple[tuple[int, int], ...]
_WORD = re.compile(r"[^\W\d_]+")
_PIECE = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")  # a word, or a mark beside one


def own_texts(file: str) -> list[str]:
    """The lines of a file of the user's own that hold anything.

    Raises:
        BadData: it cannot be read.
    """
    return [line for line in lines(read_text(Path(file))) if line.strip()]


@dataclass(frozen=True, slots=True)
class Found:
    """A text as it was found and with the groups exchanged; where the groups' words stand in each.

    `cluster` is the subject that it is about.
    """

    text: str
    swapped: str
    words: Spans
    swapped_words: Spans
    cluster: str


def found_texts(model: Model, examples: Sequence[Any], *, seed: int) -> list[Found]:
    """The texts of `examples` that have a group's word; those to keep as they are (`keep`) are left out.

    Prompts get a term, drawn with `seed` (see the module), and the term of another group in its place.

    Raises:
        BadData: no example has a word of a group.
        BadModel: the model has no answer to a prompt.
    """
    used = [example for example in examples if not example.keep]
    prompts = [example for example in used if isinstance(example, Example)]
    made = _of_prompts(model, prompts, seed)
    for example in used:
        if isinstance(example, PairExample):
            made.append(_of_pair(example))
        elif isinstance(example, TextExample):
            swapped = swap_gender(example.text)
            spans = gendered_spans(example.text), gendered_spans(swapped)
            made.append(Found(example.text, swapped, *spans, example.cluster))
    found = [text for text in made if text.text != text.swapped]
    if not found:
        raise BadData(
            f"None of the {len(used)} examples has a word of a group that could be exchanged.",
            mend="Give texts with gendered words, pairs of sentences, or prompts with groups' terms.",
        )
    return found


def _of_prompts(model: Model, prompts: Sequence[Example], seed: int) -> list[Found]:
    if not prompts:
        return []
    asked = [request for prompt in prompts for request in prompt.requests()]
    answers = iter(every_logprob(model, asked))
    stop = "." if model.spec.family == "masked" else ""  # as a masked model is asked
    found = []
    for prompt in prompts:
        mass = [sum(math.exp(next(answers).value) for _ in forms) for forms in prompt.terms]
        chance = random.Random(f"{seed} {prompt.id}")
        own = chance.choices(range(len(mass)), [m + 1e-300 for m in mass])[0]
        other = chance.choice([g for g in range(len(mass)) if g != own])
        texts = [f"{prompt.context}{prompt.terms[g][0]}{stop}" for g in (own, other)]
        at = len(prompt.context)
        words = [((at, len(text) - len(stop)),) for text in texts]
        found.append(Found(texts[0], texts[1], words[0], words[1], prompt.cluster))
    return found


def _of_pair(pair: PairExample) -> Found:
    first, second = pair.sentence, pair.counterpart
    return Found(first, second, *differing(first, second), pair.cluster)


def differing(first: str, second: str) -> tuple[Spans, Spans]:
    """The character ranges of the words in which two texts differ: in the first, in the second."""
    words = [[m.span() for m in _PIECE.finditer(text)] for text in (first, second)]
    texts = [[text[a:b] for a, b in spans] for text, spans in zip((first, second), words, strict=True)]
    matcher = difflib.SequenceMatcher(None, texts[0], texts[1], autojunk=False)
    spans: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            for of, own, low, high in ((0, words[0], a, b), (1, words[1], c, d)):
                if high > low:
                    spans[of].append((own[low][0], own[high - 1][1]))
    return tuple(spans[0]), tuple(spans[1])


def group_words(texts: Sequence[Found]) -> frozenset[str]:
    """The words of groups in the texts, as found and exchanged."""
    own = {word for one in texts for word in _words_at(one.text, one.words)}
    return frozenset(own | {word for one in texts for word in _words_at(one.swapped, one.swapped_words)})


def unrelated(texts: Sequence[Found], *, seed: int) -> list[Found]:
    """The found texts with unrelated words exchanged in place of the groups', drawn with `seed`.

    The words are those inside the texts, in lower case, that are of no group. Those that stand most often
    after the same word take each other's places, all in one circle, so that texts stay texts. The places of
    the groups' words are those in the text that results.
    """
    own = group_words(texts)
    before: dict[str, Counter[str]] = {}
    for text in texts:
        for first, word in pairwise(_WORD.findall(text.text)):
            if len(word) > 2 and word.islower() and word not in own:
                before.setdefault(word, Counter())[first] += 1
    alike: dict[str, list[str]] = {}
    for word in sorted(before):
        alike.setdefault(before[word].most_common(1)[0][0], []).append(word)
    chance, others = random.Random(seed), dict[str, str]()
    for words in alike.values():
        chance.shuffle(words)
        others |= dict(zip(words, [*words[1:], words[0]], strict=True))
    return [_exchanged(text, others) for text in texts]


def _exchanged(text: Found, others: dict[str, str]) -> Found:
    made, words, at = "", [], 0
    marked = sorted(text.words)
    for match in _WORD.finditer(text.text):
        made += text.text[at : match.start()]
        start, at = len(made), match.end()
        inside = any(a < match.end() and b > match.start() for a, b in marked)
        made += match.group() if inside else others.get(match.group(), match.group())
        if inside:
            words.append((start, len(made)))
    return Found(text.text, made + text.text[at:], text.words, tuple(words), text.cluster)


def _words_at(text: str, spans: Spans) -> set[str]:
    return {word for a, b in spans for word in _WORD.findall(text[a:b])}


def general(model: Model, number: int, seed: int) -> tuple[str, ...]:
    """So many sentences without a group's word, drawn with `seed`: each once before any comes twice.

    For a model of the lab those of its own language that it was trained on, never a test's.
    """
    from evenhand.lab.facts import neutral_sentences

    pool = list(neutral_sentences("train") if model.spec.uri.startswith("lab:") else plain())
    chance, drawn = random.Random(seed), list[str]()
    while len(drawn) < number:
        drawn += chance.sample(pool, min(len(pool), number - len(drawn)))
    return tuple(drawn)
