"""Runs on disk: cells keyed by their content, and the results of a study.

Every result is a small JSON file and a parquet file of per-item scores for each measurement. The JSON names
the checksum of itself and of its parquet files and is written last; each file is written whole or not at all.
So a half-written or damaged result is recognised, a cell is then simply computed anew, and two processes that
run the same command at once only write the same bytes twice. No time, duration, host or path is stored: a run
that was interrupted and resumed leaves the same files as one that was not. Each record says what made it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from evenhand import __version__
from evenhand.errors import BadData
from evenhand.files import disk_errors, is_folder, parse_json, sweep, write_atomically
from evenhand.locks import alone
from evenhand.outputs import check_ours, check_output_folder
from evenhand.progress import task
from evenhand.records import (
    Card,
    Measurement,
    Protocol,
    Sampling,
    VerdictName,
    Verification,
    digest,
    from_json,
    to_json,
)
from evenhand.schema import SCHEMA, migrated
from evenhand.studies._table import from_parquet, to_parquet
from evenhand.studies.migrations import STEPS

T = TypeVar("T")
_KEYS = 1  # how cells are keyed: another number leaves every stored cell unused
VERIFICATION = "verification.json"
MEASUREMENTS = "measurements.json"
_AGAIN = "Run the command that made it again, with the same --out: it computes only what is missing."
_FIRST = "evenhand/{}/1"  # schema 1, which had no number beside it
_SIGN = b'"format": "evenhand/'  # in every summary file
_SIDES = ("before", "after", "beside")  # the measurements of a verification
_ITEMS = re.compile(r"(?:measurement|before|after|beside)-\d+-([0-9a-f]{16})\.parquet")


def cell_key(
    *,
    weights: str,
    treatment: str | None,
    card: Card,
    protocol: Protocol,
    seed: int,
    sampling: Sampling | None = None,
) -> str:
    """The key of a cell: SHA-256 (hex) over everything that decides its figures.

    `weights` is the model's identity (its weights, tokenizer and configuration), `treatment` the digest of
    the treatment (None for none); the version of evenhand is part of the key: another version computes anew.
    """
    return digest(_KEYS, __version__, weights, treatment, card, protocol, seed, sampling)


class Store:
    """The cells below `folder`; nothing is created before the first cell is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for place in folder.glob("cells/*"):
            sweep(place)

    def path(self, key: str) -> Path:
        """Where the cell's JSON lies; its per-item scores lie beside it as ``.parquet``."""
        return self.folder / "cells" / key[:2] / f"{key}.json"

    def get(self, key: str) -> Measurement | None:
        """The stored cell, or None when it is absent, half-written, damaged or of another format."""
        path = self.path(key)
        try:
            with _whole(path, "cell"):
                return _unpack(_read(path, "cell"), path.parent)
        except (BadData, OSError):
            return None

    def cell(self, key: str, compute: Callable[[], Measurement]) -> Measurement:
        """The stored cell, or else what `compute` gives, after storing it.

        A new cell is returned as it will be read from disk, so that a resumed run uses exactly the same
        figures as the first run.

        Raises:
            NoSpace: the disk is full or not writable.
            ValueError: the measurement holds a NaN or an infinity.
        """
        found = self.get(key)
        if found is not None:
            return found
        path = self.path(key)
        body = _pack(compute(), path.parent, f"{key}.parquet")
        _write(path, "cell", body)
        return _unpack(body, path.parent)

    def put(self, key: str, measurement: Measurement) -> None:
        """Store a measurement that was taken elsewhere, unless there is one; see `cell`."""
        self.cell(key, lambda: measurement)

    def every(self) -> Iterator[Measurement]:
        """Every readable cell, in the order of the keys."""
        for path in sorted(self.folder.glob("cells/*/*.json")):
            found = self.get(path.stem)
            if found is not None:
                yield found


@dataclass(frozen=True)
class StoredRun:
    """What a folder holds: measurements (of a verification: those taken after) and the verdict, if any.

    `before` are a verification's measurements of the untreated model.
    """

    measurements: tuple[Measurement, ...]
    verdict: VerdictName | None = None
    before: tuple[Measurement, ...] = ()

    @property
    def limited(self) -> bool:
        """Whether only a part of the items was measured, so that no figure is reportable."""
        return any(m.protocol.limited for m in self.measurements)


def check_run_folder(folder: Path, summary: str) -> None:
    """Refuse a folder that cannot take a run whose summary has that name; see `evenhand.outputs`.

    Raises:
        BadData: it cannot be a folder, it holds a file of that name that evenhand did not write, or a run of
            the other kind (a verification where measurements would go, or the reverse).
        NoSpace: there is no room, or no right to write.
    """
    check_output_folder(folder)
    _check_other(folder, summary)
    check_ours(folder / summary, _SIGN)


