"""Accuracy on sentences whose pronoun contradicts the stereotype."""

from __future__ import annotations

from evenhand.metrics._accuracies import accuracy_on

component = accuracy_on("anti", "anti-stereotypical sentences")
