"""A user's own decision task: a TOML file that describes how to read a table, and the table.

Where the table writes one group in several ways, ``groups`` may say what belongs together, as in
``groups = {male = ["male", "M"], female = ["female", "F"]}``. Of an attribute that is a number, bins make
groups: ``bins = [25, 40, 60]`` makes "<25", "25-39", "40-59" and "60+"; where there are several attributes,
write ``bins = {age = [25, 40, 60]}``.

::

    name = "credit"                      # optional; else the file's name
    table = "people.csv"                 # or .parquet; beside this file, or a whole path
    template = "{job}, {age} years, {sex}. Credit approved:"
    target = "approved"
    positive = ["1", "yes"]              # optional; else "1"
    negative = ["0", "no"]               # optional; needed where there are more outcomes than these two kinds
    labels = [" no", " yes"]             # the unfavourable one first
    attribute = "sex"                    # "sex*race" for every combination of two columns
    groups = ["male", "female"]          # optional; for combinations "male*white", ...
    separator = "\\n\\n"                   # optional, and so are the following
    header = "Each line is about one person."
    missing = "not stated"               # what a prompt says for an empty cell
    blanks = ["?", "unknown"]            # what else the table writes for a missing value; [] for nothing
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.errors import BadData, EvenhandError, listed
from evenhand.files import expanded, parse_toml
from evenhand.people.population import Population, gather
from evenhand.people.task import DecisionTask
from evenhand.tables import check_names, plain_values, read_delimited, read_parquet

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = ("name", "table", "template", "target", "attribute", "separator", "header", "missing")
_LISTS = ("positive", "negative", "labels", "blanks")
_KEYS = (*_TEXTS, *_LISTS, "groups", "bins")
_SHOWN = 5
_NEEDED = ("table", "template", "target", "labels", "attribute")


def from_file(path: Path, **changes: Any) -> Population:
    """The people of the table that the TOML file `path` names; `changes` replace fields of its task.

    Raises:
        BadData: the TOML file or the table cannot be read or used; all problems of the file at once.
        BadOption: the task cannot be asked.
        UnknownName: the table lacks a column that the task names.
    """
    described = _described(path)
    if "attribute" in changes and isinstance(described.get("bins"), list):  # they are the other attribute's
        described = {key: value for key, value in described.items() if key != "bins"}
    table = Path(described["table"]).expanduser()
    task = _task(path, {**described, **changes})
    return gather(task, read(table if table.is_absolute() else path.parent / table), of=str(table))


def from_frame(task: DecisionTask, frame: pd.DataFrame, *, of: str = "the data frame") -> Population:
    """The people of a data frame, one a row, numbered from 1.

    `evenhand.benchmarks.decisions.of_people` makes a benchmark of them.

    Raises:
        UnknownName, BadData: as for `evenhand.people.population.gather`; or two columns have one name.
    """
    names = [str(name).strip() for name in frame.columns]
    check_names(names, f"The header of {of}")
    columns = [_cells(frame.iloc[:, i], f"The column {name!r} of {of}") for i, name in enumerate(names)]
    return gather(task, (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)), of=of)


def _cells(column: pd.Series[Any], of: str) -> list[Any]:
    """A column's cells; pandas has several kinds of missing, and gives single precision as double."""
    import numpy as np

    kind = (getattr(column.dtype, "kind", ""), getattr(column.dtype, "itemsize", 0))
    narrow = {("f", 2): np.float16, ("f", 4): np.float32}.get(kind)
    cells = column.astype(object).where(column.notna(), None)
    return plain_values([v if v is None or narrow is None else narrow(v) for v in cells], of)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV (UTF-8, every cell as text) or parquet file.

    Raises:
        BadData: it cannot be read in the format of its name, or rows are not as long as the header.
    """
    if not expanded(path).exists():
        raise BadData(f"The table {path} does not exist.", mend="Mend `table` in the task file.")
    if path.suffix.lower() in (".parquet", ".pq"):
        return read_parquet(path, mend="Give a UTF-8 CSV file with a header, or parquet.")
    table = read_delimited(path, mend="Give a UTF-8 CSV file with a header, or parquet.")
    if table.problems:
        raise BadData(
            f"The table {path} cannot be read: {_told(table.problems)}.",
            mend="Mend these lines and run again.",
        )
    return [row for _, row in table.rows]


def _told(problems: Sequence[tuple[int, str]]) -> str:
    """Each kind of problem once, with the first of its lines: a fault in every row is one fault."""
    lines: dict[str, list[int]] = {}
    for line, what in problems:
        lines.setdefault(what, []).append(line)
    found = []
    for what, where in lines.items():
        more = f" and {len(where) - _SHOWN} more" if len(where) > _SHOWN else ""
        named = ", ".join(map(str, where[:_SHOWN]))
        found.append(f"line{'s' * (len(where) > 1)} {named}{more}: {what}")
    return listed(found, _SHOWN)


def _described(path: Path) -> dict[str, Any]:
    try:
        found = parse_toml(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise BadData(
            f"The task file {path} cannot be read: {error.strerror}.",
            mend="Write task=lab, task=adult, or task=FILE.toml.",
        ) from None
    except UnicodeDecodeError as error:
        raise BadData(
            f"The task file {path} is not TOML in UTF-8: byte {error.start} cannot be read.",
            mend="Save it as UTF-8 and run again.",
        ) from None
    except ValueError as error:
        raise BadData(f"The task file {path} is {error}.", mend="Mend it and run again.") from None
    problems = [f"{key!r} is missing" for key in _NEEDED if key not in found]
    problems += [f"{key!r} is no key of a task file" for key in found if key not in _KEYS]
    problems += [f"{key!r} is not a text" for key in _TEXTS if not isinstance(found.get(key, ""), str)]
    problems += [f"{key!r} is not a list of texts" for key in _LISTS if not _texts(found.get(key, []))]
    if not _either(found.get("groups", []), _texts):
        problems.append("'groups' is neither a list of texts nor a table of such lists")
    if not _either(found.get("bins", []), _numbers):
        problems.append("'bins' is neither a list of numbers nor a table of such lists")
    if problems:
        raise BadData(
            f"The task file {path} cannot be used: {'; '.join(problems)}.",
            mend=f"It takes {', '.join(_KEYS)}; needed are {', '.join(_NEEDED)}.",
        )
    return found


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) in (int, float) for item in value)


def _either(value: Any, fits: Callable[[Any], bool]) -> bool:
    """Whether a value is a list that fits, or a table of such lists."""
    return all(map(fits, value.values())) if isinstance(value, dict) else fits(value)


def _task(path: Path, described: Mapping[str, Any]) -> DecisionTask:
    optional = ("separator", "header", "missing")
    fields: dict[str, Any] = {key: described[key] for key in optional if key in described}
    fields |= {key: tuple(described[key]) for key in ("positive", "negative", "blanks") if key in described}
    attribute = _parts(described["attribute"])
    groups = described.get("groups", [])
    if isinstance(groups, dict):
        fields["spellings"] = tuple(
            (_parts(text), _parts(g)) for g, texts in groups.items() for text in texts
        )
    bins = described.get("bins", [])
    if isinstance(bins, list):
        bins = {attribute[0] if len(attribute) == 1 else "bins": bins} if bins else {}
    try:
        return DecisionTask(
            name=described.get("name", path.stem),
            template=described["template"],
            target=described["target"],
            labels=tuple(described["labels"]),
            attribute=attribute,
            groups=tuple(map(_parts, groups)),
            bins=tuple((column, tuple(map(float, edges))) for column, edges in bins.items()),
            **fields,
        )
    except EvenhandError as error:
        raise type(error)(f"{path}: {error.what}", mend=error.mend) from None


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("*"))
