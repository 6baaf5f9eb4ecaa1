"""Where in a model a method works: what a locator says, probed with what the method fits on."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand import registry
from evenhand.locators import Locator
from evenhand.mitigations import Mitigation
from evenhand.models import Model, OpenModel
from evenhand.records import Attribution, Example, Material, PersonExample
from evenhand.studies.material import nothing_to_locate
from evenhand.studies.options import VerifyOptions


def sites_for(
    model: Model, method: Mitigation, examples: Sequence[Material], options: VerifyOptions
) -> Attribution | None:
    """Where the method is to work, by the locator; None for one that does not ask, or cannot be told.

    Raises:
        EvenhandError: an unknown locator, or one that cannot read the model.
    """
    if not method.wants_sites or not isinstance(model, OpenModel):
        return None
    if any(isinstance(example, PersonExample) for example in examples):
        return None  # locators probe prompts with groups' terms; such a method then treats every block
    return locate_in(model, options.locator, examples, options.seed)


def locate_in(model: Model, locator: str, examples: Sequence[Material], seed: int) -> Attribution:
    """What the locator says of the model, probed with the examples that are prompts.

    Raises:
        BadModel: it gives no access to its weights.
    """
    made: Locator = registry.create("locator", locator)
    if not isinstance(model, OpenModel):
        raise nothing_to_locate(model)
    probes = [e for e in examples if isinstance(e, Example) and not e.keep]
    return made.locate(model, probes, None, seed=seed)
