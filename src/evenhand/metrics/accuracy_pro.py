"""Accuracy on sentences whose pronoun agrees with the stereotype."""

from __future__ import annotations

from evenhand.metrics._accuracies import accuracy_on

component = accuracy_on("pro", "pro-stereotypical sentences")
