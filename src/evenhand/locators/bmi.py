"""BMI: how much each block changes the direction of the residual stream (LFTF, eq. 4; ShortGPT).

    BMI_i = Agg over prompts s and token rows l of  1 - cos(H_i[s, l], H_{i+1}[s, l])

It contains no information about any attribute: it measures how much a block changes the hidden states, on any
text. Two errors of its public form are avoided. Hooks read each block's own input and output: the last entry
of Hugging Face's ``hidden_states`` is taken after the final norm, so that the naive score of the last block
includes the norm's gain (given in the details, with whether it changes the ranking). And padding rows do not
count, except for a reproduction of the public code.
"""

from __future__ import annotations

import functools
import random as chance
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np

from evenhand.errors import BadModel
from evenhand.influence import Aggregation, aggregate, batch_rows, cosine_distance, robustness
from evenhand.locators._probing import batches, ordered, require_hidden, site_scores
from evenhand.progress import task
from evenhand.records import Ability, Attribution, Example, Kinds, Value, to_json
from evenhand.registry import spec_of

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.influence import Array
    from evenhand.locators import Outcome
    from evenhand.models import OpenModel
    from evenhand.models.stage import Stage

READING = (
    "BMI is not specific to the attribute: it shows how much a block changes the hidden states on these "
    "prompts, not that the bias is located there."
)
RUNS, SAMPLES = 5, 100
"""Robustness as in the paper's table 7: five runs of 100 prompts."""
ROOM = 512
"""Tokens of a packed tree of prompts."""


@dataclass(frozen=True)
class Bmi:
    """Rank blocks by how much they change the direction of the residual stream.

    Attributes:
        agg: ``row_sum`` over all rows of all prompts (only this reaches the size of the paper's figures),
            ``row_mean``, or ``sample_mean`` (each prompt counts once).
        drop_first: leave out each prompt's first row, whose huge norm (attention sink) may dominate.
        include_padding: count padding rows as the public code does; only for reproduction.
    """

    agg: Aggregation = "row_sum"
    drop_first: bool = False
    include_padding: bool = False

    specific: ClassVar[bool] = False
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.HIDDEN})
    fits_on: ClassVar[Kinds] = (Example,)

    def stages(self, model: OpenModel, probes: Sequence[Example]) -> tuple[Stage, ...]:
        """What it takes: of a tree of prompts what every block receives and gives."""
        from evenhand.models.stage import PROBED, Stage

        return (Stage(changed=0, backward=False, rows=0, tokens=PROBED, length=PROBED, states=1),)

    def locate(
        self, model: OpenModel, probes: Sequence[Example], outcome: Outcome | None = None, *, seed: int
    ) -> Attribution:
        """Score every block on the prompts; `outcome` is not used. `seed` draws the robustness runs.

        Raises:
            BadModel: the model gives no hidden states, or a block's score is undefined.
        """
        opened = require_hidden(model, self.needs)
        blocks = opened.layout.blocks()
        rows = _row_distances(opened, probes, self)
        scores = [_defined(aggregate(samples, self.agg), site) for site, samples in rows.own.items()]
        return Attribution(
            locator=spec_of("bmi", self),
            specific=self.specific,
            scores=site_scores(blocks, scores),
            reading=READING,
            claims=False,
            details=self._details(rows, scores, seed),
        )

    def _details(self, rows: RowDistances, scores: Sequence[float], seed: int) -> dict[str, Any]:
        last = list(rows.own)[-1]
        naive = [*scores[:-1], aggregate(rows.naive_last, self.agg)] if rows.naive_last else None
        without_first = [aggregate([r[1:] for r in samples], self.agg) for samples in rows.own.values()]
        return {
            "prompts": len(rows.own[last]),
            "aggregations": {
                agg: [aggregate(samples, agg) for samples in rows.own.values()]
                for agg in get_args(Aggregation)
            },
            "without_first_row": None if self.drop_first else without_first,
            "naive_post_norm": naive,
            "naive_changes_ranking": None if naive is None else _order(naive) != _order(scores),
            "robustness": self._robustness(rows, seed),
        }

    def _robustness(self, rows: RowDistances, seed: int) -> dict[str, Any]:
        n = len(next(iter(rows.own.values())))
        drawn = [chance.Random(seed + run).sample(range(n), min(SAMPLES, n)) for run in range(1, RUNS + 1)]
        table = [  # [runs, blocks]
            [aggregate([samples[i] for i in run], self.agg) for samples in rows.own.values()] for run in drawn
        ]
        stable: dict[str, Any] = to_json(robustness(np.array(table, dtype=np.float64)))
        return stable | {"samples": min(SAMPLES, n)}


@dataclass(frozen=True)
class RowDistances:
    """The cosine distances of each prompt's rows, one array [rows] for each prompt.

    `own` has those of every block's input and output; `naive_last` those of the last block's input and the
    final norm's output, which the naive score takes for the block's own. It is empty for a model that does
    not read from the left: what follows its last block is no final norm.
    """

    own: dict[str, list[Array]]
    naive_last: list[Array]


