"""How much of the model's probability the label words have: whether it answers the question at all."""

from __future__ import annotations

from evenhand.metrics import Array, Columns, mean_metric


def label_mass(table: Columns) -> Array:
    """Per person the probability of all label words together after their own prompt, [n]."""
    return table["label_mass"]


component = mean_metric(
    "label_mass",
    "Probability of the label words",
    per_item=label_mass,
    unit="probability",
    ideal=None,
    low=0.0,
    high=1.0,
    words="label words",
    source="Σ P(label | prompt)",
    reading="Decisions are read from the label words' shares alone. Where the words together have hardly any "
    "probability the model was about to say something else, and its decisions say little.",
    needs=("label_mass",),
)
