"""One spelling for each value of the target and the sensitive columns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

from evenhand.audits import Question
from evenhand.frames.engines import stripped
from evenhand.frames.values import folded
from evenhand.repairs import Reads, Repaired
from evenhand.repairs._keys import matches


@dataclass(frozen=True)
class Spell:
    """Values that differ in case, spaces or a full stop alone get the spelling that is most frequent."""

    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"all groups"})

    def check(self, question: Question) -> None:
        """Nothing: what is spelt in one way stays as it is."""

    def repaired(self, question: Question) -> Repaired:
        """The table with such values replaced."""
        import ibis

        table = question.frame.table
        renamed: dict[str, dict[str, str]] = {}
        counts = question.frame.cells(question.keys)
        for name in question.keys:
            cells = counts.by((name,))
            if not table[name].type().is_string():
                continue
            alike: dict[str, list[tuple[float, str]]] = defaultdict(list)
            for key, n in zip(cells.keys, cells.n, strict=True):
                alike[folded(str(key[0]))].append((float(n), str(key[0])))
            value = stripped(table[name])
            one = {text: max(spelt)[1] for spelt in alike.values() if len(spelt) > 1 for _, text in spelt}
            if one:
                rules = [(matches(question.frame, name, text), chosen) for text, chosen in one.items()]
                table = table.mutate(**{name: ibis.cases(*rules, else_=value)})
                renamed[name] = one
        told = f"Written in one way: {', '.join(renamed) or 'nothing, for nothing differed'}."
        return Repaired(table, told, renamed=renamed)


component = Spell
