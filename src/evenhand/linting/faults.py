"""What is wrong with a published table: a kind, the rows and columns, and the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = {
    "duplicate": "two rows print the same figures",
    "exchanged": "two columns stand under each other's names",
    "precision": "a share that no count of so many people or items gives",
    "contradicted_rate": "a rate that its own count contradicts",
    "count_above_total": "a count above what it is a count of",
    "ratio_above_one": "a ratio to the highest rate that is above 1",
    "contradicted_ratio": "an impact ratio that neither its counts nor its rates give",
    "ratio_of_nobody": "a ratio of a group of nobody",
    "dpd_above_deo": "a demographic parity difference above the equalized odds difference",
    "icat": "an ICAT that its LMS and SS contradict",
    "difference": "a printed change that the figures contradict",
    "mean": "a mean that its parts contradict",
    "total": "a total that its parts contradict",
    "interval": "an interval that is upside down or leaves out its own figure",
    "out_of_range": "a figure that its definition does not allow",
}
"""Every kind of fault, and what it is."""


@dataclass(frozen=True)
class Fault:
    """One thing that cannot be right.

    Attributes:
        kind: one of `KINDS`.
        rows: the rows it is about, counted from 1 below the header; empty where it is about whole columns.
        columns: the columns it is about, by their names in the table.
        why: the arithmetic in one or two sentences.
    """

    kind: str
    rows: tuple[int, ...]
    columns: tuple[str, ...]
    why: str
