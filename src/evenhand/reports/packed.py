"""Text inside a page, packed: gzipped and in base64; the page's script unpacks it in the browser.

Gzip carries no time stamp here, so one text always gives the same bytes.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from functools import cache

from evenhand.vendored import PLOTLY


def packed(text: str) -> str:
    """The text, packed; its characters can end no script element."""
    return b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


@cache
def plotly() -> str:
    """The plotting library's own text, packed."""
    return packed(PLOTLY.text)
