"""Control models made by other processes: at every look each family by another one.

Where the next model of a family stands depends on those before it, so a family is made in turn; the families
are independent. What is measured is stored in the folder of the run, under the keys of this process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evenhand.benchmarks import Benchmark
from evenhand.errors import BadModel, UsageError
from evenhand.mitigations import Mitigation
from evenhand.models import gives_weights
from evenhand.opening import opened
from evenhand.records import TrainingExample
from evenhand.studies.again import is_verification
from evenhand.studies.cells import Cells
from evenhand.studies.control import LossScale
from evenhand.studies.controlling import Controlling, Maker
from evenhand.studies.forecast import Clock
from evenhand.studies.looks import Reached, Search
from evenhand.studies.margins import Margins
from evenhand.studies.matching import Target
from evenhand.studies.memory import taken
from evenhand.studies.options import Extent, VerifyOptions
from evenhand.studies.pairing import ModelMeasurements
from evenhand.studies.shift import Context, Shift
from evenhand.studies.store import Store
from evenhand.workers import Piece, Workers

if TYPE_CHECKING:
    from evenhand.treatments import Treatment


@dataclass(frozen=True)
class Family:
    """What another process needs to make control models of one family until there are `number`.

    The model is opened by its `uri`, and `asked` and `terms` are those of its `Shift`, None where no size can
    be measured. The rest is as in `Maker` and `Search`: losses are read anew beside `before`. `so_far` is
    what was made; so many `minutes` are left for control models, None for no end.
    """

    uri: str
    dtype: str | None
    batch_tokens: int | None
    folder: Path
    seed: int
    limit: int | None
    treatment: Treatment
    examples: Sequence[TrainingExample]
    bias: Sequence[Benchmark]
    capability: Sequence[Benchmark]
    extent: Extent
    asked: Sequence[Context] | None
    terms: Sequence[str]
    before: ModelMeasurements
    margins: Margins
    draws: int
    target: Target
    minutes: float | None
    name: str
    number: int
    so_far: Reached


@dataclass(frozen=True)
class Apart:
    """Who makes control models, how they open the model, and the bytes of memory that it takes, if known."""

    workers: Workers = field(repr=False)
    uri: str
    dtype: str | None
    batch_tokens: int | None
    memory: int | None = None

    def reach(
        self, asked: Controlling, searches: Sequence[Search], number: int, done: Callable[[int], None]
    ) -> None:
        """Make models of each family until there are `number`, as `evenhand.studies.looks.in_turn`.

        Raises:
            EvenhandError: a process could not make them; what the others made is stored.
        """
        open_ones = {search.name: search for search in searches if search.wants(number)}
        for name, search in open_ones.items():
            said = f"the control models {name}"
            family = self._family(asked, search, number)
            self.workers.begin(Piece(name, said, made, (family,), self.memory))
        failed: Exception | None = None
        for _ in open_ones:
            ended = self.workers.ended()
            if ended.error is not None:
                failed = failed or ended.error
                continue
            search = open_ones[str(ended.key)]
            before = len(search.models)
            search.take_up(ended.value)
            done(len(search.models) - before)
        if failed is not None:
            raise failed

    def _family(self, asked: Controlling, search: Search, number: int) -> Family:
        maker, case = asked.maker, asked.case
        cells, shift = maker.cells, maker.shift
        return Family(
            self.uri,
            self.dtype,
            self.batch_tokens,
            cells.store.folder,
            cells.seed,
            cells.limit,
            maker.treatment,
            maker.examples,
            maker.bias,
            maker.capability,
            maker.extent,
            None if shift is None else shift.asked,
            () if shift is None else shift.terms,
            case.before,
            case.margins,
            case.seed,
            search.target,
            asked.clock.left(),
            search.name,
            number,
            search.reached(),
        )


def apart_by(workers: Workers, uri: str, options: VerifyOptions, method: Mitigation | None) -> Apart:
    """The `workers`, for control models of `method`; None is a model that somebody else treated."""
    memory = None if method is None else taken(uri, options, method, options.locator)
    return Apart(workers, uri, options.dtype, options.batch_tokens, memory)


def check_on(uri: str, on: str | None, options: VerifyOptions) -> None:
    """Refuse other processes where no control model is made.

    Raises:
        UsageError: `uri` is a stored run, or the options ask for none.
    """
    stored = is_verification(uri)
    if on is not None and (stored or options.control == "none"):
        why = "a stored run is judged again without a model" if stored else "no control model is asked for"
        raise UsageError(f"on={on!r} would have no effect: {why}.", mend="Leave --on away.")


def made(family: Family) -> Reached:
    """The models of a family, made in this process.

    Raises:
        EvenhandError: the model cannot be opened or measured.
    """
    with opened(family.uri, dtype=family.dtype, batch_tokens=family.batch_tokens) as model:
        if not gives_weights(model):
            raise BadModel(f"{family.uri} gives no weights.", mend="Leave --on away.")
        maker = Maker(
            model,
            Cells(model, Store(family.folder), family.seed, family.limit),
            family.treatment,
            family.examples,
            family.bias,
            family.capability,
            family.extent,
            None if family.asked is None else Shift(model, family.asked, family.terms),
        )
        recipe = next(one for one in maker.recipes()[0] if one.family == family.name)
        losses = LossScale(family.before, family.margins, family.draws)
        search = maker.search(recipe, family.target, losses, Clock(family.minutes))
        search.take_up(family.so_far)
        search.reach(family.number, lambda amount: None)
        return search.reached()
