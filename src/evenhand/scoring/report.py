"""What a call of the scoring engine counts while it runs, and the report made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

from evenhand.scoring.probe import Path


@dataclass(frozen=True, slots=True)
class ScoringReport:
    """How the newest call of `Scorer.logprobs` was carried out.

    `path` is ``tree`` where rows ran as packed prefix trees, else ``left`` or ``right`` padding, or ``equal``
    (batches of one length), and `why` gives the reason. `asked` counts the tokens of all requests run one by
    one, `run` those that were run, including padding. `probe` is the path's disagreement with single rows as
    a share of the spread, None if it was not tested. `head` is the dtype of the language-model head's
    product, `precision` torch's setting for float32 products (``medium`` rounds them to bfloat16). `plan` is
    the digest of the workload.

    `trees` packed trees with `nodes` tokens in total, padding not counted, answered `packed` of the `rows`;
    `packing` gives the reason why rows were packed or not, and `packable` is the number of tokens that would
    have been enough where a property of the model forbids it, else None.

    `groups` common prefixes ran once, and `shared` of the `rows` were read after them; `run`, `forwards` and
    `head_rows` include these. `sharing` gives the reason why prefixes were shared or not, `sharing_probe` the
    disagreement of their test (None if nothing was tested); `repeated` counts the rows that ran their prefix
    again for a reason that lies in the model. `probed` counts the tokens that the tests of trees and of
    prefixes ran.
    """

    path: Path | Literal["tree"]
    why: str
    requests: int = 0
    duplicates: int = 0
    served: int = 0
    rows: int = 0
    asked: int = 0
    run: int = 0
    forwards: int = 0
    head_rows: int = 0
    halvings: int = 0
    batch_tokens: int = 0
    probe: float | None = None
    dtype: str = ""
    head: str = "float32"
    precision: str = "highest"
    plan: str = ""
    packing: str = ""
    trees: int = 0
    nodes: int = 0
    packed: int = 0
    packable: int | None = None
    sharing: str = ""
    groups: int = 0
    shared: int = 0
    repeated: int = 0
    probed: int = 0
    sharing_probe: float | None = None


@dataclass(slots=True)
class Tally:
    """What the routes of one call count; the fields are those of `ScoringReport`."""

    run: int = 0
    forwards: int = 0
    head_rows: int = 0
    halvings: int = 0
    trees: int = 0
    nodes: int = 0
    packed: int = 0
    groups: int = 0
    shared: int = 0
    probed: int = 0


_SUMS = {field.name for field in fields(Tally)} | {
    "requests", "duplicates", "served", "rows", "asked", "repeated",
}  # fmt: skip


def combined(reports: Sequence[ScoringReport]) -> ScoringReport:
    """One report of calls, one or more, that were shares of one call: what is counted is added up.

    The path and the reasons are those of the first share whose path is not that of all, else of the first.
    """
    odd = [report for report in reports if report.path != reports[0].path]
    packable = [report.packable for report in reports if report.packable is not None]
    probes = [report.probe for report in reports if report.probe is not None]
    return replace(
        (odd or list(reports))[0],
        packable=sum(packable) if packable else None,
        probe=max(probes) if probes else None,
        batch_tokens=min(report.batch_tokens for report in reports),
        **{name: sum(getattr(report, name) for report in reports) for name in _SUMS},
    )
