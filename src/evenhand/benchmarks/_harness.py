"""The tasks of the LM evaluation harness, with their data: found, checked and loaded.

Only here is the package ``lm_eval`` (extra ``lm-eval``) imported, and only when a task is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evenhand.benchmarks._harness_switches import code_allowed, network, quiet
from evenhand.benchmarks._tables import read_csv, read_jsonl
from evenhand.errors import (
    LISTABLE,
    BadData,
    BadOption,
    EnvironmentProblem,
    EvenhandError,
    MissingExtra,
    UnknownName,
    near_names,
)
from evenhand.files import expanded
from evenhand.models import hub
from evenhand.tables import read_parquet

NAMED = (
    "mmlu", "hellaswag", "boolq", "race", "cmmlu", "ceval-valid", "gsm8k", "gsm_plus", "humaneval", "mbpp",
)  # fmt: skip
"""The ten tasks of LFTF's tables 4 and 5 (capability after mitigation), as the harness spells them."""
OLDEST = (0, 4, 13)  # before it, an example could be the question itself, and the modules used here differ
FEWSHOT_SEED = 1234  # the harness's own default
_YAML = (".yaml", ".yml")
_LINES = (".json", ".jsonl")
_KINDS = (*_LINES, ".csv", ".parquet")
_EVALUATOR = "code_eval"  # the hub's program that runs generated code; humaneval and mbpp load it


@dataclass(frozen=True)
class Wanted:
    """What was asked for: the harness's name or a YAML file, and the options of `lm_eval`."""

    task: str
    shots: int | None = None
    data: str = ""
    download: bool = False
    run_code: bool = False
    filter: str = ""


@dataclass(frozen=True)
class Loaded:
    """Tasks with their data, by name, in the harness's order; `even` says that every item weighs alike."""

    tasks: Mapping[str, Any]
    version: str
    even: bool


def load(wanted: Wanted) -> Loaded:
    """The tasks that `wanted` names, ready to ask.

    Raises:
        MissingExtra: the harness is not installed.
        UnknownName: it has no such task.
        BadOption: the task cannot be run like this: it runs generated code and nobody agreed to that, its
            number of examples is fixed, it needs pictures or sound.
        BadData: the data are neither here nor fetched, or the task's own file is faulty.
    """
    _check_alone(wanted)
    check_installed()
    wanted = _with_home(wanted)
    online = wanted.download and not hub.unreachable()  # else the hub's client tries for minutes
    with quiet(), network(online), code_allowed(wanted.run_code):
        manager, entry = _find(wanted.task)
        _check_code(wanted, _raw(entry))
        _check_settings(wanted, _raw(entry))
        with _explained(wanted, entry):
            found = manager.load(_with_data(wanted, entry) if wanted.data else _name(wanted, entry))
        for name, task in found["tasks"].items():
            _prepare(name, task, wanted)
    groups = found.get("groups", {})
    even = all(a.weight_by_size for g in groups.values() for a in g.aggregate_metric_list or [])
    return Loaded(found["tasks"], version("lm_eval"), even)


def _check_alone(wanted: Wanted) -> None:
    """Refuse options that no task allows, before the harness is loaded."""
    if not wanted.task:
        raise BadOption(
            "lm_eval needs a task.", mend=f"Write lm_eval:TASK, such as {', '.join(NAMED)}, or a YAML file."
        )
    if wanted.shots is not None and wanted.shots < 0:
        raise BadOption(f"shots={wanted.shots} is negative.", mend="Write 0 or more.")


def _check_settings(wanted: Wanted, config: Mapping[str, Any]) -> None:
    """Refuse options that the task's written settings rule out, before its data are looked for."""
    _check_shots(wanted.task, wanted.shots, config.get("num_fewshot"))
    named = [str(one["name"]) for one in config.get("filter_list") or () if "name" in one]
    if named:
        check_filter(wanted.task, wanted.filter, named)


def _check_shots(task: str, shots: int | None, own: int | None) -> None:
    if shots and own == 0:
        raise BadOption(f"The task {task} is always asked without examples.", mend="Leave shots= out.")


def check_filter(task: str, wanted: str, filters: Sequence[str]) -> None:
    """Refuse a filter that the task does not have; empty is its first.

    Raises:
        UnknownName: it has none of that name.
    """
    if wanted and wanted not in filters:
        raise UnknownName(f"filter of the task {task}", wanted, filters)


def check_installed() -> None:
    """Check that the harness is installed.

    Raises:
        MissingExtra: it is not, or it is too old; the message says what to install.
    """
    try:
        import lm_eval  # noqa: F401

        found = version("lm_eval")
    except ImportError:
        found = ""
    if tuple(int(part) for part in found.split(".")[:3] if part.isdecimal()) < OLDEST:
        needed = f"lm_eval {'.'.join(map(str, OLDEST))} or newer"
        raise MissingExtra(needed, "lm-eval", "A task of the LM evaluation harness")


def _with_home(wanted: Wanted) -> Wanted:
    """With the user's folder in place of a leading ``~`` in the names of files."""
    task = str(expanded(Path(wanted.task))) if wanted.task.endswith(_YAML) else wanted.task
    return replace(wanted, task=task, data=wanted.data and str(expanded(Path(wanted.data))))


