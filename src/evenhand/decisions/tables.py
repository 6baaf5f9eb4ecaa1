"""A user's own decision task: a TOML file that says how to read a table, and the table.

::

    name = "credit"                      # optional; else the file's name
    table = "people.csv"                 # or .parquet; beside this file, or a whole path
    template = "{job}, {age} years, {sex}. Credit approved:"
    target = "approved"
    positive = ["1", "yes"]              # optional; else "1"
    labels = [" no", " yes"]             # the unfavourable one first
    attribute = "sex"                    # "sex*race" for every combination of two columns
    groups = ["male", "female"]          # optional; for combinations "male*white", ...
    separator = "\\n\\n"                   # optional, and so are the following
    header = "Each line is about one person."
    missing = "not stated"               # what a prompt says for an empty cell
    blanks = ["?", "unknown"]            # what else the table writes for a missing value
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.decisions.people import Population, gather
from evenhand.decisions.task import DecisionTask
from evenhand.errors import BadData, EvenhandError
from evenhand.files import parse_toml

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = ("name", "table", "template", "target", "attribute", "separator", "header", "missing")
_LISTS = ("positive", "labels", "groups", "blanks")
_NEEDED = ("table", "template", "target", "labels", "attribute")


def from_file(path: Path, **changes: Any) -> Population:
    """The people of the table that the TOML file `path` names; `changes` replace fields of its task.

    Raises:
        BadData: the TOML file or the table cannot be read or used; all problems of the file at once.
        BadOption: the task cannot be asked.
        UnknownName: the table lacks a column that the task names.
    """
    described = _described(path)
    table = Path(described["table"]).expanduser()
    task = _task(path, {**described, **changes})
    return from_frame(task, read(table if table.is_absolute() else path.parent / table), of=str(table))


def from_frame(task: DecisionTask, frame: pd.DataFrame, *, of: str = "the data frame") -> Population:
    """The people of a data frame, one a row, numbered from 1.

    `evenhand.benchmarks.decisions.of_people` makes a benchmark of them.

    Raises:
        UnknownName, BadData: as for `evenhand.decisions.people.gather`.
    """
    cells = frame.astype(object).where(frame.notna(), None)  # pandas has several kinds of missing
    return gather(task, ({str(k): v for k, v in row.items()} for row in cells.to_dict("records")), of=of)


def read(path: Path) -> pd.DataFrame:
    """A CSV (UTF-8, every cell as text) or parquet file.

    Raises:
        BadData: it cannot be read as what its name says.
    """
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadData(f"The table {path} does not exist.", mend="Mend `table` in the task file.") from None
    except (OSError, ValueError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise BadData(
            f"The table {path} cannot be read: {reason}.",
            mend="Give a UTF-8 CSV file with a header, or parquet.",
        ) from None


def _described(path: Path) -> dict[str, Any]:
    try:
        found = parse_toml(path.read_bytes().decode("utf-8"))
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
    problems += [f"{key!r} means nothing" for key in found if key not in (*_TEXTS, *_LISTS)]
    problems += [f"{key!r} is not a text" for key in _TEXTS if not isinstance(found.get(key, ""), str)]
    problems += [f"{key!r} is not a list of texts" for key in _LISTS if not _texts(found.get(key, []))]
    if problems:
        raise BadData(
            f"The task file {path} cannot be used: {'; '.join(problems)}.",
            mend=f"It takes {', '.join((*_TEXTS, *_LISTS))}; needed are {', '.join(_NEEDED)}.",
        )
    return found


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _task(path: Path, described: Mapping[str, Any]) -> DecisionTask:
    optional = ("separator", "header", "missing")
    fields: dict[str, Any] = {key: described[key] for key in optional if key in described}
    fields |= {key: tuple(described[key]) for key in ("positive", "blanks") if key in described}
    groups = tuple(tuple(part.strip() for part in g.split("*")) for g in described.get("groups", []))
    try:
        return DecisionTask(
            name=described.get("name", path.stem),
            template=described["template"],
            target=described["target"],
            labels=tuple(described["labels"]),
            attribute=tuple(part.strip() for part in described["attribute"].split("*")),
            groups=groups,
            **fields,
        )
    except EvenhandError as error:
        raise type(error)(f"{path}: {error.what}", mend=error.mend) from None
