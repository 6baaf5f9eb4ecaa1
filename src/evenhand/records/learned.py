"""What mitigations fit on and locators probe with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evenhand.records.asked import Continuation


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the surface forms of each group's term that may follow it.

    Mitigations fit on examples and locators probe with them. `terms[g]` holds the mutually exclusive
    surface forms of group `groups[g]`, each with its leading space. `id` is the benchmark's sample id,
    so that a study can refuse to test on what was trained on. `keep` marks a prompt whose answer is right as
    the model gives it (the prompt states the group): nothing to mitigate, but something to lose.
    """

    id: str
    cluster: str
    context: str
    groups: tuple[str, ...]
    terms: tuple[tuple[str, ...], ...]
    keep: bool = False

    def requests(self) -> list[Continuation]:
        """Every surface form of every group after the prompt, group by group."""
        return [Continuation(self.context, form) for forms in self.terms for form in forms]


@dataclass(frozen=True, slots=True)
class PersonExample:
    """A person to decide on, as prompts: what mitigations of decisions fit on.

    `contexts[g]` is the prompt of the same person with the sensitive attribute set to `groups[g]`, everything
    else alike (counterfactual twins); `group` is the person's own. `labels` are the label words, each with
    its leading space; the last one is the favourable decision, and `label` is the true outcome's index.
    `part` is ``train``, or ``dev`` for held-out people (early stopping, thresholds, calibration).
    """

    id: str
    cluster: str
    contexts: tuple[str, ...]
    groups: tuple[str, ...]
    group: int
    labels: tuple[str, ...]
    label: int
    part: Literal["train", "dev"] = "train"
    keep: bool = False

    def requests(self) -> list[Continuation]:
        """Every label word after every twin's prompt, twin by twin."""
        return [Continuation(context, label) for context in self.contexts for label in self.labels]


Material = Example | PersonExample
"""What a mitigation fits on."""
