"""Subjects: does the model still know what the professions are that bias prompts are about?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from evenhand.benchmarks import _options
from evenhand.benchmarks._common import EVERY_FAMILY
from evenhand.lexicons import subject_questions
from evenhand.records import Card, Sample


@dataclass(frozen=True)
class Subjects(_options.OptionsBenchmark):
    """Subjects: places, tools, tasks and names of 262 professions, none of it about gender.

    Tasks and names are four texts after one opening: "The job of a nurse is to" care for sick people. A place
    or a pair of tools follows four openings instead, such as " in a hospital" after "A nurse can usually be
    found" and after those about three professions of other fields, and the likeliest opening is the answer;
    so what makes a place likely in itself tells nothing. A treatment that blurs the professions loses these
    answers before other knowledge. Licence: Apache-2.0.
    """

    @cached_property
    def card(self) -> Card:
        return Card(
            name="subjects",
            version="1",
            title="What the professions are",
            source="the evenhand developers",
            licence="Apache-2.0",
            digest=self.digest,
            families=EVERY_FAMILY,
            reading="The share of questions about the places, tools, tasks and names of 262 professions that "
            "the model answers correctly; chance is 0.25. Ties are undefined and counted.",
        )

    def read(self) -> list[Sample]:
        return [_options.sample("subjects", question) for question in subject_questions()]


component = Subjects
