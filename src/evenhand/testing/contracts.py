"""What a contract is, and how it is tried: a function of one subject that raises where it is not kept."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evenhand import registry
from evenhand.errors import EvenhandError


class NotTried(Exception):
    """A contract has nothing to judge here; the text says why, after "skipped because"."""


class NoCase(NotTried):
    """A contract has nothing to judge because no case gives it."""


CASE, SLOW = "--case module:NAME", "--slow"
"""The arguments of ``python -m evenhand.testing`` that let a skipped contract run."""


@dataclass(frozen=True)
class Subject:
    """What a contract is tried on.

    Attributes:
        kind: ``benchmark``, ``metric``, ``locator``, ``mitigation``, ``control`` or ``model``.
        spec: the component with its options, or the model's name.
        case: what the component says of itself for the contracts; None where it has no case.
    """

    kind: str
    spec: str
    case: Any | None = None

    @property
    def name(self) -> str:
        """The component's name, without options."""
        return self.spec.partition(":")[0]

    def make(self) -> Any:
        """The component, built from its spec."""
        return registry.create(self.kind, self.spec)

    def needed(self, what: str) -> Any:
        """The case.

        Raises:
            NoCase: there is none; `what` says what it would have to give.
        """
        if self.case is None:
            raise NoCase(f"no case gives {what}")
        return self.case


Contract = Callable[[Subject], None]
Status = Literal["passed", "failed", "skipped"]


def expect(holds: object, reason: str) -> None:
    """Fail with `reason` unless `holds` is true; unlike an assert statement also under ``python -O``.

    Raises:
        AssertionError: `holds` is false.
    """
    if not holds:
        raise AssertionError(reason)


def expect_near(
    found: float | None, wanted: float | None, what: str, *, rel: float = 1e-6, tolerance: float = 1e-12
) -> None:
    """Fail unless the two differ by at most `tolerance` or `rel` times the wanted one; None equals only None.

    Raises:
        AssertionError: they differ by more, or one of them is undefined.
    """
    if found is None or wanted is None:
        expect(found is wanted, f"{what} is {found}, not {wanted}")
        return
    near = math.isclose(found, wanted, rel_tol=0, abs_tol=max(rel * abs(wanted), tolerance))
    expect(near, f"{what} is {found!r}, not {wanted!r}")


def raised(kind: type[Exception], call: Callable[[], object], what: str) -> str:
    """The message of the error of `kind` that `call` must raise.

    Raises:
        AssertionError: it raises none, or another one.
    """
    try:
        call()
    except kind as error:
        return str(error)
    except Exception as error:
        raise AssertionError(
            f"{what} raised {type(error).__name__} ({error}), not {kind.__name__}"
        ) from error
    raise AssertionError(f"{what} did not raise {kind.__name__}")


@dataclass(frozen=True)
class Outcome:
    """How one contract ended: its name, and for a failed or skipped one the reason.

    `asks` is the argument that lets a skipped one run; empty where none does, because it does not apply.
    """

    contract: str
    status: Status
    reason: str = ""
    asks: str = ""

    def __str__(self) -> str:
        joined = {"failed": ": ", "skipped": " because "}.get(self.status, "")
        return f"{self.status:<8}{self.contract.replace('_', ' ')}{joined}{self.reason}"


def tried(contract: Contract, subjects: Sequence[Subject]) -> Outcome:
    """Try a contract on each of `subjects`; the first failure counts, and skipped means skipped on all."""
    skipped: list[NotTried] = []
    for subject in subjects:
        try:
            contract(subject)
        except NotTried as why:
            skipped.append(why)
        except Exception as error:
            where = f"with {subject.spec}, " if len(subjects) > 1 else ""
            return Outcome(contract.__name__, "failed", where + _told(error))
    if len(skipped) == len(subjects):
        asks = CASE if any(isinstance(why, NoCase) for why in skipped) else ""
        reason = _joined(map(str, skipped)) or "nothing was given to try it on"
        return Outcome(contract.__name__, "skipped", reason, asks)
    return Outcome(contract.__name__, "passed")


def _told(error: Exception) -> str:
    """An error in one line; an unexpected one with the file and the line that raised it."""
    text = " ".join(str(error).split())
    if isinstance(error, AssertionError) and text:
        return text
    told = f"{type(error).__name__}: {text}"
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, EvenhandError) or not frames:
        return told
    return f"{told} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _joined(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))
