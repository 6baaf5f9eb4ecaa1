"""Whether a repair fits a data set, by counts alone: asked before one is written or advised."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from evenhand import registry
from evenhand.audits import Question, TextQuestion
from evenhand.errors import UsageError
from evenhand.records import Finding
from evenhand.repairs import Repair
from evenhand.studies.suppressing import check_alike, suppressed

_REPAIR = "--repair"


def fitting(question: Question | TextQuestion, spec: str) -> Repair:
    """The repair that a spec names.

    Raises:
        UnknownName: there is no such repair.
        UsageError: the repair does not fit the data set, or tells of groups that may not be shown, or that
            may not be any more.
    """
    made: Repair = registry.create("repair", spec)
    reads = "table" if isinstance(question, Question) else "texts"
    if made.reads not in (reads, "both"):
        raise UsageError(
            f"The repair {spec} is for {made.reads}, not for {reads}.", mend="`evenhand ls repairs`"
        )
    if "target" in made.needs and not getattr(question, "target", ""):
        raise UsageError(f"The repair {spec} needs a target.", mend="Add --target with the column of labels.")
    _check_shown(question, spec, made)
    made.check(question)
    if "rows left" in made.needs and isinstance(question, Question) and question.suppress > 1:
        check_alike(question, _left(question, spec, made))
    return made


def _left(question: Question, spec: str, made: Repair) -> Question:
    """The question about what the repair would leave, without the groups that are too small in it.

    Raises:
        UsageError: no group is large enough.
    """
    frame = question.written.having(made.repaired(question).table)
    try:
        return suppressed(replace(question, frame=frame, whole=None, hidden={}, notes=[]))
    except UsageError as error:
        raise UsageError(f"After {spec}: {error.what}", mend=error.mend) from None


def _check_shown(question: Question | TextQuestion, spec: str, made: Repair) -> None:
    """Refuse what depends on groups that may not be shown: the audit after it would tell of them."""
    if "all groups" in made.needs and question.withheld:
        what = f"groups that are not shown ({', '.join(question.withheld)})"
    elif "intersection" in made.needs and isinstance(question, Question) and not question.crossed:
        what = f"the groups of {'*'.join(question.sensitive)}, which are not shown"
    else:
        return
    table = isinstance(question, Question)
    mend = ", or join small groups: with --bins age=30|50, or other columns" if table else ""
    raise UsageError(
        f"What {spec} writes depends on {what}, and what is told of it would tell how large they are.",
        mend=f"Leave out --suppress{mend}.",
    )


def advised(question: Question | TextQuestion, findings: Iterable[Finding]) -> list[Finding]:
    """The findings; those that advise a repair which is refused say why, and name the audit instead."""
    known: dict[str, str] = {}
    return [_advised(question, one, known) for one in findings]


def _advised(question: Question | TextQuestion, one: Finding, known: dict[str, str]) -> Finding:
    words: list[Any] = shlex.split(one.command) if _REPAIR in one.command else []
    if _REPAIR not in words[:-1]:
        return one
    spec = words[words.index(_REPAIR) + 1]
    if spec not in known:
        known[spec] = _refusal(question, spec)
    if not known[spec]:
        return one
    told = f"{one.mend} {_REPAIR} {spec} is refused here: {known[spec]}".strip()
    return replace(one, command=question.typed("--audits", one.name), mend=told)


def _refusal(question: Question | TextQuestion, spec: str) -> str:
    try:
        fitting(question, spec)
    except UsageError as error:
        return error.what
    return ""
