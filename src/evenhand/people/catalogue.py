"""Tasks by name: ``lab``, ``adult``, or a TOML file of the user's."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from evenhand.errors import BadOption, UnknownName
from evenhand.people import adult, tables
from evenhand.people.population import Population, gather
from evenhand.people.task import DecisionTask

BUILT_IN = ("adult", "lab")
LAB_PEOPLE = 16_000  # of 16 384 contents this draws about 10 200, of which the test part has 2500


def population(
    name: str,
    *,
    attribute: str = "",
    labels: str = "",
    bins: str = "",
    leaky: bool = False,
    seed: int = 0,
) -> Population:
    """The people of the task `name`.

    `attribute` names another sensitive column, or several joined by ``*``; `labels` other label words, the
    unfavourable one first, separated by ``|``; `bins` the borders that make groups of an attribute that is a
    number, as in ``25|40|60``; `leaky` adds the columns that reveal the attribute (Adult's marital
    status and relationship); `seed` makes the lab's people.

    Raises:
        UnknownName: no such task, or the table lacks a column.
        BadOption: `leaky` for a task without such columns, or label words or bins that do not work.
        BadData: the data are not on this machine or cannot be used.
    """
    if leaky and name != "adult":
        raise BadOption(
            "leaky=true is for task=adult alone.", mend="Leave it out, or write it into the template."
        )
    if name in BUILT_IN:
        return _built_in(name, _changes(attribute, labels, bins), leaky, seed)
    if is_file(name):  # read anew each time, since its owner may have changed it
        return tables.from_file(
            Path(name).expanduser(), **_as_written(dict(_changes(attribute, labels, bins)))
        )
    raise UnknownName("decision task", name, BUILT_IN, mend="Or write task=FILE.toml.")


def is_file(name: str) -> bool:
    """Whether `name` names a task file rather than a built-in task."""
    return name.endswith(".toml")


@lru_cache(maxsize=8)
def _built_in(name: str, changed: tuple[tuple[str, Any], ...], leaky: bool, seed: int) -> Population:
    changes = dict(changed)
    if name == "lab":
        return _lab(seed, changes)
    rows, ids = adult.rows()
    return gather(replace(adult.task(leaky=leaky), **changes), rows, ids=ids, of="UCI Adult")


def _lab(seed: int, changes: dict[str, Any]) -> Population:
    from evenhand.lab import people

    task = DecisionTask(
        name="lab",
        template=people.TEMPLATE,
        target=people.TARGET,
        labels=people.LABELS,
        attribute=(people.ATTRIBUTE,),
        groups=tuple((group,) for group in people.GROUPS),
        separator=people.SEPARATOR,
        source="evenhand.lab.people: generated people whose true outcome does not depend on their sex",
        licence="Apache-2.0",
    )
    return gather(replace(task, **changes), people.people(LAB_PEOPLE, seed), of="the lab's people")


def _changes(attribute: str, labels: str, bins: str) -> tuple[tuple[str, Any], ...]:
    """The fields of a task that the options change, with their new values."""
    found: dict[str, Any] = {}
    if attribute:
        found |= {"attribute": tuple(part.strip() for part in attribute.split("*")), "groups": ()}
    if bins:
        found["bins"] = ((_binned(attribute), _edges(bins)),)
    if labels:
        words = tuple(f" {part.strip()}" for part in labels.split("|") if part.strip())
        if len(words) != 2 or words[0] == words[1]:
            raise BadOption(
                f"labels={labels} are not two different words.",
                mend="Write the unfavourable one first, such as labels=no|yes.",
            )
        found["labels"] = words
    return tuple(found.items())


def _binned(attribute: str) -> str:
    """The column that has bins: the first one of the option `attribute`."""
    if not attribute:
        raise BadOption(
            "bins= needs attribute=, which says the numbers of which column become groups.",
            mend="Write attribute=age,bins=25|40|60, for example, or put bins into the task file.",
        )
    return attribute.partition("*")[0].strip()


def _edges(bins: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in bins.split("|"))
    except ValueError:
        raise BadOption(
            f"bins={bins} are not numbers.", mend="Write the borders in order, such as bins=25|40|60."
        ) from None


def _as_written(changes: dict[str, Any]) -> dict[str, Any]:
    """The changes in the form in which a task file writes them."""
    found = dict(changes)
    if "attribute" in found:
        found |= {"attribute": "*".join(found["attribute"]), "groups": []}
    if "bins" in found:
        found["bins"] = {column: list(edges) for column, edges in found["bins"]}
    return found
