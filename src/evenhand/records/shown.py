"""How a record looks in a notebook and at a prompt, and as a data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from evenhand.decimals import number

if TYPE_CHECKING:
    import pandas as pd

MOST = 50  # rows that a notebook shows; the data frame has all


class Shown:
    """A record with a heading and rows of figures; a class that is one says ``@dataclass(repr=False)``."""

    __slots__ = ()
    _absent: ClassVar[Mapping[str, str]] = {}  # by name, what None says where it does not say undefined

    def _heading(self) -> str:
        """What it is, in one short line: it is also the text at a prompt."""
        raise NotImplementedError

    def _reading(self) -> str:
        """What a reader has to know beside the heading, a sentence or two; empty for nothing."""
        return ""

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
        left = [name for name in names if any(isinstance(row[name], str) for row in rows)]
        head = "".join(_cell("th", name, name in left) for name in names)
        body = "".join(f"<tr>{self._cells(row, left)}</tr>" for row in rows[:MOST])
        rest = f"<p>{len(rows) - MOST} more rows: to_frame() has all.</p>" if len(rows) > MOST else ""
        heading = f"<p><strong>{escape(self._heading())}</strong></p>"
        reading = f"<p>{escape(self._reading())}</p>" if self._reading() else ""
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
        return f"{heading}{reading}{table}{rest}"

    def _cells(self, row: Mapping[str, Any], left: Sequence[str]) -> str:
        texts = {
            name: self._absent[name] if value is None and name in self._absent else _text(value)
            for name, value in row.items()
        }
        return "".join(_cell("td", text, name in left) for name, text in texts.items())


def _cell(tag: str, text: str, left: bool) -> str:
    """A cell; notebooks set every cell at the right, which suits numbers and no texts."""
    style = ' style="text-align:left"' if left else ""
    return f"<{tag}{style}>{escape(text)}</{tag}>"


def _text(value: Any) -> str:
    if isinstance(value, float) or value is None:
        return number(value)
    return str(value)