@cache
def _manager() -> Any:
    """All tasks of the harness; it reads thousands of small files, which takes seconds, once a process."""
    from lm_eval.tasks import TaskManager

    return TaskManager()


def _find(name: str) -> tuple[Any, Any]:
    from lm_eval.tasks import TaskManager

    if name.endswith(_YAML):
        if not Path(name).is_file():
            raise BadData(f"The task file {name} does not exist.", mend="Name a YAML file of the harness.")
        entry = _read_entry(Path(name))
        if _is_group(entry):
            return _with_folder(Path(name)), entry
        return TaskManager(include_defaults=False), entry
    manager = _manager()
    if name not in manager.task_index:
        near = near_names(name, manager.all_tasks, most=5)
        shown = {*near, *NAMED[: LISTABLE - len(near)]}
        raise UnknownName(
            "task of the LM evaluation harness", name, shown, mend="`lm-eval ls tasks` lists all."
        )
    return manager, manager.task_index[name]


def _is_group(entry: Any) -> bool:
    return "group" in _raw(entry) and not isinstance(_raw(entry).get("task"), str)


def _name(wanted: Wanted, entry: Any) -> str:
    """What the harness loads: a group's file by the group's name, anything else as it was written."""
    from_file = wanted.task.endswith(_YAML)
    return str(_raw(entry)["group"]) if from_file and _is_group(entry) else wanted.task


def _read_entry(path: Path) -> Any:
    import yaml
    from lm_eval.tasks._index import TaskIndex

    try:
        entry = TaskIndex.entry_from_path(path)
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:
        raise faulty(str(path), error) from None
    if entry is None:
        raise faulty(str(path), "it names neither a task nor a group")
    return entry


def _with_folder(path: Path) -> Any:
    """The harness's index of a group's file and its tasks, which are in its folder or in the harness."""
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._yaml_loader import load_yaml

    beside = TaskManager(include_defaults=False, include_path=str(path.parent))
    named = [child for child in load_yaml(path, resolve_func=False).get("task", []) if isinstance(child, str)]
    if all(name in beside.task_index for name in named):
        return beside
    return TaskManager(include_path=str(path.parent))


def faulty(name: str, why: object, data: str = "") -> BadData:
    """The error for a task that does not work: its own file is wrong, or the user's `data` do not fit it."""
    beside = f", or {data}, whose rows need the fields that it names" if data else ""
    return BadData(
        f"The task {name} cannot be loaded: {' '.join(str(why).split())}.",
        mend=f"Correct its YAML file{beside}; the harness's guide to new tasks explains the fields.",
    )


def _raw(entry: Any) -> Mapping[str, Any]:
    """The task's settings as they are written, without importing the functions that they name."""
    from lm_eval.tasks._yaml_loader import load_yaml

    found: Mapping[str, Any] = load_yaml(entry.yaml_path, resolve_func=False) if entry.yaml_path else {}
    return found


def _check_code(wanted: Wanted, config: Mapping[str, Any]) -> None:
    if config.get("unsafe_code") and not wanted.run_code:
        raise _no_consent(wanted)


def _no_consent(wanted: Wanted) -> BadOption:
    return BadOption(
        f"The task {wanted.task} runs the code that the model writes, on this machine.",
        mend="If you accept that, preferably in a container without network, add run_code=true.",
    )


def _with_data(wanted: Wanted, entry: Any) -> dict[str, Any]:
    """The task with the user's own file or folder in place of the data set that its settings name."""
    path = Path(wanted.data)
    if not isinstance(_raw(entry).get("task"), str):
        raise BadOption(
            f"data= replaces the data of one task, and {wanted.task} is several.",
            mend="Name one of its tasks.",
        )
    if not path.exists():
        raise BadData(f"The data {path} do not exist.", mend="Name a file or folder with data=.")
    config = _settings(entry)
    changed: dict[str, Any] = {"dataset_name": None, "dataset_kwargs": None, "dataset_path": str(path)}
    if path.is_file():
        changed |= _only_split(wanted, config, _rows(path))
    else:
        _check_folder(path)
        if wanted.shots == 0:  # the split of the examples need not be there
            changed["fewshot_split"] = config.get("test_split") or config.get("validation_split")
    return {**config, **changed}


def _settings(entry: Any) -> dict[str, Any]:
    """The task's settings with the functions that they name, which are found beside its YAML file."""
    from lm_eval.tasks._yaml_loader import load_yaml

    return dict(load_yaml(entry.yaml_path) if entry.yaml_path else entry.cfg or {})


