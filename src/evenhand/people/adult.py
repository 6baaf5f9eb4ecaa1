"""UCI Adult as a decision task: does a person in 1994 earn more than 50 000 dollars a year?

The files are the UCI repository's own, from the user's data folder. The test file writes ``>50K.`` with a
full stop, which a comparison with ``>50K`` misses: then 41 001 of 48 842 people seem to earn less (5.23 to 1)
and the parity of men over women seems 0.1312, where 3.18 and 0.1945 are right. Columns and their order are
those of FairCon's prompts; marital status and relationship are left out, because "husband" reveals the sex.
"""

from __future__ import annotations

from functools import cache

from evenhand import sources
from evenhand.people.task import DecisionTask

FILES = ("adult/adult.data", "adult/adult.test")
COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_years",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours",
    "country",
    "income",
)
_SHOWN = (
    "Age: {age}",
    "Work: {workclass}",
    "Education: {education}",
    "Years of education: {education_years}",
    "Occupation: {occupation}",
    "Race: {race}",
    "Sex: {sex}",
    "Capital gain: {capital_gain}",
    "Capital loss: {capital_loss}",
    "Hours a week: {hours}",
    "Country: {country}",
)
_LEAKY = ("Marital status: {marital_status}", "Relationship: {relationship}")


def task(*, leaky: bool = False) -> DecisionTask:
    """The task; with `leaky` the prompts also contain marital status and relationship."""
    lines = (*_SHOWN, *(_LEAKY if leaky else ()))
    return DecisionTask(
        name="adult",
        template="\n".join((*lines, "More than $50,000 a year:")),
        target="income",
        labels=(" no", " yes"),
        attribute=("sex",),
        positive=(">50K",),
        groups=(("Male",), ("Female",)),
        header="Each entry describes a person in 1994 and says whether the yearly income is above $50,000.",
        source="UCI Machine Learning Repository, data set 2 (Adult); columns as in FairCon",
        licence="CC BY 4.0",
    )


def rows() -> tuple[list[dict[str, str]], list[str]]:
    """Every person of both files, 48 842 in all, and their ids (``data/1`` ..., ``test/1`` ...).

    Raises:
        BadData: a file is in no data folder, or is not the official one; the message has the
            command that fetches it.
    """
    return _read(tuple(str(sources.path(name)) for name in FILES))


@cache
def _read(paths: tuple[str, ...]) -> tuple[list[dict[str, str]], list[str]]:
    people: list[dict[str, str]] = []
    ids: list[str] = []
    for name, path in zip(("data", "test"), paths, strict=True):
        found = 0
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 (a path in text is what can be cached)
            for line in file:
                cells = [cell.strip() for cell in line.split(",")]
                if len(cells) != len(COLUMNS):
                    continue  # the test file's first line is a comment, both end with a blank one
                found += 1
                cells[-1] = cells[-1].removesuffix(".")
                people.append(dict(zip(COLUMNS, cells, strict=True)))
                ids.append(f"{name}/{found}")
    return people, ids
