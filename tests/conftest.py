"""One cache of lab models for the whole clone, so that each is trained once."""

from __future__ import annotations

import os
from pathlib import Path

# Set before anything asks for it; `make demo` uses the same folder.
os.environ.setdefault("EVENHAND_CACHE", str(Path(__file__).parents[1] / ".cache" / "evenhand"))
