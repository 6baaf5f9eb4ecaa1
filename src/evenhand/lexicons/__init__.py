"""Words as data, with provenance: professions, sensitive attributes and their terms, plain facts, plain text.

Nothing here needs numpy or torch. The data files lie beside this module; each states its source and licence.
"""

from __future__ import annotations

from evenhand.lexicons._attributes import Attribute, Group, attribute, attribute_names
from evenhand.lexicons._professions import Profession, Reading, profession_entries, professions
from evenhand.lexicons._texts import Fact, everyday, world_facts

__all__ = [
    "Attribute",
    "Fact",
    "Group",
    "Profession",
    "Reading",
    "attribute",
    "attribute_names",
    "everyday",
    "profession_entries",
    "professions",
    "world_facts",
]
