"""How many answers name none of the options, or more than one."""

from __future__ import annotations

from evenhand.metrics._pairs import percentage

component = percentage(
    "invalid_rate",
    "Answers that name no option",
    "invalid",
    unit="percent of answers",
    ideal=0.0,
    source="ours: an answer that cannot be read is neither right nor wrong, neither related nor unrelated",
    reading="Such answers are left out of every other figure. A rise after a treatment means that the model "
    "stopped following the form of the question, which can look like less bias.",
)
