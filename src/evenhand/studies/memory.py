"""The memory that a verb takes, known before the model's weights are read: for `plan`, and before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from evenhand import registry
from evenhand.errors import BadData, EvenhandError
from evenhand.folders import cache_folder
from evenhand.opening import require_hf, split_additions
from evenhand.records import TrainingExample
from evenhand.studies.forecast import EPOCHS
from evenhand.studies.options import RunOptions
from evenhand.studies.shift import at_most
from evenhand.training.stacking import Stack

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from evenhand.models.footprint import Job
    from evenhand.models.layout import Layout
    from evenhand.models.loading import Described
    from evenhand.models.stage import Stage


@dataclass(frozen=True)
class Asking:
    """What a verb does: it `measures`, and where there is a `method` fits that, on blocks that the `locator`
    ranks; a locator without a method locates. `examples` are what is fitted on. A verdict also `compares`
    what its models expect next, and measures each of them on so many `rows`.
    """

    measures: bool = False
    method: Any = None
    locator: str | None = None
    examples: Sequence[TrainingExample] = ()
    rows: int = 0
    compares: bool = False

    @property
    def methods(self) -> tuple[Any, ...]:
        """The methods that are fitted, in order."""
        if self.method is None:
            return ()
        return self.method.methods if isinstance(self.method, Stack) else (self.method,)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a plan says of memory, in bytes: the `parts` at the `peak` and their `total`.

    `needed` has to be free before the model is opened, and `held` of it even with batches of one row; `free`
    is what is there, None where the system does not say. `places` are the weights by where they go. `ways`
    are what to type where it does not fit, and `unknown` the methods and the locator that are not in it.
    """

    parts: Mapping[str, int]
    peak: str
    total: int
    needed: int
    held: int
    free: int | None
    places: Mapping[str, int]
    ways: Mapping[str, int]
    unknown: tuple[str, ...] = ()

    @property
    def fits(self) -> bool | None:
        """Whether what is needed is free; None where the system does not say what is."""
        return None if self.free is None else self.needed <= self.free


@dataclass(frozen=True)
class _Unread:
    """A model without weights, as far as a method or a locator looks at it to say what it takes."""

    module: Any
    tokenizer: Any
    layout: Layout
    spec: Any
    batch_tokens: int


def check(uri: str, options: RunOptions, asked: Asking) -> None:
    """Refuse what cannot fit into memory, before the model's weights are read; a tight fit is logged.

    A model of the lab, one that is placed over several devices, and one that is not described on this machine
    are left to the check when they are opened.

    Raises:
        OutOfMemory: the weights and what training holds beside them need more than is free.
        EvenhandError: the method or the locator refuses the model, as it would when it is fitted.
    """
    if uri.partition(":")[0] != "hf" or not (asked.method or asked.locator):
        return
    try:
        found = _described(uri, options)
    except EvenhandError:
        return  # opening it says what is wrong
    if found.module is None or found.place is not None:
        return
    from evenhand.models.room import check_room

    check_room(uri, found.module, _job(uri, found, options, asked)[0])


def estimated(uri: str, options: RunOptions, asked: Asking) -> Memory | str:
    """What `asked` takes of the memory, or a sentence on why that is not known; no weights are read.

    Raises:
        EvenhandError: the method or the locator refuses the model, as it would when it is fitted.
    """
    try:
        found = _described(uri, options)
    except EvenhandError as error:
        return error.what
    if found.module is None:
        return f"The weights of {uri} are stored quantised."
    from evenhand.models.footprint import footprint
    from evenhand.models.placing import shares
    from evenhand.models.room import free_bytes, ways

    job, unknown = _job(uri, found, options, asked)
    sized, free = footprint(found.module, job), free_bytes()
    helps = ways(found.module, job, free) if free is not None and sized.needed > free else {}
    return Memory(
        dict(sized.parts),
        sized.peak,
        sized.total,
        sized.needed,
        sized.held,
        free,
        shares(found.module, found.place),
        helps,
        unknown,
    )


def taken(uri: str, options: RunOptions, method: Any, locator: str) -> int | None:
    """The bytes of main memory that a verdict on `method` takes at the most, the program included.

    None where nobody knows, where the model is placed on a graphics card, and where the method refuses it.
    """
    try:
        found = estimated(uri, options, Asking(True, method, locator, compares=True))
    except EvenhandError:
        return None  # the work says what is wrong
    if isinstance(found, str) or found.unknown or any("cuda" in place for place in found.places):
        return None
    return found.total


