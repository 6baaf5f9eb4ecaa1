"""Erasure on request: what is stored of a person goes, counts stay, and the chain holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert

from evenhand.errors import UsageError
from evenhand.monitor import chain
from evenhand.monitor.holding import held, number_of, stored
from evenhand.monitor.known import lock
from evenhand.monitor.pseudonyms import pseudonym
from evenhand.monitor.store.opening import utc_now
from evenhand.monitor.store.record_tables import erased
from evenhand.monitor.store.tables import predictions, subjects, texts, waiting_labels
from evenhand.monitor.tally import Tally

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from evenhand.monitor.store import Store

MOST = 1000  # predictions of one request


class IsHeld(UsageError):
    """A legal hold forbids the erasure."""


@dataclass(frozen=True)
class Gone(Tally):
    """How many rows went: predictions, sets of attributes, texts, and labels that waited."""

    predictions: int = 0
    attributes: int = 0
    texts: int = 0
    waiting_labels: int = 0


def erase(store: Store, use_case: str, prediction_ids: Sequence[str], *, why: str, by: str) -> Gone:
    """Erase what is stored under these prediction ids, all or none; they are not stored again.

    The counts that figures are made of stay. `why` is kept in the chain for good: no name belongs in it.

    Raises:
        UnknownName: there is no such use case.
        UsageError: nothing is stored under one of the ids, there is no reason, or there are too many.
        IsHeld: a hold keeps one of them.
    """
    wanted = list(dict.fromkeys(prediction_ids))
    if not why.strip():
        raise UsageError("There is no reason.", mend="Say why, without the name of a person: it is kept.")
    if not 0 < len(wanted) <= MOST:
        raise UsageError(f"{len(wanted)} predictions were named.", mend=f"Name 1 to {MOST} of them.")

    def work(connection: Connection) -> Gone:
        number = number_of(connection, use_case)
        lock(connection, number)
        names = {pseudonym(store.secret, number, one): one for one in wanted}
        _check_held(connection, number, names, use_case)
        _check_there(connection, number, wanted, use_case)
        gone = delete_rows(connection, number, names)
        now = utc_now()
        connection.execute(insert(erased), [{"pseudonym": name, "time": now} for name in names])
        also = {"texts": gone.texts, "waiting labels": gone.waiting_labels}
        chain.forget(connection, list(names), why=why, by=by, use_case=use_case, also=also)
        return gone

    found = store.write(work)
    store.settle()
    return found


def delete_rows(connection: Connection, use_case: int, names: dict[bytes, str]) -> Gone:
    """Delete what is stored of these persons: prediction ids by pseudonym; the chain is not told."""

    def gone(table: Any, *where: Any) -> int:
        return int(connection.execute(delete(table).where(*where)).rowcount)

    ids = list(names.values())
    return Gone(
        texts=gone(texts, texts.c.pseudonym.in_(names)),
        attributes=gone(subjects, subjects.c.pseudonym.in_(names)),
        predictions=gone(
            predictions, predictions.c.use_case_id == use_case, predictions.c.prediction_id.in_(ids)
        ),
        waiting_labels=gone(
            waiting_labels,
            waiting_labels.c.use_case_id == use_case,
            waiting_labels.c.prediction_id.in_(ids),
        ),
    )


def _check_held(connection: Connection, number: int, names: dict[bytes, str], use_case: str) -> None:
    now = held(connection, number)
    kept = [name for name in names if now.whole or name in now.persons]
    if kept:
        what = f"the use case {use_case!r}" if now.whole else f"{len(kept)} of these predictions"
        raise IsHeld(
            f"A legal hold keeps {what}; nothing was erased.",
            mend="See `evenhand monitor hold list`, and remove the hold first if it has ended.",
        )


def _check_there(connection: Connection, number: int, wanted: Sequence[str], use_case: str) -> None:
    there = stored(connection, number, wanted)
    missing = [one for one in wanted if one not in there]
    if missing:
        raise UsageError(
            f"Nothing is stored of the prediction {missing[0][:200]!r} in {use_case!r}; nothing was erased.",
            mend="Give the prediction ids that were sent.",
        )
