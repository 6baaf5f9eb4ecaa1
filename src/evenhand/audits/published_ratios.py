"""Published impact ratios: is what an audit report prints what its own counts give?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from evenhand.audits._question import Question
from evenhand.audits._state import Reads, ends
from evenhand.decimals import percent
from evenhand.errors import listed
from evenhand.linting.impact_ratios import NAMES, Misprint, Published, Standing, judged_tables
from evenhand.records import Finding, State

MOST_ROWS = 100_000


@dataclass(frozen=True)
class PublishedRatios:
    """Audit reports under Local Law 144, one row a category, recomputed from counts and from printed rates.

    The columns are those of the ACLU's collection: number_of_applications, n_selected_or_n_above_median,
    result (the rate) and impact_ratio. Where an audit prints several thresholds and a table does not fit, it
    is not blamed: rows of one threshold may stand under the name of another.

    Attributes:
        shown: how many tables and rows are named in a finding.
    """

    shown: int = 20
    reads: ClassVar[Reads] = "table"
    needs: ClassVar[frozenset[str]] = frozenset({"published"})

    def findings(self, question: Question) -> list[Finding]:
        """One finding about all tables, one about each thing that is wrong with rows."""
        rows = question.frame.fetch(question.frame.table, MOST_ROWS).to_pylist()
        tables = judged_tables(rows)
        if question.suppress > 1:
            question.notes.append(
                "published_ratios: counts are shown as they are published, small ones as well."
            )
        counts = Counter(one.standing for one in tables)
        judged = len(tables) - counts[Standing.EMPTY] - counts[Standing.INTERLEAVED]
        wrong = [one.name for one in tables if one.standing is Standing.CONTRADICTED]
        told = "; ".join(f"{counts[standing]}: {standing.value}" for standing in Standing if counts[standing])
        unknown = sum(one.unknown for one in tables)
        made = [
            self._finding(
                question,
                len(wrong),
                judged,
                f"{len(tables)} tables. {told}. {unknown} people are of unknown category. "
                f"{_named('Contradicted', wrong, self.shown)}",
                "share of judged tables that contradict themselves",
            )
        ]
        printed = sum(1 for row in rows if str(row.get(NAMES[3]) or "NA") != "NA")
        for what, measure, of in _WRONG:
            found = [said.text for one in tables for said in of(one)]
            if found:
                text = f"{len(found)} {what}: {listed(found, self.shown)}."
                made.append(self._finding(question, len(found), printed, text, measure))
        return made

    def _finding(self, question: Question, found: int, of: int, text: str, measure: str) -> Finding:
        from evenhand.stats.proportions import clopper_pearson

        low, high = clopper_pearson(found, of)
        share = found / of if of else None
        return Finding(
            "published_ratios",
            NAMES,
            None,
            None,
            share,
            low,
            high,
            of,
            f"{text} {percent(share)} of {of} ({ends(low, high)}).",
            State.BEYOND if found else State.NOTE,
            measure,
            0.0,
            mend="Ask the auditor for the counts behind the table.",
            command=question.typed("--audits", "published_ratios:shown=10000"),
        )


_WRONG: tuple[tuple[str, str, Callable[[Published], Sequence[Misprint]]], ...] = (
    (
        "printed ratios are above 1, which the rule makes impossible",
        "share of ratios above 1",
        lambda one: one.above_one,
    ),
    (
        "counts contradict the ratio beside them",
        "share of ratios contradicted by counts",
        lambda one: one.contradictions,
    ),
    ("ratios are printed for categories of nobody", "share of ratios of nobody", lambda one: one.of_nobody),
)


def _named(head: str, names: Sequence[str], shown: int) -> str:
    return f"{head}: {listed(names, shown)}." if names else ""


component = PublishedRatios
