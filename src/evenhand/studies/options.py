"""The options of the verbs, as records and as keywords, and the check of their values.

Everything is checked when a record is made, before a model is opened. No slow module is imported.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, TypeVar, get_args

from evenhand.errors import BadOption, UnknownName, UsageError
from evenhand.opening import opened
from evenhand.registry import LARGEST_SEED, spec_texts

if TYPE_CHECKING:
    from evenhand.models import Model

METHOD, LOCATOR = "lftf", "bmi"  # the mitigation and the locator where none is named
Extent = Literal["standard", "full", "reduced", "none"]
Specs = str | Sequence[str]


@dataclass(frozen=True)
class RunOptions:
    """The options of every run.

    Attributes:
        seed: decides every random choice; from 0 to 4294967295.
        limit: largest number of items of each benchmark, 1 or more; the result is marked as not reportable.
        out: the folder of the run; None for one named after what is run.
        batch_tokens: token budget of a batch, 1 or more; None for the device's default.
        dtype: such as ``float32``; None for the checkpoint's own, or float32 where the device is slow at it.

    Raises:
        BadOption: an invalid value.
    """

    seed: int = 0
    limit: int | None = None
    out: Path | None = None
    batch_tokens: int | None = None
    dtype: str | None = None

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, 0, LARGEST_SEED)
        for name in ("limit", "batch_tokens"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), 1)
        if self.out is not None:
            object.__setattr__(self, "out", folder(self.out))
        if not isinstance(self.dtype, str | None):
            raise BadOption(
                f"dtype={self.dtype!r} is not valid.", mend="Write 'float32', 'bfloat16' or 'float16'."
            )

    def opened(self, uri: str) -> AbstractContextManager[Model]:
        """The model `uri`, until the work is done with it: what was put on it is then off again, also after
        errors.

        Raises:
            EvenhandError: it cannot be opened.
        """
        return opened(uri, dtype=self.dtype, batch_tokens=self.batch_tokens)


@dataclass(frozen=True)
class VerifyOptions(RunOptions):
    """The options of a verification.

    Attributes:
        benchmarks: bias benchmarks, empty for those that suit the model; the first one that has examples
            that the mitigation fits on also trains it.
        capability: capability benchmarks; empty for those that suit the model.
        locator: the locator that chooses the block.
        control: how many control models: ``standard`` (6, 9 or 13 of each family, as many as decide it),
            ``full`` (the same of more families), ``reduced`` (6 of each, whatever they show), ``none``.
        margin: largest harmless loss of accuracy, in [0, 1] (0.01 is one point).
        budget: minutes after which no further control model is begun, above 0; None for no limit.
        seeds: how many treated models are fitted, with `seed` and the seeds after it; a method gets the
            weakest of their verdicts.
        primary: the metric that the verdict is about, any with an ideal that a bias benchmark reports; None
            for the primary one of the benchmark that trains the mitigation.

    Raises:
        BadOption: an invalid value.
        UsageError: a text is not a list of components.
    """

    benchmarks: tuple[str, ...] = ()
    capability: tuple[str, ...] = ()
    locator: str = LOCATOR
    control: Extent = "standard"
    margin: float = 0.01
    primary: str | None = None
    budget: float | None = None
    seeds: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("seeds", self.seeds, 1, LARGEST_SEED + 1 - self.seed)
        for name in ("benchmarks", "capability"):
            object.__setattr__(self, name, spec_texts(getattr(self, name)))
        if self.control not in get_args(Extent):
            raise BadOption(
                f"control={self.control!r} is not an extent of the control.",
                mend=f"Write one of {', '.join(get_args(Extent))}.",
            )
        if not (_is_number(self.margin) and 0 <= self.margin <= 1):
            raise BadOption(
                f"margin={self.margin!r} is not a share of the questions.",
                mend="Write a number from 0 to 1, such as 0.01 for one point of accuracy.",
            )
        if self.budget is not None and not (_is_number(self.budget) and self.budget > 0):
            raise BadOption(
                f"budget={self.budget!r} is not a time.", mend="Write minutes above 0, such as 20."
            )
        if not isinstance(self.primary, str | None):
            raise BadOption(f"primary={self.primary!r} is not a metric.", mend="Give a name such as 'dpd'.")


class MeasureKeywords(TypedDict, total=False):
    """The keywords of `measure`: the fields of `RunOptions`."""

    seed: int
    limit: int | None
    out: Path | str | None
    batch_tokens: int | None
    dtype: str | None


class LocateKeywords(TypedDict, total=False):
    """The keywords of `locate`: fields of `VerifyOptions`."""

    seed: int
    batch_tokens: int | None
    dtype: str | None
    benchmarks: Specs


class MitigateKeywords(LocateKeywords, total=False):
    """The keywords of `mitigate`: fields of `VerifyOptions`."""

    locator: str


class PlanKeywords(TypedDict, total=False):
    """The keywords of `plan`: fields of `VerifyOptions`."""

    limit: int | None
    benchmarks: Specs
    capability: Specs
    control: Extent
    primary: str | None
    seeds: int


class VerifyKeywords(MeasureKeywords, total=False):
    """The keywords of `verify`: all fields of `VerifyOptions`."""

    benchmarks: Specs
    capability: Specs
    locator: str
    control: Extent
    margin: float
    primary: str | None
    budget: float | None
    seeds: int


O = TypeVar("O", bound=RunOptions)  # noqa: E741


def model_name(uri: object) -> str:
    """`uri`, if it is a text.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(uri, str):
        raise UsageError(f"{uri!r} is not the name of a model.", mend="Give a text such as 'lab:causal'.")
    return uri


def folder(out: object) -> Path:
    """`out` as a path.

    Raises:
        BadOption: it is neither a text nor a path, or an empty text, which would be the current folder.
    """
    if not isinstance(out, str | Path) or not str(out):
        raise BadOption(f"out={out!r} is not a folder.", mend="Give its name, such as 'results'.")
    return Path(out)


def combined(
    kind: type[O], options: O | None, given: Mapping[str, object], allowed: type, *, own: Sequence[str] = ()
) -> O:
    """The options record of a verb that was called with `options`, with keywords, or with both.

    `own` holds further keywords of the verb, for the message about a misspelt keyword.

    Raises:
        UnknownName: a keyword that is not one of `allowed`; near names are listed.
        UsageError: a keyword and the record contradict each other, or `options` is not such a record.
        BadOption: an invalid value.
    """
    known = allowed.__annotations__
    if not isinstance(options, kind | None):
        raise UsageError(
            f"{options!r} are not the options of this verb.",
            mend=f"Give evenhand.{kind.__name__}(...), or its fields as keywords, such as seed=1.",
        )
    for name in given:
        if name not in known:
            raise UnknownName("keyword", name, [*known, *own])
    asked = kind(**given)  # type: ignore[arg-type]
    if options is None:
        return asked
    for field in dataclasses.fields(kind):
        old, new = getattr(options, field.name), getattr(asked, field.name)
        if field.name in given and old not in (field.default, new):
            raise UsageError(
                f"The options say {field.name}={old!r}, and the keyword says {field.name}={new!r}.",
                mend="Leave one of the two away.",
            )
    return dataclasses.replace(options, **{name: getattr(asked, name) for name in given})


def check_whole(name: str, value: object, least: int, most: float = math.inf) -> None:
    """Nothing, if an option is a whole number from `least` to `most`.

    Raises:
        BadOption: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= most:
        ends = f"of at least {least}" if math.isinf(most) else f"from {least} to {int(most)}"
        raise BadOption(f"{name}={value!r} is not valid.", mend=f"Write a whole number {ends}.")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
