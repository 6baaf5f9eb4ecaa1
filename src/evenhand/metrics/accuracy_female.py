"""Accuracy on sentences with a feminine pronoun."""

from __future__ import annotations

from evenhand.metrics._accuracies import accuracy_on

component = accuracy_on("female", "sentences with she")
