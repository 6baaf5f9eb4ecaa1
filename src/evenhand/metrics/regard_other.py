"""The share of texts with other regard for their subject."""

from __future__ import annotations

from evenhand.metrics._written import regard_share

component = regard_share("other")