def _check_other(folder: Path, summary: str) -> None:
    """Refuse to keep two runs of different kinds in one folder: readers would only find one of them."""
    other = MEASUREMENTS if summary == VERIFICATION else VERIFICATION
    if os.path.lexists(folder / other):
        held = "measurements" if other == MEASUREMENTS else "a verification"
        raise BadData(f"{folder} holds {held} already ({other}).", mend="Name another folder with --out.")


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Lock the run's folder for this process and remove what killed processes left; others wait.

    Raises:
        NoSpace: the disk is not writable.
    """
    with ExitStack() as stack:
        with disk_errors(folder):
            stack.enter_context(alone(folder))
        for place in (folder, folder / "items"):
            sweep(place)
        yield


def holds_measurements(run: Path) -> bool:
    """Whether the folder holds the measurements of `measure`."""
    return os.path.lexists(run / MEASUREMENTS)


def save_measurements(folder: Path, measurements: Sequence[Measurement]) -> Path:
    """Write `measurements` below `folder`; returns the path of the summary.

    Raises:
        NoSpace: the disk is full or not writable.
    """
    check_ours(folder / MEASUREMENTS, _SIGN)
    with _replacing_items(folder):
        body = _packed(measurements, folder, "measurement")
        return _write(folder / MEASUREMENTS, "measurements", {"measurements": body})


def load_measurements(folder: Path) -> tuple[Measurement, ...]:
    """What `save_measurements` wrote.

    Raises:
        BadData: there is none, it is damaged, or another version of evenhand wrote it.
    """
    body = _read(folder / MEASUREMENTS, "measurements")
    with _whole(folder / MEASUREMENTS, "run"):
        return tuple(_unpack(part, folder) for part in body["measurements"])


def save_verification(folder: Path, verification: Verification) -> Path:
    """Write `verification` below `folder`; returns the path of the summary.

    Raises:
        NoSpace: the disk is full or not writable.
    """
    check_ours(folder / VERIFICATION, _SIGN)
    body = to_json(dataclasses.replace(verification, before=(), after=(), beside=()))
    with _replacing_items(folder):
        for side in _SIDES:
            body[side] = _packed(getattr(verification, side), folder, side)
        return _write(folder / VERIFICATION, "verification", body)


def load_verification(folder: Path) -> Verification:
    """What `save_verification` wrote.

    Raises:
        BadData: there is none, it is damaged, or a newer version of evenhand wrote it.
    """
    path = folder / VERIFICATION
    body = {"beside": (), **_read(path, "verification")}  # nothing stood beside in earlier versions
    with _whole(path, "verification"):
        sides = [tuple(_unpack(one, folder) for one in body[side]) for side in _SIDES]
        rest = _record(Verification, {**body, **dict.fromkeys(_SIDES, ())}, path)
    return dataclasses.replace(rest, before=sides[0], after=sides[1], beside=sides[2])


def holds_verification(run: Path) -> bool:
    """Whether the folder of a run holds a verification; otherwise measurements are looked for.

    Raises:
        BadData: it is a file.
    """
    if os.path.lexists(run) and not is_folder(run):
        raise BadData(f"{run} is not the folder of a run, but a file.", mend="Name the folder it lies in.")
    return os.path.lexists(run / VERIFICATION)


def load_run(folder: Path) -> StoredRun:
    """Whatever `folder` holds, a verification or plain measurements.

    Raises:
        BadData: it holds neither, or it is damaged.
    """
    if holds_verification(folder):
        verification = load_verification(folder)
        return StoredRun(verification.after, verification.verdict, verification.before)
    return StoredRun(load_measurements(folder))


def _packed(measurements: Sequence[Measurement], folder: Path, name: str) -> list[dict[str, Any]]:
    """`_pack` of each; `name` says in which list they stand."""
    found = []
    with task(f"saving {folder}", len(measurements), unit="measurement", late=True) as advance:
        for i, measurement in enumerate(measurements):
            found.append(_pack(measurement, folder, f"items/{name}-{i}-"))
            advance(1)
    return found


def _pack(measurement: Measurement, folder: Path, name: str) -> dict[str, Any]:
    """Write the per-item scores to ``folder/name`` and return the JSON of the rest, with their checksum.

    A `name` without an ending gets a part of the checksum, so that the previous run's items stay in the
    folder until the new summary, written in one step, names the new ones.
    """
    items = to_parquet(measurement.scores)
    checksum = _sha256(items)
    if not name.endswith(".parquet"):
        name = f"{name}{checksum[:16]}.parquet"
    body: dict[str, Any] = to_json(dataclasses.replace(measurement, scores=()))
    del body["scores"]
    write_atomically(folder / name, items)
    return {**body, "items": {"file": name, "sha256": checksum}}


@contextmanager
def _replacing_items(folder: Path) -> Iterator[None]:
    """Afterwards remove the items that no summary names any more, if they are what evenhand wrote."""
    before = _named_items(folder)
    yield
    now = _named_items(folder)
    with disk_errors(folder):
        for path in (folder / "items").glob("*.parquet"):
            name = f"items/{path.name}"
            own = _ITEMS.fullmatch(path.name)
            checksum = before.get(name, own[1] if own else None)
            if name not in now and checksum and _sha256(path.read_bytes()).startswith(checksum):
                path.unlink()


def _named_items(folder: Path) -> dict[str, str]:
    """The items that the summaries in `folder` name, with their checksums."""
    found: dict[str, str] = {}
    for summary in (MEASUREMENTS, VERIFICATION):
        with suppress(OSError, ValueError, KeyError, TypeError):
            body = json.loads((folder / summary).read_bytes())["body"]
            parts = [part for key in ("measurements", *_SIDES) for part in body.get(key, ())]
            found |= {part["items"]["file"]: part["items"]["sha256"] for part in parts}
    return found


def _unpack(body: Mapping[str, Any], folder: Path) -> Measurement:
    rest = {key: value for key, value in body.items() if key != "items"}
    name = Path(body["items"]["file"])
    path = folder / name
    if name.is_absolute() or ".." in name.parts:
        raise BadData(f"The summary in {folder} names items outside of it: {name}.", mend=_AGAIN)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadData(f"{path} is missing.", mend=_AGAIN) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if _sha256(data) != body["items"]["sha256"]:
        raise BadData(f"{path} is damaged: its checksum differs from the summary's.", mend=_AGAIN)
    return dataclasses.replace(_record(Measurement, rest, path), scores=from_parquet(data))


def _record(kind: type[T], body: Mapping[str, Any], path: Path) -> T:
    import pydantic

    try:
        return from_json(kind, body)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BadData(
            f"{path} is not a stored {kind.__name__}: {where}: {first['msg']}.", mend=_AGAIN
        ) from None


def _write(path: Path, kind: str, body: Any) -> Path:
    """The summary, with the checksum of its own body; written after everything that it names."""
    envelope = {"format": f"evenhand/{kind}", "schema": SCHEMA, "sha256": digest(body), "body": body}
    text = json.dumps(envelope, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode())
    return path


_FINISHED = "Name the folder of a finished run."
_OTHERS = {  # folders of other commands: where their pages and runs are
    "study.json": "It holds a study, shown by `evenhand study show`; each folder in its cells/ is a run.",
    "reproduction.json": "It holds a reproduction, shown by its report.html; measured/ in it is a run.",
    "location.json": "It holds a location: name it with --location beside a run.",
    "mitigation.json": "It holds a treatment: `evenhand verify` makes a run of it, with --treated.",
}


def _read(path: Path, kind: str) -> Any:
    """The checked body of a summary, in the form of today's schema."""
    try:
        envelope = parse_json(path.read_bytes())
        form, checksum, body = envelope["format"], envelope["sha256"], envelope["body"]
    except FileNotFoundError:
        held = next((mend for name, mend in _OTHERS.items() if (path.parent / name).exists()), _FINISHED)
        raise BadData(f"There is no {path.name} in {path.parent}.", mend=held) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    except (ValueError, KeyError, TypeError):
        raise BadData(f"{path} is damaged: it is not the JSON of a stored {kind}.", mend=_AGAIN) from None
    if form not in (f"evenhand/{kind}", _FIRST.format(kind)):
        raise BadData(
            f"{path} is written as {form!r}; this version of evenhand reads 'evenhand/{kind}'.",
            mend="Use the version of evenhand that wrote it, or run the command again into a new folder.",
        )
    schema = 1 if form == _FIRST.format(kind) else envelope.get("schema")
    newer = isinstance(schema, int) and schema > SCHEMA  # whose checksum may be another one, too
    if not newer and digest(body) != checksum:
        raise BadData(f"{path} is damaged: its checksum differs.", mend=_AGAIN)
    with _whole(path, kind):
        return migrated(body, schema, STEPS[kind], where=path)


def _unreadable(path: Path, error: OSError) -> BadData:
    return BadData(f"{path} cannot be read: {error.strerror}.", mend=_FINISHED)


@contextmanager
def _whole(path: Path, kind: str) -> Iterator[None]:
    """Turn missing parts of a summary, or parts of another type, into the error that it is damaged.

    Raises:
        BadData: parts are missing or of another type.
    """
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else "a part of it is of another type"
        raise BadData(f"{path} is damaged: {why}, as a stored {kind} has.", mend=_AGAIN) from None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
