"""Audits: what is asked of a data set, a table or a corpus of texts. One file each, found in this folder.

An audit is a frozen dataclass; its fields are the options of its spec (``representation:tolerance=0.02``).
It sees a `Question`, asks its frame or its corpus for counts, and returns findings. Each finding has an
effect with an interval, a state (how the interval stands to the tolerance, see `judged`) and a command.
"""

from __future__ import annotations

from evenhand.audits._question import BaselineOf, Question, TextQuestion
from evenhand.audits._state import Audit, judged

__all__ = ["Audit", "BaselineOf", "Question", "TextQuestion", "judged"]
