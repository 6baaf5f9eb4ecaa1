"""Answers that people report as biased: what they wrote, its state, and the probe that is made of it.

There are counts of reports and no rates: nobody knows how many read an answer and said nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy import func, insert, select, update

from evenhand.errors import BadOption, UnknownName, UsageError
from evenhand.monitor import chain
from evenhand.monitor.keys import digest
from evenhand.monitor.known import Finder, Known
from evenhand.monitor.names import Name, Prose
from evenhand.monitor.roles import NotAllowed, NotKnown, Principal
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.record_tables import probes, reports
from evenhand.monitor.store.tables import use_cases

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

State = Literal["new", "confirmed", "rejected", "fixed"]
STATES: tuple[str, ...] = get_args(State)
SHOWN = 200  # reports of a list
HOURS = 24.0  # between two runs of a probe that was made of a report
Text = Annotated[Prose, StringConstraints(min_length=1, max_length=20_000)]


class Reported(BaseModel):
    """What a person reports: the answer, why it is biased, and what is known of where it came from."""

    model_config = ConfigDict(extra="forbid")

    use_case: Name = "default"
    model: Name | None = None
    version: Name | None = None
    prompt: Text | None = None
    answer: Text
    why: Text


@dataclass(frozen=True)
class Report:
    """A report as those see it who judge it; `probe` is the number of its probe."""

    id: int
    use_case: str
    state: str
    created: datetime
    changed: datetime
    sender: str
    model: str | None
    version: str | None
    prompt: str | None
    answer: str | None
    why: str
    note: str | None
    probe: int | None


@dataclass(frozen=True)
class Told:
    """What the reporter sees."""

    state: str
    created: datetime
    changed: datetime
    note: str | None


def report(store: Store, given: Reported, sender: str) -> str:
    """Keep a report, and return the token that shows its state; it is shown once."""
    token, now = secrets.token_urlsafe(32), utc_now()

    def work(connection: Connection) -> None:
        find = Finder(connection, Known(), now)
        find.use_cases([given.use_case])
        row = {
            **given.model_dump(exclude={"use_case"}),
            "use_case_id": find.known.use_cases[given.use_case],
            "token": digest(store.secret, token),
            "state": "new",
            "created": now,
            "changed": now,
            "sender": sender,
        }
        number = _number(connection.execute(insert(reports).values(**row)))
        chain.append(connection, "report", {"report": number, "state": "new"}, use_case=given.use_case)

    store.write(work)
    return token


def _number(made: Any) -> int:
    return int(made.inserted_primary_key[0])


def told(store: Store, token: str) -> Told:
    """The state of the report that `token` was given for.

    Raises:
        NotKnown: there is no such report.
    """
    own = digest(store.secret, token)
    columns = reports.c.state, reports.c.created, reports.c.changed, reports.c.note
    with store.reading() as connection:
        row = connection.execute(select(*columns).where(reports.c.token == own)).first()
    if row is None:
        raise NotKnown("There is no such report.", mend="Use the token that was shown after sending it.")
    return Told(*row)


def listed(store: Store, who: Principal, use_case: str = "", state: str = "") -> list[Report]:
    """The newest 200 reports that `who` sees, of a use case or a state where one is given."""
    query = _QUERY.order_by(reports.c.id.desc())
    if use_case:
        query = query.where(use_cases.c.name == use_case)
    if state:
        query = query.where(reports.c.state == state)
    if who.use_cases is not None:
        query = query.where(use_cases.c.name.in_(who.use_cases))
    with store.reading() as connection:
        return [Report(*tuple(row)) for row in connection.execute(query.limit(SHOWN))]


_QUERY = (
    select(
        reports.c.id,
        use_cases.c.name,
        *(reports.c[name] for name in ("state", "created", "changed", "sender", "model", "version")),
        *(reports.c[name] for name in ("prompt", "answer", "why", "note")),
        probes.c.id.label("probe"),
    )
    .join(use_cases, use_cases.c.id == reports.c.use_case_id)
    .outerjoin(probes, probes.c.report_id == reports.c.id)
)


def one(store: Store, who: Principal, number: int) -> Report:
    """The report `number`.

    Raises:
        UnknownName: there is none.
        NotAllowed: `who` does not see its use case.
    """
    with store.reading() as connection:
        return _one(connection, who, number)


def counts(store: Store, who: Principal) -> list[tuple[str, str, int]]:
    """Use case, state and number of reports; what a use case has none of is not listed."""
    query = (
        select(use_cases.c.name, reports.c.state, func.count())
        .join(use_cases, use_cases.c.id == reports.c.use_case_id)
        .group_by(use_cases.c.name, reports.c.state)
        .order_by(use_cases.c.name, reports.c.state)
    )
    with store.reading() as connection:
        return [(name, state, n) for name, state, n in connection.execute(query) if who.sees(name)]


def triage(store: Store, who: Principal, number: int, state: str, note: str = "") -> None:
    """Give a report another state, with a note that the reporter sees.

    Raises:
        UnknownName: there is no such state or report.
        NotAllowed: `who` does not see its use case.
    """
    if state not in STATES:
        raise UnknownName("state of a report", state, STATES)

    def work(connection: Connection) -> None:
        found = _one(connection, who, number)
        values = {"state": state, "note": note or found.note, "changed": utc_now()}
        connection.execute(update(reports).where(reports.c.id == number).values(**values))
        said = {"report": number, "state": state, "by": who.name}
        chain.append(connection, "report", said, use_case=found.use_case)

    store.write(work)


def probe(
    store: Store,
    who: Principal,
    number: int,
    *,
    model: str,
    unwanted: str = "",
    allowed: Collection[str] = (),
) -> int:
    """Make a probe of a report: its prompt is sent to `model` every day, and answers with `unwanted` counted.

    Without `unwanted` it is the reported answer itself. A report has one probe, whose number is returned;
    the report is confirmed by it. `allowed` are the endpoints of the policy: the service asks no other one,
    whoever wants it to.

    Raises:
        UnknownName: there is no such report.
        BadOption: it has no prompt, or the model is no endpoint.
        NotAllowed: `who` does not see its use case, or the model is none of the endpoints.
    """
    check_endpoint(model)
    check_allowed(model, allowed)

    def work(connection: Connection) -> int:
        found = _one(connection, who, number)
        if found.probe is not None:
            return found.probe
        if not (found.prompt and found.answer):
            raise BadOption(
                "This report does not say what was asked.", mend="Reports with a prompt can become probes."
            )
        now = utc_now()
        made = insert(probes).values(
            use_case_id=select(use_cases.c.id).where(use_cases.c.name == found.use_case).scalar_subquery(),
            report_id=number,
            model=model,
            prompt=found.prompt.rstrip(),
            unwanted=unwanted or found.answer,
            hours=HOURS,
            due=now,
        )
        own = _number(connection.execute(made))
        connection.execute(
            update(reports)
            .where(reports.c.id == number, reports.c.state == "new")
            .values(state="confirmed", changed=now)
        )
        said = {"probe": own, "report": number, "by": who.name}
        chain.append(connection, "probe", said, use_case=found.use_case)
        return own

    return store.write(work)


def check_allowed(model: str, allowed: Collection[str]) -> None:
    """Check that `model` is one of the endpoints of the policy.

    Raises:
        NotAllowed: it is not.
    """
    if model not in allowed:
        listed_ = ", ".join(sorted(allowed)) or "it lists none"
        raise NotAllowed(
            f"The policy does not list the endpoint {model[:200]!r}, so the service does not ask it.",
            mend=f"Take one of [probes] endpoints in the policy file ({listed_}), or have it added there.",
        )


def check_endpoint(model: str) -> None:
    """Check that `model` names an endpoint.

    Raises:
        BadOption: it does not, or holds what must not be stored.
    """
    from evenhand.models.address import parse

    if not model.startswith("openai:http") or "#" not in model:
        raise BadOption(
            f"{model[:200]!r} is no endpoint.", mend="Write openai:http://host:8000/v1#model, as for measure."
        )
    try:
        parse(model.removeprefix("openai:"))
    except UsageError as error:  # such as a password, which would be stored
        raise BadOption(error.what, mend=error.mend) from None


def _one(connection: Connection, who: Principal, number: int) -> Report:
    row = connection.execute(_QUERY.where(reports.c.id == number)).first()
    if row is None:
        raise UnknownName("report", str(number), _some(connection))
    found = Report(*tuple(row))
    who.need_use_case(found.use_case)
    return found


def _some(connection: Connection) -> Sequence[str]:
    return [str(one) for one in connection.scalars(select(reports.c.id).limit(20))]