def _described(uri: str, options: RunOptions) -> Described:
    """The model without its weights.

    Raises:
        EvenhandError: there is no torch, or it is not described on this machine.
    """
    scheme, _, rest = uri.partition(":")
    base, _ = split_additions(rest)
    if scheme == "lab":
        from evenhand.lab import parse

        place = cache_folder() / parse(base).name
        if not (place / "config.json").is_file():
            raise BadData(f"{uri} was not made yet.", mend=f"evenhand measure {uri} makes it.")
        base = str(place)
    elif scheme != "hf":
        raise BadData(f"The memory of {uri} is not known.", mend="Name a model of transformers, hf:...")
    require_hf(f"Opening {uri}")
    from evenhand.models.loading import described

    return described(base, dtype=options.dtype)


def _job(uri: str, found: Described, options: RunOptions, asked: Asking) -> tuple[Job, tuple[str, ...]]:
    """What is to be done with the model, and the methods and the locator that do not say what they take."""
    from evenhand.models import room

    on_disk = found.place is not None and found.place.device_map == "disk"
    job = replace(room.job(options.batch_tokens), disk=on_disk, copied=found.copied, measures=asked.measures)
    if asked.compares and found.module is not None:
        contexts, texts = at_most(int(found.config.get_text_config().vocab_size))
        job = replace(job, contexts=contexts, texts=texts)
    counted = _Counted.of(found.tokenizer, [example for example in asked.examples if not example.keep])
    if found.kind == "causal":  # others run whole rows
        job = replace(job, kept=counted.distinct, again=round(asked.rows * counted.row))
    each = counted.each
    unread = _unread(uri, found, job.batch_tokens)
    locators = []
    if asked.locator is not None and (asked.method is None or asked.method.wants_sites):
        locators.append(registry.create("locator", asked.locator))
    located = [(one, _stages(unread, one, asked.examples, each)) for one in locators]
    fitted = [(one, _stages(unread, one, asked.examples, each)) for one in asked.methods]
    unknown = tuple(_name(one) for one, said in (*fitted, *located) if said is None)
    job = replace(
        job,
        locating=tuple(stage for _, said in located for stage in said or ()),
        fitting=tuple(stage for _, said in fitted for stage in said or ()),
    )
    nothing = not (asked.measures or job.locating or job.fitting)
    return (replace(job, measures=True) if nothing else job), unknown


def _name(component: Any) -> str:
    """The name of a component by its module: ``lftf``."""
    return type(component).__module__.rpartition(".")[2]


def _unread(uri: str, found: Described, batch_tokens: int) -> _Unread | None:
    """The model as a method or a locator may look at it; None where its blocks are not known."""
    from evenhand.models.shape import layout_of

    layout = layout_of(found.module) if found.module is not None else None
    if layout is None:
        return None
    spec = SimpleNamespace(uri=uri, family=found.kind)
    return _Unread(found.module, found.tokenizer, layout, spec, batch_tokens)


def _stages(
    model: _Unread | None, component: Any, examples: Sequence[TrainingExample], each: float
) -> tuple[Stage, ...] | None:
    """What a method or a locator says that it takes of the model, an example having so many tokens on
    average (0: not known); None where it says nothing. One that refuses the model does so here.
    """
    says = getattr(component, "stages", None)
    if model is None or says is None:
        return None
    try:
        found: Sequence[Stage] = says(model, [e for e in examples if isinstance(e, component.fits_on)])
    except BadData:
        return None  # a text is too long for it: the work may not take that one, and refuses it itself
    number = sum(1 for example in examples if not example.keep)
    batches = -(-number // (getattr(component, "batch", None) or number or 1))
    steps = max(1, batches * (getattr(component, "epochs", None) or EPOCHS))
    return tuple(
        replace(one, steps=one.steps or steps, tokens=round(one.rows * each))
        if one.backward and one.tokens is None and each
        else replace(one, steps=one.steps or steps)
        for one in found
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """Tokens: of an example on average, of a row, and of all examples, common beginnings counted once; 0
    without examples.
    """

    each: float
    row: float
    distinct: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, examples: Sequence[TrainingExample]) -> _Counted:
        from evenhand.scoring.kept import Nodes

        whole, total, rows = Nodes(), 0, 0
        for example in examples:
            own, texts = Nodes(), [f"{one.context}{one.text}" for one in example.requests()]
            for ids in tokenizer(texts).input_ids:
                own.add(ids)
                whole.add(ids)
            total, rows = total + len(own), rows + len(texts)
        return cls(total / max(1, len(examples)), total / max(1, rows), len(whole))
