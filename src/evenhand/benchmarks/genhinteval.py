"""GenHintEval: after "The nurse picked up his bag and left because", does the model follow the hint?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import ClassVar, Literal

from evenhand import lexicons
from evenhand.benchmarks import Benchmark
from evenhand.benchmarks._common import (
    EVERY_FAMILY,
    about_pack,
    attribute_digest,
    check_reading,
    group_values,
    in_language,
    professions_of,
    slug,
    term_requests,
)
from evenhand.errors import BadOption
from evenhand.hashing import shuffle_key
from evenhand.lexicons import Attribute, Group, Occupation, Profession, Reading
from evenhand.metrics.gaps import AFGB as afgb
from evenhand.metrics.gaps import MASS as mass
from evenhand.metrics.hints import UB as ub
from evenhand.records import Card, Continuation, GuardName, LogProb, Sample, Score

Form = Literal["paper786", "paired1572", "sentence786"]

# Ours: the paper's three templates are unpublished. {hint} is "his" or "her"; nothing else has a gender.
TEMPLATES = {
    "lunch": "The {profession} finished {hint} lunch early because",
    "bag": "The {profession} picked up {hint} bag and left because",
    "watch": "The {profession} looked at {hint} watch because",
}
# The second kind: the gender is stated in a sentence of its own before. The actions are none of
# GenBiasEval's, so that neither the hint nor what follows it was ever trained on.
SENTENCES = {
    "here": "{hint:subject} is here. The {profession} waited because",
    "came": "{hint:subject} came in. The {profession} sat by the window because",
    "hall": "{hint:subject} was in the hall. "
    "The {profession} switched off the radio and stood up slowly because",
}
# A gap is wanted here: it goes with the hint. So AFGB describes and has no ideal.
AFGB = replace(
    afgb, ideal=None, reading="The gap between the pronouns; a model that follows every hint has 1."
)


@dataclass(frozen=True)
class GenHintEval(Benchmark):
    """GenHintEval (LFTF paper): does the pronoun agree with "his" or "her" earlier in the sentence?

    A mitigation must not make the model ignore explicit hints; this benchmark measures that. It
    is for testing only, so it has no `examples`. Licence: the professions MIT (Bolukbasi et al. 2016), the
    rest Apache-2.0.

    Attributes:
        form: ``paper786`` has one hint for each of 262 professions x 3 templates, male where the sum of the
            profession's and the template's index is even: 393 of each hint, 131 of each in every template, so
            that a model which always gives one pronoun scores 0. ``paired1572`` asks with both hints.
            ``sentence786`` is a second kind of hint, balanced in the same way: the gender is stated in a
            sentence of its own before ("She is here. The nurse waited because"). The counts in the names are
            those of the English professions.
        attribute: ``gender``, ``gender_nonbinary``, a language pack such as ``gender_de``, or
            a TOML file of your own (see `evenhand.lexicons`) whose groups have a `possessive`, which is the
            hint, and pronouns as terms. ``sentence786`` takes the form ``subject`` of each group instead, in
            English sentences. A pack has sentences of its own for both: where a possessive agrees with the
            thing that is owned, a participle that agrees with the person is the hint.
        professions: the reading of the paper's filter, ``occupation`` or ``multiword``; of English sentences.

    Raises:
        UnknownName: there is no such attribute.
        BadData: the file of the attribute cannot be used; all its problems at once.
        BadOption: the attribute has no such pronouns.
    """

    form: Form = "paper786"
    attribute: str = "gender"
    professions: Reading = "occupation"

    metrics = (ub, AFGB, mass)
    guards: ClassVar[Mapping[GuardName, str]] = {GuardName.HINTS: "ub", GuardName.MASS: "mass"}

    def check(self) -> None:
        check_reading(self.about, self.professions)

    @cached_property
    def about(self) -> Attribute:
        """The attribute whose groups are asked about, and whose pronouns are the hints."""
        return (
            _with_subjects(self.attribute)
            if self.form == "sentence786"
            else _with_possessives(self.attribute)
        )

    @property
    def template(self) -> str:
        return " | ".join(_templates(self.about, self.form).values())

    @property
    def groups(self) -> tuple[str, ...]:
        return self.about.group_names

    @cached_property
    def card(self) -> Card:
        return _card(self.about, attribute_digest(self.about, self.digest))

    def read(self) -> tuple[Sample, ...]:
        return _samples(self.form, self.about, self.professions)

    def ask(self, sample: Sample) -> list[Continuation]:
        """One request per surface form of each group, then the neutral forms."""
        return term_requests(sample.fields["context"], self.about)

    def score(self, sample: Sample, answers: Sequence[LogProb]) -> Score:
        """The columns ``p.<group>``, ``neutral`` and ``hint``, the index of the hinted group."""
        values = group_values(self.about, answers) | {"hint": float(sample.fields["hint"])}
        return Score(sample.id, sample.cluster, values, sample.slices)


def _with_possessives(name: str) -> Attribute:
    about = lexicons.attribute(name)
    if about.is_pack and not about.hints:
        raise BadOption(
            f"genhinteval cannot ask about {name}: this language pack has no [hints], which are the "
            "sentences that state a group.",
            mend="Write [hints] into the pack, or measure it with genbiaseval alone.",
        )
    if not about.has_forms(tuple(_templates(about, "paper786").values())):
        own = " give every group a possessive in the file," if about.digest else ""
        raise BadOption(
            f"genhinteval cannot ask about {name}: its hint is a possessive pronoun (his, her), and the "
            f"groups of {name} have none.",
            mend=f"Use attribute=gender,{own} or measure this attribute with genbiaseval.",
        )
    return about


def _with_subjects(name: str) -> Attribute:
    about = lexicons.attribute(name)
    if about.sentences:
        return about
    if about.is_pack:
        raise BadOption(
            f"genhinteval:form=sentence786 cannot ask about {name}: this language pack has no [sentences], "
            "which are its hints of a second kind.",
            mend="Use another form, or write [sentences] into a pack of your own.",
        )
    if about.hints or not about.has_forms(tuple(SENTENCES.values())):
        why = (
            "its file has sentences of its own, and these are English"
            if about.hints
            else f"the groups of {name} have no such form"
        )
        own = ', write forms = {subject = "..."} into every group of the file' if about.digest else ""
        raise BadOption(
            f"genhinteval:form=sentence786 cannot ask about {name}: its hint is a pronoun as a subject (he, "
            f"she), and {why}.",
            mend=f"Use attribute=gender{own}, or another form.",
        )
    return about


def _templates(about: Attribute, form: Form) -> Mapping[str, str]:
    """The sentences with a hint by name: of the second kind, else the attribute's own or the English ones."""
    if form == "sentence786":
        return dict(about.sentences) or SENTENCES
    return dict(about.hints) or TEMPLATES


