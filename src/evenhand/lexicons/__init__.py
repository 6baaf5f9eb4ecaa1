"""Words as data, with provenance: professions, sensitive attributes and their terms, plain facts, plain text.

Nothing here needs numpy or torch. The data files are in this folder; each states its source and licence.
`attribute` also reads an attribute of the user's own, ``attribute("people.toml")``: see `_attribute_files`.
"""

from __future__ import annotations

from evenhand.lexicons._attribute_files import attribute, attribute_names, checked_file
from evenhand.lexicons._attributes import Action, Attribute, Group, Occupation
from evenhand.lexicons._languages import language
from evenhand.lexicons._mentions import mention_words
from evenhand.lexicons._pack_problems import described, look_at
from evenhand.lexicons._professions import Profession, Reading, profession_entries, professions
from evenhand.lexicons._questions import (
    Question,
    article,
    coreference_frames,
    coreference_questions,
    definitional_questions,
    subject_questions,
)
from evenhand.lexicons._swaps import gender_of, gendered_sentences, gendered_spans, swap_gender
from evenhand.lexicons._texts import Fact, decisions, everyday, people, plain, world_facts
from evenhand.lexicons._tone import tone, words

__all__ = [
    "Action",
    "Attribute",
    "Fact",
    "Group",
    "Occupation",
    "Profession",
    "Question",
    "Reading",
    "article",
    "attribute",
    "attribute_names",
    "checked_file",
    "coreference_frames",
    "coreference_questions",
    "decisions",
    "definitional_questions",
    "described",
    "everyday",
    "gender_of",
    "gendered_sentences",
    "gendered_spans",
    "language",
    "look_at",
    "mention_words",
    "people",
    "plain",
    "profession_entries",
    "professions",
    "subject_questions",
    "swap_gender",
    "tone",
    "words",
    "world_facts",
]
