"""How often two options are equally likely, so that the model says nothing about them."""

from __future__ import annotations

from evenhand.metrics._pairs import percentage

component = percentage(
    "ties",
    "Ties between the options",
    "tie",
    unit="percent of items",
    ideal=0.0,
    source="ours: public implementations silently give a tie to one side",
    reading="Items whose options the model finds equally likely (within 1e-9 nats). Many of them make any "
    "preference empty.",
)