def _row_distances(model: OpenModel, probes: Sequence[Example], options: Bmi) -> RowDistances:
    from evenhand.scoring.texts import packs

    if model.spec.family != "causal":
        return _asked_distances(model, probes, options)
    padded = options.include_padding or not probes  # padding rows exist in padded batches only
    if padded or not packs(model.module, model.tokenizer, [p.context for p in probes]):
        return _padded_distances(model, probes, options)
    return _packed_distances(model, probes, options)


def _packed_distances(model: OpenModel, probes: Sequence[Example], options: Bmi) -> RowDistances:
    """The distances of prompts packed into prefix trees: a common beginning is computed once."""
    import torch

    from evenhand.hooks import observe
    from evenhand.scoring.forward import evaluating
    from evenhand.scoring.texts import run_trees, trees_of

    blocks = model.layout.blocks()
    texts = trees_of(model.module, model.tokenizer, [p.context for p in ordered(probes)], room=ROOM)
    found: dict[str, list[Array]] = {site: [] for site in (*blocks, "norm")}  # [tokens of a tree] each
    with (
        torch.no_grad(),
        evaluating(model.module),
        observe(model, (*blocks, "norm")) as seen,
        task("locating by BMI", len(texts.trees), unit="batch") as advance,
    ):
        for tree in texts.trees:
            run_trees(model.module, [tree])
            for site in blocks:
                found[site].append(cosine_distance(*(_numpy(state[0]) for state in seen[site])))
            found["norm"].append(cosine_distance(_numpy(seen[blocks[-1]][0][0]), _numpy(seen["norm"][1][0])))
            advance(1)
    first = 1 if options.drop_first else 0
    rows = {
        site: [values[tree][path[first:]] for tree, path in texts.places] for site, values in found.items()
    }
    naive = rows.pop("norm")
    return RowDistances(rows, naive)


def _padded_distances(model: OpenModel, probes: Sequence[Example], options: Bmi) -> RowDistances:
    import torch

    from evenhand.hooks import observe
    from evenhand.scoring.forward import evaluating, run_texts

    blocks = model.layout.blocks()
    own: dict[str, list[Array]] = {site: [] for site in blocks}
    naive: list[Array] = []
    with (
        torch.no_grad(),
        evaluating(model.module),
        observe(model, (*blocks, "norm")) as seen,
        task("locating by BMI", len(probes), unit="prompt") as advance,
    ):
        for batch in batches(probes):
            # The mask is [batch, length], each state [batch, length, width].
            mask = run_texts(model.module, model.tokenizer, [p.context for p in batch], padding="right")
            rows = functools.partial(
                batch_rows,
                mask=mask.cpu().numpy(),
                include_padding=options.include_padding,
                drop_first=options.drop_first,
            )
            for site in blocks:
                own[site] += rows(*(_numpy(state) for state in seen[site]))
            naive += rows(_numpy(seen[blocks[-1]][0]), _numpy(seen["norm"][1]))
            advance(len(batch))
    return RowDistances(own, naive)


def _asked_distances(model: OpenModel, probes: Sequence[Example], options: Bmi) -> RowDistances:
    """The distances of prompts as a masked model or one with a decoder reads them, where a term is to come.

    A block of an encoder has the rows of the source, one of a decoder those that it has written before.
    """
    import torch

    from evenhand.hooks import observe
    from evenhand.scoring.forward import SelectedHead, evaluating
    from evenhand.scoring.terms import Prompts

    blocks = model.layout.blocks()
    own: dict[str, list[Array]] = {site: [] for site in blocks}
    with (
        torch.no_grad(),
        evaluating(model.module),
        observe(model, blocks) as seen,
        task("locating by BMI", len(probes), unit="prompt") as advance,
    ):
        for batch in batches(probes):
            prompts = Prompts(model, batch)
            rows = list(
                {row.seen(len(row.ids)): row for row in map(prompts.opening, range(len(batch)))}.values()
            )
            with SelectedHead(model.module) as head:
                prompts.asking.run(head, rows)
            for site in blocks:
                lengths = [len(row.source if model.layout.encodes(site) else row.ids) for row in rows]
                given, output = map(_numpy, seen[site])  # [rows, longest, width] each
                mask = np.arange(given.shape[1])[None, :] < np.array(lengths)[:, None]
                own[site] += batch_rows(
                    given,
                    output,
                    mask,
                    include_padding=options.include_padding,
                    drop_first=options.drop_first,
                )
            advance(len(batch))
    return RowDistances(own, [])


def _numpy(state: Tensor) -> Array:
    values: Array = state.double().cpu().numpy()
    return values


def _defined(value: Value, site: str) -> float:
    if value is None:
        raise BadModel(
            f"The BMI of {site} is undefined: its hidden states are zero or not finite.",
            mend="Check the model with `evenhand measure` first, or load it with --dtype float32.",
        )
    return value


def _order(values: Sequence[Value]) -> list[int]:
    return sorted(range(len(values)), key=lambda i: -(values[i] or 0.0))


component = Bmi
