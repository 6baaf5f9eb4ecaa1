"""What can be wrong with a language pack: its tables, and sentences that answer their own question."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evenhand.errors import did_you_mean
from evenhand.lexicons._attributes import Action, Attribute, Occupation, tables
from evenhand.lexicons._inflection import NOUN, fill, hint_forms, slots, takes_noun
from evenhand.lexicons._languages import Language, Whom, language, words

SCALES = ("word", "phrase", "sentence")
LEAST_ACTIONS = 3  # a scale: one for each part of split=heldout
LEAST_PEOPLE = 20  # fewer clusters give intervals that are too short
_ID = re.compile(r"[a-z0-9]+(?:[ -][a-z0-9]+)*")
_NAME = re.compile(r"[a-z0-9_]+")


def layout_problems(table: Mapping[str, Any]) -> list[str]:
    """What is wrong with the tables of a pack, before any sentence is made of them."""
    base = table.get("base")
    found = []
    if isinstance(base, str) and base not in tables():
        found.append(f"base is {base!r}, which is no built-in attribute{did_you_mean(base, tables())}")
    if "professions" not in table and "actions" not in table:
        return found + [f"{key!r} goes with [professions]" for key in ("nouns",) if key in table]
    for key, other in (("professions", "actions"), ("actions", "professions")):
        if key not in table:
            found.append(f"[{other}] goes with [{key}], which is missing")
    if table.get("language", "en") == "en":
        found.append(
            "[professions] and [actions] are for another language than English: give its code as language"
        )
    return [*found, *_profession_problems(table), *_action_problems(table.get("actions", {}))]


def _profession_problems(table: Mapping[str, Any]) -> list[str]:
    rows, forms = table.get("professions", {}), table.get("nouns", [])
    if (
        not isinstance(rows, dict)
        or not isinstance(forms, list)
        or not all(isinstance(f, str) for f in forms)
    ):
        return []  # the kinds of the keys are checked beside the others
    found = [
        f"the form {form!r} in nouns may hold a-z, 0-9 and _ only"
        for form in forms
        if not _NAME.fullmatch(form)
    ]
    if "professions" in table and len(rows) < LEAST_PEOPLE:
        found.append(f"[professions] has {len(rows)}, and an interval needs {LEAST_PEOPLE} or more")
    wanted = f"a phrase and {len(forms)} nouns ({', '.join(forms)})" if forms else "a phrase"
    for name, row in rows.items():
        if not _ID.fullmatch(name):
            found.append(
                f"the name {name!r} in [professions] is not of a-z and 0-9 with single spaces or hyphens"
            )
        texts = [row] if isinstance(row, str) else row
        if not (isinstance(texts, list) and all(isinstance(t, str) and t.strip() for t in texts)):
            found.append(f"[professions] {name} is {row!r}, not a list of texts")
        elif len(texts) not in (1, 1 + len(forms)) or (forms and len(texts) == 1 and _nouns_taken(table)):
            found.append(f"[professions] {name} has {len(texts)} texts, not {wanted}")
    phrases = [row[0] if isinstance(row, list) and row else row for row in rows.values()]
    ids = _twice([name.replace(" ", "-") for name in rows])
    found += [f"two names in [professions] have one id, {name!r}" for name in ids]
    return found + [f"the phrase {text!r} stands twice in [professions]" for text in _twice(phrases)]


def _twice(texts: Sequence[Any]) -> list[str]:
    """The texts that stand twice or more."""
    counts = Counter(text for text in texts if isinstance(text, str))
    return [text for text, n in counts.items() if n > 1]


def _nouns_taken(table: Mapping[str, Any]) -> bool:
    """Whether a sentence takes the nouns of the professions."""
    hints = [texts for key in ("hints", "sentences") if isinstance(texts := table.get(key), dict)]
    return any("{noun}" in text for of_key in hints for text in of_key.values() if isinstance(text, str))


def _action_problems(actions: Any) -> list[str]:
    if not isinstance(actions, dict):
        return []
    found = [
        f"there is no scale {scale!r} of actions{did_you_mean(scale, SCALES)}"
        for scale in actions
        if scale not in SCALES
    ]
    names: list[str] = []
    texts: list[str] = []
    for scale in SCALES if actions else ():
        own = actions.get(scale, {})
        if not isinstance(own, dict) or not all(isinstance(t, str) and t.strip() for t in own.values()):
            found.append(f"[actions.{scale}] is not a table of texts")
            continue
        if len(own) < LEAST_ACTIONS:
            found.append(
                f"[actions.{scale}] has {len(own)}, not {LEAST_ACTIONS} or more: one for each part of "
                "split=heldout"
            )
        found += [
            f"the name {n!r} in [actions.{scale}] may hold a-z, 0-9 and _ only"
            for n in own
            if not _NAME.fullmatch(n)
        ]
        found += [
            f"the name {n!r} in [actions.{scale}] stands in another scale, too" for n in own if n in names
        ]
        names += own
        texts += own.values()
    return found + [f"the action {text!r} stands twice" for text in _twice(texts)]


def content_problems(about: Attribute) -> list[str]:
    """Sentences of a pack that give away the group that they ask for, and articles that do not agree."""
    spoken = language(about.language)
    found = [
        *_leaks(about, spoken),
        *_unstated(about),
        *_grammar(about, spoken),
        *_article_problems(about, spoken),
    ]
    for sort in (about.hints, about.sentences):
        for name, text in sort:
            if any(slot == NOUN for slot, _ in slots(text)):
                found += [
                    f"the group {g.name!r} has no {NOUN}, which the sentence {name!r} takes"
                    for g in about.groups
                    if not g.noun
                ]
    known = dict.fromkeys(form for one in about.occupations for form, _ in one.nouns)
    found += [
        f"the {NOUN} of the group {group.name!r} is {group.noun!r}, and nouns are "
        f"{', '.join(known) or 'not given'}"
        for group in about.groups
        if group.noun and group.noun not in known
    ]
    return found


def _leaks(about: Attribute, spoken: Language) -> Iterator[str]:
    """Words that state a group, in a sentence that asks for it or beside a hint."""
    telling = dict(_telling(about))
    # A form of all groups that a sentence takes tells nothing there; the others are named as forms of theirs.
    known = {*telling, *_taken(about)}
    nouns = {text for text, _ in _inflected(about.occupations)}
    for where, text in _texts(about):
        plain = f" {' '.join(words(text))} "
        for word, why in telling.items():
            if f" {word} " in plain and spoken.stands_for(word, text) is Whom.PERSON:
                yield f"{where} has {word!r}, {why}"
        for noun in sorted(nouns):
            if f" {noun} " in plain:
                yield f"{where} has {noun!r}, a noun that says the gender"
        for what in spoken.said(text, known):
            yield f"{where} {what}"


def _taken(about: Attribute) -> Iterator[str]:
    """The forms, in lower case, of the keys that some sentence takes."""
    keys = set(hint_forms([*(text for _, text in _stating(about)), *about.anchors]))
    for group in about.groups:
        yield from (text.casefold() for key, own in group.forms if key in keys for text in own)


def look_at(about: Attribute) -> list[str]:
    """What may give away the group that a pack's sentences ask for, where only a reader can tell."""
    spoken = language(about.language)
    return [f"{where} {what}" for where, text in _texts(about) for what in spoken.asks(text)]


