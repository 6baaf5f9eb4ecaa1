"""Documents of a task of the LM evaluation harness: its requests as ours, our answers as its results."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand.benchmarks._harness import faulty
from evenhand.benchmarks._harness_switches import code_allowed, network, quiet
from evenhand.errors import BadData, BadOption, listed
from evenhand.records import (
    Completion,
    Continuation,
    Generation,
    GreedyMatch,
    LogProb,
    MatchedLogProb,
    Request,
    Response,
    Until,
)

_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")  # first one counts
_IDLE = frozenset({"top_k", "top_p"})  # of no effect on greedy decoding


@dataclass(frozen=True)
class Item:
    """One document of one task, and what the harness asks about it (`instances`, no answers in them)."""

    task: Any
    number: int
    doc: Any
    instances: tuple[Any, ...]


def items(task: Any) -> list[Item]:
    """Every document of the task with the requests that the harness would make, in its order.

    Raises:
        BadData: the task's templates do not fit its data, or items have no right answer.
    """
    with quiet(), network(False):
        try:
            task.build_all_requests()
        except Exception as error:  # somebody's templates and functions, on somebody's rows
            raise faulty(
                task.config.task, f"{type(error).__name__}: {error}", str(task.DATASET_PATH)
            ) from error
        docs = dict(task.doc_iterator())
    asked: dict[int, list[Any]] = {}
    for instance in task.instances:
        asked.setdefault(instance.doc_id, []).append(instance)
    made = [
        Item(task, number, docs[number], tuple(sorted(found, key=lambda i: i.idx)))
        for number, found in asked.items()
    ]
    if plain_choice(task):
        _check_gold(made)
    return made


def plain_choice(task: Any) -> bool:
    """Whether the harness itself, not a function of the task, says which choice is right."""
    return task.OUTPUT_TYPE == "multiple_choice" and not callable(task.get_config("process_results"))


def gold(item: Item) -> Any:
    """What the harness takes for the right choice: its place, its text, or a list of places."""
    task = item.task
    return task.doc_to_text(item.doc) if task.multiple_input else task.doc_to_target(item.doc)


def _check_gold(found: Sequence[Item]) -> None:
    """Refuse items without a right answer: the harness would count them as wrong, whatever a model says."""
    lost = [f"item {item.number} has {gold(item)!r}" for item in found if not _has_gold(item)]
    if lost:
        task = found[0].task
        raise BadData(
            f"{len(lost)} of {len(found)} items of the task {task.config.task} have no right answer among "
            f"their choices ({listed(lost, 10)}).",
            mend=f"Ask a split with answers, or mend the rows of {task.DATASET_PATH}; items count from 0.",
        )


def _has_gold(item: Item) -> bool:
    right, choices = gold(item), item.task.doc_to_choice(item.doc)
    if isinstance(right, str):
        return right in choices
    places = right if isinstance(right, list) else [right]
    return bool(places) and all(place in range(len(choices)) for place in places)


def ask(item: Item) -> list[Request]:
    """The harness's requests for one document, as ours."""
    return [request for instance in item.instances for request in _asked(instance, _exact(item.task))]


def _exact(task: Any) -> bool:
    """Whether the task may look at greedy matches, which takes more than a likelihood."""
    names = set(task.aggregation())
    own = callable(task.get_config("process_results"))
    return task.OUTPUT_TYPE == "loglikelihood" or own or "exact_match" in names


def _asked(instance: Any, exact: bool) -> list[Request]:
    kind, arguments = instance.request_type, instance.args
    if kind == "loglikelihood":
        context, text = arguments[0], arguments[1]
        kept = context.rstrip()  # spaces before the answer belong to it, as in the harness
        text = context[len(kept) :] + text
        return [GreedyMatch(kept, text) if exact else Continuation(kept, text)]
    if kind == "loglikelihood_rolling":
        return [Continuation("", arguments[0])]
    if kind == "generate_until":
        return [Generation(arguments[0], sampling) for sampling in _samplings(arguments[1], instance.repeats)]
    raise BadOption(f"The task asks for {kind}, which evenhand does not know.", mend="Name another task.")


def _samplings(settings: Mapping[str, Any], repeats: int | None) -> list[Until]:
    """How each draw is made; greedy text is drawn once."""
    rest = dict(settings)
    stop = _marks(rest.pop("until", None))
    lengths = [value for name in _LENGTHS if (value := rest.pop(name, None)) is not None]
    temperature = float(rest.pop("temperature", 0.0))
    sampled = rest.pop("do_sample", temperature > 0) and temperature > 0
    top_p = float(rest.pop("top_p", 1.0)) if sampled else 1.0
    unknown = sorted(set(rest) - (set() if sampled else _IDLE))
    if unknown:
        raise BadOption(
            f"The task generates with {', '.join(unknown)}, which evenhand does not offer.",
            mend="Name another task, or a copy of its YAML file without it.",
        )
    length = int(lengths[0]) if lengths else 256
    if not sampled:
        return [Until(length, stop=stop)]
    return [Until(length, temperature, top_p, draw, stop) for draw in range(repeats or 1)]


def _marks(until: Any) -> tuple[str, ...]:
    """The marks at which a text ends; an empty one ends nothing."""
    return tuple(mark for mark in ([until] if isinstance(until, str) else until or ()) if mark)


def answered(item: Item, answers: Sequence[Response]) -> list[Any]:
    """Copies of the item's instances that hold the answers and what the task's filters made of them."""
    pending = iter(answers)
    exact = _exact(item.task)
    found = []
    for instance in item.instances:
        filled = copy.copy(instance)
        filled.filtered_resps = {}
        own = [next(pending) for _ in _asked(instance, exact)]
        read = [_read(answer, instance) for answer in own]
        filled.resps = read if len(read) > 1 else read * (instance.repeats or 1)
        found.append(filled)
    for ensemble in item.task._filters:
        ensemble.apply(found)
    return found


def _read(answer: Response, instance: Any) -> Any:
    if isinstance(answer, Completion):
        text = answer.text
        for mark in _marks(instance.args[1].get("until")):
            text = text.split(mark)[0]
        return text
    assert isinstance(answer, LogProb | MatchedLogProb)
    if instance.request_type == "loglikelihood_rolling":
        return answer.value
    return answer.value, isinstance(answer, MatchedLogProb) and answer.greedy


def results(item: Item, instances: Sequence[Any]) -> dict[tuple[str, str], Any]:
    """The harness's own per-item results, by metric and filter."""
    with code_allowed(getattr(item.task, "UNSAFE_CODE", False)):
        return {
            (name, ensemble.name): value
            for ensemble in item.task._filters
            for name, value in item.task.process_results(
                item.doc, [i.filtered_resps[ensemble.name] for i in instances]
            ).items()
        }


def number(value: Any) -> float | None:
    """A per-item result as a number; None where it is none, NaN or infinite."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None
