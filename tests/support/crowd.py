"""A table of people to decide on, small enough to reason about, and the task that goes with it."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

from evenhand.people.population import Person, Population, gather
from evenhand.people.task import DecisionTask

TASK = DecisionTask(
    name="loan",
    template="{job}, {age}, {sex}, from {town}. Granted:",
    target="granted",
    labels=(" no", " yes"),
    attribute=("sex",),
    groups=(("m",), ("f",)),
)


def rows(
    n: int, *, seed: int = 0, towns: int = 50, sexes: tuple[str, ...] = ("m", "f")
) -> list[dict[str, Any]]:
    """`n` people; few `towns` make many of one content."""
    chance = random.Random(seed)
    return [
        {
            "job": chance.choice(("nurse", "smith", "baker")),
            "age": chance.randrange(20, 60),
            "sex": chance.choice(sexes),
            "town": f"T{chance.randrange(towns)}",
            "granted": chance.randrange(2),
        }
        for _ in range(n)
    ]


def write(path: Path, people: list[dict[str, Any]]) -> None:
    """Those rows as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(people[0]))
        writer.writeheader()
        writer.writerows(people)


def crowd(n: int = 2000, *, seed: int = 0, towns: int = 50) -> Population:
    """Those people, gathered."""
    return gather(TASK, rows(n, seed=seed, towns=towns))


def person(group: int, label: int, number: int) -> Person:
    """Somebody of a group and a true outcome, unlike everybody with another number."""
    shown = {"job": "baker", "age": str(number), "sex": "mf"[group % 2], "town": "T"}
    return Person(f"{group}/{label}/{number}", shown, group, label, f"{group}-{label}-{number}")


def pool(each: int, k: int = 2) -> list[Person]:
    """`each` people of every group and outcome."""
    return [person(g, y, i) for g in range(k) for y in (0, 1) for i in range(each)]