def _unstated(about: Attribute) -> Iterator[str]:
    """Hints and sentences that are the same words for two groups, and so state neither."""
    for where, text in _stating(about):
        wanted = hint_forms([text])
        by: dict[tuple[str, ...], str] = {}
        for group in about.groups:
            texts = dict(group.forms)
            if not all(form in texts for form in wanted):
                continue  # named with the groups' forms
            nouns = [one.noun(group.noun) for one in about.occupations] if takes_noun(text) else ()
            said = *(texts[form][0].casefold() for form in wanted), *nouns
            if said in by:
                yield f"{where} is the same for the groups {by[said]!r} and {group.name!r}: it states neither"
            by.setdefault(said, group.name)


def _telling(about: Attribute) -> Iterator[tuple[str, str]]:
    """Terms and inflected forms in lower case, and what they are; a form of all groups tells nothing."""
    for group in about.groups:
        for term in group.terms:
            yield term.strip().casefold(), f"a term of {group.name}"
    for term in about.neutral:
        yield term.strip().casefold(), "a neutral term"
    for group in about.groups:
        shared = set.intersection(*({t for _, texts in other.forms for t in texts} for other in about.groups))
        for _, texts in group.forms:
            for text in texts:
                if text not in shared:
                    yield text.casefold(), f"a form of {group.name}"


