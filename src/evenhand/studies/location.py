"""Where in a model a method works: the result of a locator on the examples that the method fits on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evenhand import registry
from evenhand.locators import Locator
from evenhand.mitigations import Mitigation, refuse
from evenhand.models import Model, gives_weights, require
from evenhand.provenance import made_by
from evenhand.records import Attribution, TrainingExample
from evenhand.studies.options import VerifyOptions
from evenhand.studies.training_data import nothing_to_locate, usable
from evenhand.training.stacking import Stack


def sites_for(
    model: Model, method: Mitigation, examples: Sequence[TrainingExample], options: VerifyOptions
) -> Attribution | None:
    """The blocks that the method is to change, chosen by the locator.

    None for a method that needs no location, and for examples that the locator cannot use: such a method
    then treats every block.

    Raises:
        EvenhandError: an unknown locator, or one that cannot read the model.
    """
    locator = _locator(model, method, examples, options)
    return None if locator is None else locate_in(model, locator, _probes(method, examples), options.seed)


def check_sites(
    model: Model, method: Mitigation, examples: Sequence[TrainingExample], options: VerifyOptions
) -> None:
    """Refuse a model whose blocks the locator of `sites_for` cannot rank; nothing is asked of it.

    Raises:
        BadModel: it lacks what the locator needs, its blocks cannot be found, or the locator refuses it.
    """
    locator = _locator(model, method, examples, options)
    if locator is not None:
        require(model, locator.needs, of=f"the locator {options.locator}", instead="--with prompt")
        assert gives_weights(model)  # else there is no locator
        _ = model.layout
        refuse(locator, model, _probes(method, examples))


def _locator(
    model: Model, method: Mitigation, examples: Sequence[TrainingExample], options: VerifyOptions
) -> Locator | None:
    """The locator that chooses the method's blocks; None where none is wanted, or none can be used."""
    locator: Locator = registry.create("locator", options.locator)
    wanted = method.wants_sites and gives_weights(model) and usable(locator, _probes(method, examples))
    return locator if wanted else None


def _probes(method: Mitigation, examples: Sequence[TrainingExample]) -> Sequence[TrainingExample]:
    """What to locate with: of a stack, the examples of the method in it that wants a location."""
    return method.located_on(examples) if isinstance(method, Stack) else examples


def locate_in(model: Model, locator: Locator, examples: Sequence[TrainingExample], seed: int) -> Attribution:
    """The locator's result on the model, probed with the examples that are not marked `keep`.

    Raises:
        BadModel: it gives no access to its weights.
    """
    if not gives_weights(model):
        raise nothing_to_locate(model)
    found = locator.locate(model, [e for e in examples if not e.keep], None, seed=seed)
    return replace(found, made_by=made_by(model.spec))
