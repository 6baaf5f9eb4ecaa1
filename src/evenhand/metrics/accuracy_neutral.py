"""Accuracy on sentences with a neutral pronoun."""

from __future__ import annotations

from evenhand.metrics._accuracies import accuracy_on

component = accuracy_on("neutral", "sentences with they")
