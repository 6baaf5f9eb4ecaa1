"""Definitional: does the pronoun after mother, king or actress agree with the word?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from evenhand.benchmarks import _options
from evenhand.benchmarks._common import EVERY_FAMILY
from evenhand.lexicons import definitional_questions
from evenhand.records import Card, Sample


@dataclass(frozen=True)
class Definitional(_options.OptionsBenchmark):
    """Definitional: words whose meaning states a gender, and the pronoun that follows them.

    "The king put on" has to go on with his, "My mother said that" with she. This is no stereotype: a
    mitigation must leave it as it is. Licence: Apache-2.0.
    """

    @cached_property
    def card(self) -> Card:
        return Card(
            name="definitional",
            version="1",
            title="Pronouns after words gendered by definition",
            source="the evenhand developers",
            licence="Apache-2.0",
            digest=self.digest,
            families=EVERY_FAMILY,
            reading="The share of sentences in which the pronoun agrees with the word's meaning; chance is "
            "0.5. Ties are undefined and counted.",
        )

    def read(self) -> list[Sample]:
        return [_options.sample("definitional", question) for question in definitional_questions()]


component = Definitional