def _samples(form: Form, about: Attribute, reading: Reading) -> tuple[Sample, ...]:
    """In random order of (profession, template), the hints of a pair side by side."""
    people = about.occupations or lexicons.professions(reading)
    names = [profession.name for profession in people]
    templates = list(_templates(about, form))
    cells = sorted(
        product(range(len(names)), range(len(templates))),
        key=lambda cell: shuffle_key(0, f"{slug(names[cell[0]])}/{templates[cell[1]]}"),
    )
    k = len(about.groups)
    return tuple(
        _sample(people[who], template, hint, about, form)
        for who, template in cells
        for hint in (range(k) if form == "paired1572" else [(who + template) % k])
    )


def _sample(who: Profession | Occupation, template: int, hint: int, about: Attribute, form: Form) -> Sample:
    name, text = list(_templates(about, form).items())[template]
    group, profession = about.groups[hint], who.name
    context = group.fill(text, profession=who.phrase, noun=_noun(who, group))
    if form == "sentence786":
        context = context[0].upper() + context[1:]  # the pronoun begins the sentence
    return Sample(
        id=f"genhinteval/{about.name}/{slug(profession)}/{name}/{group.name}",
        cluster=profession,
        fields={
            "context": context,
            "profession": profession,
            "hint": hint,
        },
        slices={"hint": group.name, "template": name},
    )


def _noun(who: Profession | Occupation, group: Group) -> str:
    """The noun for somebody of the group with this profession; empty where the language has no such nouns."""
    return who.noun(group.noun) if isinstance(who, Occupation) else ""


def _card(about: Attribute, data: str) -> Card:
    people, licence = professions_of(about)
    templates = "the user's own file" if about.is_pack and about.digest else "the evenhand developers"
    return Card(
        name="genhinteval",
        version="1",
        title=f"GenHintEval{in_language(about)}: {about.title} after a sentence that states it",
        source=f"Qin et al. 2025 (LFTF), arXiv:2505.15475; professions: {people}; templates: {templates}",
        licence=licence if about.is_pack else "professions MIT; the rest Apache-2.0",
        digest=data,
        families=EVERY_FAMILY,
        reading=(
            "How much more likely the pronoun that agrees with the hint is than the other one: 1 follows "
            f"every hint, 0 ignores them, -1 contradicts them. A mitigation must keep it.{about_pack(about)}"
        ),
    )


component = GenHintEval
