"""Scheduled probes of an endpoint: any benchmark of this package, and prompts that people reported.

A probe belongs to a use case and runs every so many hours. Of two services on one database one runs it. What
it found is kept as a measurement, and its figures of each day beside the other counts; what failed is kept
with its reason, and never as a figure.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from evenhand.errors import BadOption, EvenhandError, UnknownName
from evenhand.monitor import chain
from evenhand.monitor.feedback import check_allowed, check_endpoint
from evenhand.monitor.known import Finder, Known
from evenhand.monitor.names import checked_name
from evenhand.monitor.roles import Principal
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.record_tables import probe_cells, probe_runs, probes
from evenhand.monitor.store.tables import use_cases

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store
    from evenhand.records import Measurement

log = logging.getLogger("evenhand.monitor")
DRAWS = 5  # answers to a reported prompt
UNWANTED = "unwanted answers"
_WHAT = ("model", "benchmark", "limit")  # what two probes of a use case may not share
Figures = dict[str, tuple[int, float | None, float | None, float | None]]  # n, value, low, high


@dataclass(frozen=True)
class Probe:
    """What is sent where: a `benchmark` (of `limit` items), or a `prompt` whose answers are searched."""

    id: int
    use_case: str
    model: str
    benchmark: str | None
    prompt: str | None
    unwanted: str | None
    limit: int | None
    hours: float
    due: datetime
    report: int | None = None


@dataclass(frozen=True)
class Found:
    """What a run found: the record that is kept, and its figures by metric."""

    content: Any
    figures: Figures


@dataclass(frozen=True)
class Cell:
    """A figure of a probe on a day."""

    probe: int
    day: date
    metric: str
    n: int
    value: float | None
    low: float | None
    high: float | None


Measure = Callable[[Probe], Found]


@dataclass(frozen=True)
class Run:
    """A run of a probe: when, and why it gave no figure (None: it gave some)."""

    time: datetime
    failure: str | None


@dataclass(frozen=True)
class Asked:
    """`benchmark` (a spec such as ``counterfactual`` or ``bbq:items=…``) of `model` every so many hours."""

    model: str
    benchmark: str
    hours: float = 24.0
    limit: int | None = None


def check(store: Store, use_case: str, asked: Asked) -> None:
    """Refuse what cannot be scheduled; the endpoint is not asked.

    Raises:
        BadOption: the model is no endpoint, the use case cannot be called so, the hours are beyond .1 to
            8760, or another probe of the use case asks the same.
        EvenhandError: as for `evenhand measure`, where that can be told without an answer.
    """
    from evenhand import registry
    from evenhand.opening import opened
    from evenhand.studies.measure import check_can, requests

    check_endpoint(asked.model)
    checked_name(use_case, "use case")
    benchmark = registry.create("benchmark", asked.benchmark)
    check_hours(asked.hours)
    with opened(asked.model) as model:
        check_can(model, benchmark, [one.request for one in requests(benchmark, limit=1)])
    with store.reading() as connection:
        _check_twin(connection, use_case, asked)


def check_hours(hours: float) -> None:
    """Refuse a time between runs that is beyond .1 to 8760 hours.

    Raises:
        BadOption: it is.
    """
    if not 0.1 <= hours <= 8760:
        raise BadOption(f"A probe cannot run every {hours:g} hours.", mend="Give .1 to 8760 hours.")


def _check_twin(connection: Connection, use_case: str, asked: Asked) -> None:
    same = [probes.c[name].is_not_distinct_from(getattr(asked, name)) for name in _WHAT]
    twin = connection.scalar(
        select(probes.c.id)
        .join(use_cases, use_cases.c.id == probes.c.use_case_id)
        .where(use_cases.c.name == use_case, probes.c.stopped.is_(None), *same)
    )
    if twin is not None:
        raise BadOption(
            f"Canary {twin} asks {asked.benchmark} of {asked.model} already.",
            mend=f"For other hours, stop it first: evenhand monitor canaries stop {twin}",
        )


def add(store: Store, use_case: str, asked: Asked, *, by: str = "") -> int:
    """Schedule what is asked, and return its number; `by` is who does it, for the chain.

    Raises:
        EvenhandError: as `check`.
    """
    check(store, use_case, asked)
    now = utc_now()

    def work(connection: Connection) -> int:
        find = Finder(connection, Known(), now)
        find.use_cases([use_case])
        _check_twin(connection, use_case, asked)  # another process may have added it just now
        row, place = asdict(asked), find.known.use_cases[use_case]
        made = connection.execute(insert(probes).values(use_case_id=place, due=now, **row))
        assert made.inserted_primary_key is not None
        number = int(made.inserted_primary_key[0])
        chain.append(connection, "probe", {"probe": number, **row, "by": by}, use_case=use_case)
        return number

    return store.write(work)


def listed(store: Store, who: Principal) -> list[Probe]:
    """The probes that `who` sees and that are not stopped."""
    with store.reading() as connection:
        return [one for one in _probes(connection) if who.sees(one.use_case)]


def _probes(connection: Connection, *where: Any) -> list[Probe]:
    names = ("model", "benchmark", "prompt", "unwanted", "limit", "hours", "due", "report_id")
    query = (
        select(probes.c.id, use_cases.c.name, *(probes.c[name] for name in names))
        .join(use_cases, use_cases.c.id == probes.c.use_case_id)
        .where(probes.c.stopped.is_(None), *where)
        .order_by(probes.c.id)
    )
    return [Probe(*row) for row in connection.execute(query)]


def stop(store: Store, number: int, *, by: str = "") -> None:
    """Run the probe `number` no more; what it found stays. `by` is who does it, for the chain.

    Raises:
        UnknownName: there is no such probe that is not stopped.
    """

    def work(connection: Connection) -> None:
        found = {one.id: one for one in _probes(connection)}
        if number not in found:
            raise UnknownName("canary", str(number), map(str, found), lister="evenhand monitor canaries ls")
        connection.execute(update(probes).where(probes.c.id == number).values(stopped=utc_now()))
        said = {"probe": number, "stopped": True, "by": by}
        chain.append(connection, "probe", said, use_case=found[number].use_case)

    store.write(work)


def last_run(store: Store, number: int) -> Run | None:
    """The last run of a probe; None where it has not run yet."""
    query = select(probe_runs.c.time, probe_runs.c.failure).where(probe_runs.c.probe_id == number)
    with store.reading() as connection:
        row = connection.execute(query.order_by(probe_runs.c.id.desc()).limit(1)).first()
    return None if row is None else Run(*row)


def run_due(
    store: Store,
    *,
    measure: Measure | None = None,
    now: datetime | None = None,
    allowed: Collection[str] | None = None,
    reports: bool = True,
) -> list[int]:
    """Run every probe that is due, keep what it found or why it failed, and return their numbers.

    With `allowed` a probe of a report fails if its endpoint is none of these: it was taken out of the policy.
    Without `reports` those of reports are left to whoever knows the policy.
    """
    time = now or utc_now()
    with store.reading() as connection:
        due = _probes(connection, probes.c.due <= time)
    due = [one for one in due if reports or one.report is None]
    done = []
    for probe in due:
        if store.write(partial(_claimed, probe=probe, time=time)):
            found, failure = _run(probe, measure or partial(_permitted, allowed=allowed))
            store.write(partial(_keep, probe=probe, found=found, failure=failure, time=time))
            done.append(probe.id)
    return done


def _claimed(connection: Connection, probe: Probe, time: datetime) -> bool:
    """Whether this service may run it: the other one finds another time in the row."""
    own = update(probes).where(probes.c.id == probe.id, probes.c.due == probe.due)
    return bool(connection.execute(own.values(due=time + timedelta(hours=probe.hours))).rowcount)


def _run(probe: Probe, measure: Measure) -> tuple[Found | None, str | None]:
    try:
        return measure(probe), None
    except EvenhandError as error:
        return None, error.what
    except Exception as error:  # the service goes on; the kind is kept, for a message may hold a text
        log.error("probe %d failed: %s", probe.id, type(error).__name__)
        return None, type(error).__name__


def _keep(
    connection: Connection, probe: Probe, found: Found | None, failure: str | None, time: datetime
) -> None:
    content = None if found is None else json.dumps(found.content, ensure_ascii=False)
    run = {"probe_id": probe.id, "time": time, "failure": failure, "content": content}
    connection.execute(insert(probe_runs).values(**run))
    if found is None:
        return
    same = probe_cells.c.probe_id == probe.id, probe_cells.c.day == time.date()
    connection.execute(delete(probe_cells).where(*same))
    rows = [
        {"probe_id": probe.id, "day": time.date(), "metric": name, "n": n, "value": v, "low": a, "high": b}
        for name, (n, v, a, b) in found.figures.items()
    ]
    if rows:
        connection.execute(insert(probe_cells), rows)
    said = {"probe": probe.id, "figures": {name: list(figure) for name, figure in found.figures.items()}}
    chain.append(connection, "canary", said, use_case=probe.use_case)


def cells(store: Store, number: int) -> list[Cell]:
    """The figures of a probe, the oldest day first."""
    query = select(probe_cells).where(probe_cells.c.probe_id == number)
    with store.reading() as connection:
        rows = connection.execute(query.order_by(probe_cells.c.day, probe_cells.c.metric)).all()
    return [Cell(*row) for row in rows]


def failures(store: Store, number: int) -> list[tuple[datetime, str]]:
    """When runs of a probe failed, and why, the newest first; 50 at most."""
    own = probe_runs.c.probe_id == number, probe_runs.c.failure.is_not(None)
    query = select(probe_runs.c.time, probe_runs.c.failure).where(*own)
    with store.reading() as connection:
        return [
            (time, why) for time, why in connection.execute(query.order_by(probe_runs.c.id.desc()).limit(50))
        ]


def measured(probe: Probe) -> Found:
    """What the endpoint answers now.

    Raises:
        EvenhandError: as for `evenhand measure`.
    """
    return _reported(probe) if probe.benchmark is None else _benchmark(probe)


def _permitted(probe: Probe, allowed: Collection[str] | None) -> Found:
    if probe.report is not None and allowed is not None:
        check_allowed(probe.model, allowed)
    return measured(probe)


def _benchmark(probe: Probe) -> Found:
    from evenhand import registry
    from evenhand.opening import opened
    from evenhand.records import to_json
    from evenhand.studies.measure import take

    assert probe.benchmark is not None
    with opened(_uncached(probe.model)) as model:
        taken: Measurement = take(model, registry.create("benchmark", probe.benchmark), limit=probe.limit)
    figures: Figures = {name: (one.n, one.value, one.low, one.high) for name, one in taken.metrics.items()}
    return Found(to_json(taken), figures)


def _reported(probe: Probe) -> Found:
    """How many of some answers to a reported prompt hold what was unwanted, in any case of letters."""
    from evenhand.opening import opened
    from evenhand.records import Completion, Generation, Sampling
    from evenhand.stats.proportions import clopper_pearson

    draws = probe.limit or DRAWS
    asked = [
        Generation(probe.prompt or "", Sampling(200, temperature=1.0, seed=seed), chat=True)
        for seed in range(draws)
    ]
    with opened(_uncached(probe.model)) as model:
        answers = [one.text for one in model.answer(asked) if isinstance(one, Completion)]
    unwanted = (probe.unwanted or "").casefold()
    hits = sum(unwanted in text.casefold() for text in answers)
    low, high = clopper_pearson(hits, len(answers))
    value = hits / len(answers) if answers else None
    return Found({"hits": hits, "answers": len(answers)}, {UNWANTED: (len(answers), value, low, high)})


def _uncached(uri: str) -> str:
    """The endpoint without its cache of answers: yesterday's say nothing about today."""
    head, _, model = uri.partition("#")
    if "cache=" in uri:
        return uri
    return f"{head}{'&' if '?' in head else '?'}cache=no#{model}"
