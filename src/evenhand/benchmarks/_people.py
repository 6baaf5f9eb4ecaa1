"""Common parts of the benchmarks of decisions: the people, the demonstrations, and the remarks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any

from evenhand.benchmarks import Benchmark
from evenhand.decimals import fixed, significant
from evenhand.errors import BadOption
from evenhand.people import fitting, splits
from evenhand.people.asking import Asker
from evenhand.people.catalogue import is_file, population
from evenhand.people.demonstrations import Demonstrations, check_parity, check_shots, draw, select
from evenhand.people.population import Person, Population
from evenhand.people.splits import Part
from evenhand.people.task import DecisionTask
from evenhand.records import Continuation, Sample, Score, Value

FEW = 50
_FOR: Mapping[Part, str] = {
    "train": "to train on",
    "demonstrations": "for demonstrations",
    "dev": "to hold out",
    "test": "to measure",
    "capability": "for decision_accuracy",
}


@dataclass(frozen=True)
class Setting:
    """The options that determine the prompts; see `evenhand.benchmarks.decisions`."""

    task: str = "lab"
    shots: int = 16
    parity: float = 0.0
    counterbalanced: bool = False
    prompt_seed: int = 0
    seed: int = 0
    attribute: str = ""
    labels: str = ""
    leaky: bool = False
    bins: str = ""
    test: str = ""


def _check_people(n: int) -> None:
    if n < 1:
        raise BadOption(f"There cannot be {n} people to ask about.", mend="Write n=200, for example.")


@dataclass(frozen=True)
class Scene:
    """A setting with its people, by part, and the demonstrations that every prompt begins with."""

    setting: Setting
    population: Population
    parts: dict[Part, tuple[Person, ...]]
    demonstrations: Demonstrations

    @property
    def task(self) -> DecisionTask:
        """The task with its groups."""
        return self.population.task

    @cached_property
    def asker(self) -> Asker:
        """What writes the prompts."""
        return Asker(self.task, self.demonstrations.blocks(self.task))

    def people(self, part: Part, n: int, parity: float | None = None) -> tuple[Person, ...]:
        """`n` people of a part, as drawn, or balanced with a parity; fewer where the part has no more.

        Raises:
            BadOption: n is below 1, nobody is there, or the part cannot give the parity.
        """
        _check_people(n)
        if not self.parts[part]:
            raise self._nobody(part)
        if parity is None:
            return self.parts[part][:n]
        return select(self.parts[part], self.task.group_names, n=n, parity=parity, seed=self.setting.seed)

    def _nobody(self, part: Part) -> BadOption:
        if self.setting.test:
            return BadOption(
                f"test={self.setting.test} measures so many of the people of {self.setting.task} that "
                f"nobody is left for the part {part!r}.",
                mend="Write a smaller share, such as test=0.5.",
            )
        return BadOption(
            f"Of the {len(self.population.people)} people of {self.setting.task} nobody falls into "
            f"the part {part!r}{_alike(self.population)}.",
            mend="Give a table of at least some hundred different people, or write test=all and shots=0 to "
            "measure everybody, those who have equal texts included.",
        )

    def fits(self, model: Any, people: Sequence[Person]) -> None:
        """Refuse a model that cannot be asked; see `evenhand.people.fitting.check`."""
        queries = [self.task.render(p.shown, g) for p in people for g in range(len(self.task.groups))]
        fitting.check(model, self.task, self.asker.blocks, queries)

    def said(self, asked: int, found: int, part: Part = "test") -> list[str]:
        """Remarks on the demonstrations, on the people measured and on missing people."""
        s, reached = self.setting, self.demonstrations.reached
        parity = significant(reached)
        drawn = (
            f" (drawn with {significant(s.parity)}, then shown as members of every group)"
            if s.counterbalanced
            else ""
        )
        wanted = "" if s.counterbalanced or reached is None else f" ({significant(s.parity)} was asked for)"
        lines = [f"The bias parity of the {s.shots} demonstrations is {parity}{wanted}{drawn}."]
        if found < asked:
            lines.append(f"n={asked} people were asked for, and the table has {found} for it.")
        return [*lines, self._measured(part, found), *self.population.remarks()]

    def _measured(self, part: Part, found: int) -> str:
        """How the rows of the table become the people that are measured."""
        people, test = len(self.population.people), self.setting.test
        left_out = sum(self.population.left_out.values())
        alike = _alike(self.population)
        start = (
            f"{found} people are measured. Of {people + left_out} rows {left_out} were left out, and "
            f"{people} are people to decide on{alike}."
        )
        parts = self.parts.items()
        kept = ", ".join(f"{len(who)} {_FOR[p]}" for p, who in parts if who and not (test and p == "test"))
        if test and not kept:
            return f"{start} Nobody is left for demonstrations, training or decision_accuracy."
        if test:
            return f"{start} Of every text that is not measured one person is kept: {kept}."
        more = f" Write test=all to measure all {people}, or test= with a share or a count."
        offered = more if part == "test" else ""
        return f"{start} They are split by their texts, one person of each text: {kept}.{offered}"


def _alike(population: Population) -> str:
    """How many people count once in the parts because they have equal texts; nothing where nobody does."""
    people = population.people
    more = len(people) - len({person.content for person in people})
    return f"; {more} of them have the same text as another one except for the attribute" * (more > 0)


def scene(setting: Setting) -> Scene:
    """The people and the demonstrations of a setting; those of a built-in task are cached.

    Raises:
        EvenhandError: as `population` and `draw`.
    """
    return _scene(setting) if is_file(setting.task) else _kept(setting)


@lru_cache(maxsize=8)
def _kept(setting: Setting) -> Scene:
    return _scene(setting)


def _scene(setting: Setting) -> Scene:
    s = setting
    found = population(
        s.task, attribute=s.attribute, labels=s.labels, bins=s.bins, leaky=s.leaky, seed=s.seed
    )
    return staged(s, found)


def staged(setting: Setting, found: Population) -> Scene:
    """The parts of the people that were `found`, and the demonstrations of a setting drawn from theirs.

    Raises:
        BadOption: the demonstrations cannot be drawn.
    """
    s = setting
    parts = splits.split(found.people, s.seed, s.test)
    if s.shots and not parts["demonstrations"]:
        raise BadOption(
            f"Of {len(found.people)} people nobody is left to show as a demonstration, for whoever is "
            f"measured is not shown{_alike(found)}.",
            mend=f"Write shots=0{', or a smaller share such as test=0.5' if s.test else ''}.",
        )
    shown = draw(
        parts["demonstrations"],
        found.task.group_names,
        shots=s.shots,
        parity=s.parity,
        counterbalanced=s.counterbalanced,
        seed=s.prompt_seed,
    )
    return Scene(s, found, parts, shown)


def sample(name: str, place: Scene, person: Person, groups: Sequence[int]) -> Sample:
    """A person as a sample of the benchmark `name`, with the prompts as a member of each of `groups`."""
    task = place.task
    return Sample(
        id=f"{name}/{task.name}/{person.id}",
        cluster=person.content,
        fields={
            "contexts": tuple(place.asker.context(person, group) for group in groups),
            "options": task.labels,
            "answer": person.label,
            "group": person.group,
        },
        slices={"group": task.group_names[person.group]},
    )


@dataclass(frozen=True)
class PeopleBenchmark(Setting, Benchmark):
    """A benchmark of decisions about people; a subclass says how many it asks about, and whom (`_people`)."""

    normalisation = "the favourable label word among both"
    unfit = "Demonstrations are read from left to right."

    @property
    def setting(self) -> Setting:
        """The options that determine the prompts; a count or a share of people may come as a number."""
        found = {f.name: getattr(self, f.name) for f in fields(Setting)}
        return Setting(**found | {"test": str(self.test)})

    @property
    @abstractmethod
    def n(self) -> int:
        """How many people to decide on."""

    def check(self) -> None:
        """Refuse options that no table of people can satisfy; none is read."""
        check_shots(self.shots)
        check_parity(self.parity)
        if self.setting.test:
            splits.count(self.setting.test, 1)  # what cannot be for one person cannot be for any number
        if self.n < 1:
            raise BadOption(
                f"There cannot be {self.n} people to ask about.", mend="Write n=200, for example."
            )

    @cached_property
    def place(self) -> Scene:
        """The people by part, and the demonstrations."""
        return scene(self.setting)

    @cached_property
    @abstractmethod
    def _people(self) -> tuple[Person, ...]:
        """The people asked about."""

    @property
    def template(self) -> str:
        return self.place.task.template

    def ask(self, sample: Sample) -> list[Continuation]:
        """Each label word after each prompt, prompt by prompt."""
        contexts, options = sample.fields["contexts"], sample.fields["options"]
        return [Continuation(context, label) for context in contexts for label in options]

    def fits(self, model: Any) -> None:
        """Refuse a model that cannot decide about these people."""
        self.place.fits(model, self._people)


def group_remarks(scores: Sequence[Score], groups: Sequence[str]) -> list[str]:
    """The signed calibration of each group, and warnings of groups too small or one-sided, and of ties."""
    own = {group: [s.values for s in scores if s.values[f"member.{group}"] == 1] for group in groups}
    found = [_excess(own)] if any(own.values()) else []
    few = [f"{group} ({len(rows)})" for group, rows in own.items() if len(rows) < FEW]
    if few:
        found.append(
            f"Groups of fewer than {FEW} people: {', '.join(few)}. Their calibration errors and rates are "
            "mostly chance."
        )
    for y, kind, rate in ((1, "favourable", "true"), (0, "unfavourable", "false")):
        without = [
            f"{group} (n = {len(rows)})"
            for group, rows in own.items()
            if rows and not any(values["outcome"] == y for values in rows)
        ]
        if without:
            found.append(
                f"Nobody has the {kind} true outcome in: {', '.join(without)}. Figures that need the "
                f"{rate} positive rate of every group are undefined."
            )
    ties = sum(s.values["decision"] is None for s in scores)
    if ties:
        found.append(f"{ties} of {len(scores)} people get no decision: both label words are equally likely.")
    return found


def _excess(own: Mapping[str, Sequence[Mapping[str, Value]]]) -> str:
    means = []
    for group, rows in own.items():
        known = [(v["probability"], v["outcome"]) for v in rows]
        excess = [p - y for p, y in known if p is not None and y is not None]
        if excess:
            mean = fixed(sum(excess) / len(excess), signed=True)
            means.append(f"{group} {mean} (n = {len(excess)})")
    return f"Mean probability minus mean true outcome: {', '.join(means) or 'undefined'}."
