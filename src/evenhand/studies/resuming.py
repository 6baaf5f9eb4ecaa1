"""Resumable fits: where a study keeps their checkpoints, and the stored treatment that results."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.errors import UsageError
from evenhand.folders import check_replaceable, remove_written, replace_folder, settle
from evenhand.mitigations import Mitigation

if TYPE_CHECKING:
    from evenhand.treatments import Treatment

CHECKPOINT = "checkpoint"  # the kind of folder that such a method replaces after every step
UNFINISHED_SUFFIX = ".unfinished"  # ends the name of the folder of checkpoints next to a treatment's folder
TREATMENT, UNFINISHED, KEY = "treatment", "unfinished", "key.txt"


@contextlib.contextmanager
def resumable(method: Mitigation, folder: Path) -> Iterator[Mitigation]:
    """The method, set to keep checkpoints in `folder` if it supports it (see `Mitigation`) and none is set.

    When the block ends without an error the fit has been saved, and the checkpoints are removed.
    """
    if getattr(method, "resume", None) != "":
        yield method
        return
    told: Any = replace(method, resume=str(folder))  # type: ignore[type-var]
    yield told
    remove_written(folder, kind=CHECKPOINT)


def check_treatment_of(run: Path) -> None:
    """Refuse, before any work, a run whose folder ``treatment`` must not be replaced.

    A treatment with a key may be reused as it is; it is checked again if it is not reused.

    Raises:
        BadData: the folder must not be replaced; see `check_replaceable`.
    """
    settle(run / TREATMENT)
    if not (run / TREATMENT / KEY).is_file():
        check_replaceable(run / TREATMENT)


def kept_treatment(
    run: Path, key: str, method: Mitigation, fit: Callable[[Mitigation], Treatment]
) -> Treatment:
    """The treatment stored in the run's folder under `key`, else the result of `fit`, stored under that key.

    Raises:
        BadData: a treatment must be replaced, but its files were changed or added to.
    """
    from evenhand.treatments import KIND, load

    folder = run / TREATMENT
    settle(folder)
    if (folder / KEY).is_file() and (folder / KEY).read_text(encoding="utf-8") == key:
        with contextlib.suppress(UsageError):
            treatment = load(folder)
            remove_written(run / UNFINISHED, kind=CHECKPOINT)
            return treatment
    check_replaceable(folder)
    with resumable(method, run / UNFINISHED) as told:
        treatment = fit(told)
        with replace_folder(folder, kind=KIND) as new:
            treatment.save(new)
            (new / KEY).write_text(key, encoding="utf-8")
    return treatment
