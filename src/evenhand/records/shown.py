"""How a record looks in a notebook and at a prompt, and as a data frame."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from evenhand.decimals import number

if TYPE_CHECKING:
    import pandas as pd

MOST = 50  # rows that a notebook shows; the data frame has all


class Shown:
    """A record with a heading and rows of figures; a class that is one says ``@dataclass(repr=False)``."""

    __slots__ = ()

    def _heading(self) -> str:
        """What it is, in one line."""
        raise NotImplementedError

    def _rows(self) -> list[dict[str, Any]]:
        """Its figures; every row has the same names. None is undefined."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """The figures as a pandas data frame, one a row; what is undefined is missing there."""
        import pandas as pd

        return pd.DataFrame(self._rows())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._heading()}>"

    def _repr_html_(self) -> str:
        rows = self._rows()
        names = list(rows[0]) if rows else []
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows[:MOST])
        rest = f"<p>{len(rows) - MOST} more rows: to_frame() has all.</p>" if len(rows) > MOST else ""
        heading = f"<p><strong>{escape(self._heading())}</strong></p>"
        return f"{heading}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def _cells(row: Mapping[str, Any]) -> str:
    return "".join(f"<td>{escape(_text(value))}</td>" for value in row.values())


def _text(value: Any) -> str:
    if isinstance(value, float) or value is None:
        return number(value)
    return str(value)
