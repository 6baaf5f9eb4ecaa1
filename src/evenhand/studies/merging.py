"""Writing a treated model as a plain one: what is refused before any work, and the writing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evenhand.errors import BadModel, UsageError
from evenhand.files import real_path
from evenhand.mitigations import Mitigation
from evenhand.models import Model
from evenhand.outputs import check_treatment_folder
from evenhand.records import Ability
from evenhand.training.stacking import Stack

if TYPE_CHECKING:
    from evenhand.treatments import Treatment


def check_merging(merged: Path, out: Path, method: Mitigation, said: str) -> Path:
    """The folder for the plain model, after what can be refused before any work.

    Raises:
        UsageError: it is that of the treatment, `out`, or may not be replaced.
        BadModel: `method`, whose spec is `said`, changes no weights.
    """
    if real_path(merged) == real_path(out):
        raise UsageError(
            f"{merged} is the folder of the treatment, too.", mend="Name another folder for the merged model."
        )
    check_treatment_folder(merged)
    methods = method.methods if isinstance(method, Stack) else (method,)
    # A projection asks for hidden states, and changes weights where it is folded into the head.
    if not all(Ability.WEIGHTS in one.needs or getattr(one, "fold", False) for one in methods):
        raise BadModel(
            f"{said} changes what is asked or answered, not the weights alone, so it cannot be merged.",
            mend="Leave --merge away and use the treatment as URI+FOLDER.",
        )
    return merged


def merge_treated(model: Model, treatment: Treatment | None, out: Path) -> None:
    """Write `model` with the treatment, or as it is without one, as a plain model into `out`.

    Raises:
        EvenhandError: as for `evenhand.treatments.merge`.
    """
    from evenhand.treatments import merge  # needs torch

    if treatment is None:
        merge(model, out)
        return
    with treatment.applied(model) as treated:
        merge(treated, out)
