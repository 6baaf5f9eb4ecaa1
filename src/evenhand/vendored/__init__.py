"""Scripts of others that pages carry, byte for byte as they were published.

They come from the npm registry, for none of them is part of a Python package. A name holds the version, so
that a browser may keep the file for good. To take a newer one: ``npm pack PACKAGE@VERSION``, put its file
here in the place of the old one, and change the row below; NOTICE holds the licences.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"


@dataclass(frozen=True)
class Script:
    """A script: its `package` and `version` in the npm registry, its file there (`source`), its SHA-256, and
    its `licence` by its name in SPDX."""

    package: str
    version: str
    source: str
    sha256: str
    licence: str

    @property
    def file(self) -> str:
        """The name of the file in `FOLDER`, such as ``htmx-4.0.1.min.js``."""
        return Path(self.source).name.replace(".min.js", f"-{self.version}.min.js")

    @property
    def text(self) -> str:
        """The script itself."""
        return (FOLDER / self.file).read_text(encoding="utf-8")


HTMX = Script(
    "htmx.org",
    "4.0.1",
    "dist/htmx.min.js",
    "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "0BSD",
)
"""Fetches a part of a page again: what keeps the monitor's pages up to date."""

PLOTLY = Script(
    "plotly.js-basic-dist-min",
    "4.1.1",
    "plotly-basic.min.js",
    "99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba",
    "MIT",
)
"""Lines, dots and bars that can be read with a pointer and enlarged."""

SCRIPTS = (HTMX, PLOTLY)
