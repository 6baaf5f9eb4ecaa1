"""Counterfactual augmentation: what is said or known of one group is said of the others as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from evenhand.audits import Question, TextQuestion
from evenhand.errors import UsageError
from evenhand.lexicons import swap_gender
from evenhand.repairs import Repaired
from evenhand.repairs._keys import matches

MOST_GROUPS = 10


@dataclass(frozen=True)
class Augment:
    """Of texts, each one that mentions a gender is followed by itself with the other gender.

    Of a table, every row comes once for each group of the first sensitive column, otherwise as it is: then
    group and label are independent, and proxies of the attribute stay.
    """

    reads: ClassVar[Any] = "both"
    needs: ClassVar[frozenset[str]] = frozenset({"all groups"})

    def check(self, question: Question | TextQuestion) -> None:
        """Refuse what has no counterparts.

        Raises:
            UsageError: texts of another attribute than gender, or a table of one group or of more than ten.
        """
        if isinstance(question, TextQuestion):
            if question.attribute != "gender":
                raise UsageError("Texts can be swapped by gender alone.", mend="Leave out --attribute.")
        elif not 1 < (many := len(_groups(question))) <= MOST_GROUPS:
            limit = f"more than {MOST_GROUPS}" if many > 1 else "fewer than 2"
            raise UsageError(
                f"{question.sensitive[0]} has {many} groups, {limit}.",
                mend="Use --repair reweigh." if many > 1 else "Name another sensitive column.",
            )

    def repaired(self, question: Question | TextQuestion) -> Repaired | Iterator[str]:
        """More rows, or more documents.

        Raises:
            as `check`.
        """
        self.check(question)
        if isinstance(question, TextQuestion):
            return _both(question)
        import ibis

        name, groups = question.sensitive[0], _groups(question)
        table = question.frame.table
        known = {group: matches(question.frame, name, group) for group in groups}
        parts = [table]
        for group in known:
            others = [own for other, own in known.items() if other != group]
            value = _as(table[name], group, question.frame.spelt(name)[group])
            parts.append(table.filter(ibis.or_(*others)).mutate(**{name: value}))
        first, *rest = parts
        return Repaired(
            first.union(*rest), f"Every row comes once for each of {len(groups)} groups of {name}."
        )


def _groups(question: Question) -> list[str]:
    return [str(key[0]) for key in question.cells((question.sensitive[0],)).keys]


def _as(column: Any, group: str, spelt: Sequence[str]) -> Any:
    """The value of a group, in the column's own type; its name where that is one of its spellings."""
    import ibis

    return ibis.literal(group if group in spelt else spelt[0]).cast(column.type())


def _both(question: TextQuestion) -> Iterator[str]:
    for block in question.corpus.blocks():
        for text in block:
            yield text
            swapped = swap_gender(text)
            if swapped != text:
                yield swapped


component = Augment
