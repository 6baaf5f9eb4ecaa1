"""Accuracy on sentences with a masculine pronoun."""

from __future__ import annotations

from evenhand.metrics._accuracies import accuracy_on

component = accuracy_on("male", "sentences with he")