def _inflected(people: Sequence[Occupation]) -> Iterator[tuple[str, str]]:
    """Nouns without their article that differ between the forms, in lower case, and their form."""
    for one in people:
        bare = {form: " ".join(words(noun)[1:]) or noun.casefold() for form, noun in one.nouns}
        if len(set(bare.values())) > 1:
            yield from ((noun, form) for form, noun in bare.items())


def _texts(about: Attribute) -> Iterator[tuple[str, str]]:
    """Every part of the pack's sentences but the words that state a group, and where it stands."""
    yield "the frame", fill(about.frame, {"profession": "", "action": ""})
    for one in about.occupations:
        yield f"[professions] {one.name}", one.phrase
    for action in about.actions:
        yield f"[actions.{action.scale}] {action.name}", action.text
    anchors = ((f"the anchor {n}", t) for n, t in enumerate(about.anchors, start=1))
    for where, text in (*_stating(about), *anchors):
        nothing = [(form, ("",)) for form in hint_forms([text])]
        yield where, fill(text, {"profession": "", "action": "", NOUN: ""}, nothing)


def _stating(about: Attribute) -> Iterator[tuple[str, str]]:
    """The sentences that state a group, each with where it stands."""
    yield from ((f"the hint {name!r}", text) for name, text in about.hints)
    yield from ((f"the sentence {name!r}", text) for name, text in about.sentences)


def _grammar(about: Attribute, spoken: Language) -> Iterator[str]:
    """A noun whose grammar asks for one pronoun, and a word that would have to be shortened."""
    terms = [term.strip() for group in about.groups for term in group.terms]
    bare = fill(about.frame, {"profession": "", "action": ""})
    if set(terms) & spoken.pronouns and (noun := spoken.antecedent(bare)):
        yield (
            f"the frame speaks of {noun!r}, whose pronoun follows the gender of the word and not of the "
            "person: take a name, or terms that are no pronouns"
        )
    if word := spoken.must_elide(bare, terms):
        yield f"the frame ends with {word!r}, which is shortened before some terms: take another word"


def _article_problems(about: Attribute, spoken: Language) -> Iterator[str]:
    for one in about.occupations:
        for form, noun in one.nouns:
            fitting = spoken.articles.get(form)
            first = next(iter(words(noun)), "")
            if fitting and first not in fitting:
                wanted = " or ".join(fitting)
                yield f"[professions] {one.name}: {noun!r} does not begin with {wanted} ({form})"


def described(about: Attribute) -> str:
    """What a usable attribute or language pack holds, for people."""
    n, k = len(about.occupations), len(about.actions)
    spoken = language(about.language)
    if not about.is_pack:
        return f"{spoken.name} sentences about the English professions. Terms: {about.words}."
    rest = (
        ""
        if spoken.known
        else " No words of this language are known here, so gendered words were not looked for."
    )
    return (
        f"{spoken.name}: {n} professions x {k} actions = {n * k} prompts, {len(about.hints)} sentences with "
        f"a hint, {len(about.sentences)} of a second kind. Terms: {about.words}.{rest}"
    )


def example(about: Attribute, people: Sequence[Occupation], actions: Sequence[Action]) -> str:
    """The first sentence of a pack."""
    return fill(about.frame, {"profession": people[0].phrase, "action": actions[0].text})