def _only_split(wanted: Wanted, config: Mapping[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Settings for a single file: `rows` are what is asked and, unless the task brings its own, the examples.

    It stands in the place of the test split, for only there does the harness leave the question that is
    asked out of its own examples.
    """
    split = config.get("test_split") or config.get("validation_split") or "test"
    fewshot = {key: value for key, value in (config.get("fewshot_config") or {}).items() if key != "split"}
    shots = (config.get("num_fewshot") or 0) if wanted.shots is None else wanted.shots
    drawn = shots > 0 and fewshot.get("samples") is None
    if drawn and len(rows) <= shots:
        raise BadOption(
            f"The task {wanted.task} shows {shots} examples before each question, and {wanted.data} has "
            f"{len(rows)} rows in all.",
            mend=f"Write shots={max(0, len(rows) - 1)} or less, or give a folder with a file for each split.",
        )
    return {
        "custom_dataset": lambda **_: _in_memory(split, rows),
        "training_split": None,
        "validation_split": None,
        "test_split": split,
        "fewshot_split": split if drawn else None,
        "fewshot_config": fewshot or None,
    }


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a data file, read here, so that a fault is named with its line and nothing is cached."""
    if path.suffix in _LINES:
        rows, problems = read_jsonl(path)
        problems.raise_any()
        return [row for _, row in rows]
    if path.suffix not in _KINDS:
        raise BadOption(
            f"{path} is not a kind of file that a task can read.",
            mend="Give JSON lines (.jsonl or .json), .csv, .parquet, or a folder.",
        )
    if path.suffix == ".parquet":
        return read_parquet(path)
    read_csv(path, ())[1].raise_any()
    import pandas as pd

    try:  # numbers become numbers; "NA" and the like are words of a question, not missing values
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (ValueError, OSError) as error:
        raise BadData(f"{path} cannot be read: {error}.", mend="Mend the file, or name another.") from None
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _check_folder(folder: Path) -> None:
    """Read every data file of a folder once as a single one is read: the harness's reader shifts long rows.

    Raises:
        BadData: a file is malformed.
    """
    for path in sorted(folder.iterdir()):
        if path.suffix in _KINDS and path.suffix != ".json":  # which may be one list in place of lines
            _rows(path)


def _in_memory(split: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    import datasets

    return {split: datasets.Dataset.from_list(rows)}


@contextmanager
def _explained(wanted: Wanted, entry: Any) -> Iterator[None]:
    """Turn errors of the harness or its data library while a task is loaded into errors of evenhand."""
    try:
        yield
    except EvenhandError:
        raise
    except Exception as error:  # a task is somebody's YAML and Python: anything may come out of it
        said = " ".join(str(error).split())
        if _EVALUATOR in said and not wanted.run_code:
            raise _no_consent(wanted) from None
        if isinstance(error, KeyError) and error.args[0] in _splits(entry) and wanted.data:
            raise _no_split(wanted, error.args[0]) from None
        if isinstance(error, OSError):  # of a connection, too
            raise _absent(wanted, entry, said) from None
        raise faulty(wanted.task, f"{type(error).__name__}: {error}", wanted.data) from error


def _splits(entry: Any) -> set[str]:
    return {str(value) for key, value in _raw(entry).items() if key.endswith("_split") and value}


def _no_split(wanted: Wanted, split: str) -> BadData:
    return BadData(
        f"The task {wanted.task} reads the split {split!r}, and {wanted.data} has no file of that name.",
        mend=f"Add {split}.jsonl, or write shots=0 if only the worked examples come from it.",
    )


def _absent(wanted: Wanted, entry: Any, said: str) -> BadData | EnvironmentProblem:
    if wanted.download and (why := hub.unreachable()):
        return EnvironmentProblem(
            f"The data of the task {wanted.task} are not on this machine, and the Hugging Face hub cannot be "
            f"reached ({hub.endpoint()}: {why}).",
            mend="Connect to the network, copy the cache of the datasets library (HF_HOME) from a machine "
            "that has them, or give a file or folder with data=PATH.",
        )
    again = f"lm_eval:{wanted.task}" + (",run_code=true" if wanted.run_code else "") + ",download=true"
    if _EVALUATOR in said:
        return BadData(
            f"The program {_EVALUATOR}, with which the task {wanted.task} runs code, is not on this machine "
            f"({said[:200]}).",
            mend=f"Fetch it once from the hub with {again}; without network, copy the cache of the evaluate "
            "library (HF_HOME) from a machine that has it.",
        )
    place = _raw(entry).get("dataset_path") or "that it names"
    return BadData(
        f"The data {place} of the task {wanted.task} are not on this machine ({said[:200]}).",
        mend=f"Fetch them once with {again}; without network, copy the cache of the datasets library "
        "(HF_HOME) from a machine that has them, or give a file or folder with data=PATH.",
    )


def _prepare(name: str, task: Any, wanted: Wanted) -> None:
    if getattr(task, "MULTIMODAL", False):
        raise BadOption(f"The task {name} shows pictures or sounds.", mend="Name a task of text alone.")
    _check_code(wanted, {"unsafe_code": getattr(task, "UNSAFE_CODE", False)})
    own = task.get_config("num_fewshot")
    _check_shots(name, wanted.shots, own)
    shots = (own or 0) if wanted.shots is None else wanted.shots
    if shots and not hasattr(task, "sampler"):
        raise BadOption(f"The task {name} has no examples to show.", mend="Leave shots= out.")
    task.set_config(key="num_fewshot", value=shots)
    task.set_fewshot_seed(seed=FEWSHOT_SEED)
