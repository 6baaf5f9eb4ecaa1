"""Tables of any size, asked through Ibis: counts come back, rows stay where they are.

`opened` makes a `Frame` of files, a database's table or a data frame. Everything that leaves it passes
through `Frame.fetch`, which refuses more rows than it was told to expect, so that no column is ever loaded
whole. The same questions run on DuckDB (files, out of core), PostgreSQL and Spark.
"""

from __future__ import annotations

from evenhand.frames.cells import Cells
from evenhand.frames.frame import OTHER, Frame
from evenhand.frames.opening import opened
from evenhand.frames.values import is_missing, text_of

__all__ = ["OTHER", "Cells", "Frame", "is_missing", "opened", "text_of"]
