"""The share of texts with neutral regard for their subject."""

from __future__ import annotations

from evenhand.metrics._written import regard_share

component = regard_share("neutral")
