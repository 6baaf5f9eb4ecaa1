"""Mitigations: methods that reduce a bias and return a treatment. Found by walking this folder.

A mitigation makes a treatment from a model, which, applied, gives the treated model. It works on every model
whose abilities (`can`) include all that it `needs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from evenhand.records import Ability, Attribution, Kinds

if TYPE_CHECKING:
    from evenhand.models import Model
    from evenhand.treatments import Treatment


@runtime_checkable
class Mitigation(Protocol):
    """Fits a `Treatment` to a model from examples.

    `fit` leaves the model unchanged. `sites` are the blocks that a locator chose, or None for a method
    that needs no location. The same seed gives the same treatment. `fits_on` names the kinds of examples that
    `fit` can learn from, such as prompts that groups' terms may follow (`Example`); a study refuses other
    kinds before anything is fitted.

    A method whose options may not suit a model or the examples should have ``check(model, examples)``, which
    refuses them in the words in which `fit` does, without asking the model anything: see `refuse`.

    A method that trains on data of its own says so by ``own_examples(model, examples)``, beside the examples
    that it is given; a study refuses to measure any of both: see `trained_examples`.

    A method should say what its fit takes of the memory by ``stages(model, examples)``, some
    `evenhand.models.stage.Stage`, the largest of which counts. The model may be without storage, and there
    may be no examples yet. A plan says of which methods it is not known.

    A method whose fit costs something else than ``epochs`` passes over its examples should say what by
    ``effort(number)``, of so many examples: the epochs that its fit, or a sham's, is as long as.

    A slow method may have an option ``resume``, a folder from which the same fit continues after an
    interruption. Where it is empty, a study sets it to a folder of its own. The method writes there with
    `evenhand.folders.replace_folder`, of the kind ``checkpoint``; the study removes that once the treatment
    is saved.
    """

    needs: frozenset[Ability]
    wants_sites: bool
    fits_on: Kinds

    def fit(
        self, model: Model, examples: Sequence[Any], *, sites: Attribution | None, seed: int
    ) -> Treatment:
        """Learn the treatment.

        Raises:
            BadModel: the model lacks something that `needs` names.
            NoEffect: the fitted treatment changes nothing.
        """
        ...

    def sham(self, *, seed: int) -> Mitigation | None:
        """The same method with the direction of its signal drawn at random, by `seed`.

        It trains the same parameters on the same prompts in as many steps, or changes prompts or scores in
        the same way, and neither holds nor moves the groups on purpose: over seeds its aim is what the model
        already does. Its treatment's method is ``sham(SPEC)``. None where the method has no direction that
        could be drawn, and for a sham itself.
        """
        ...


def trained_examples(method: object, model: Model, examples: Sequence[Any]) -> Sequence[Any]:
    """The `examples`, and what the method trains on beside them, if it says so.

    Raises:
        EvenhandError: its own data cannot be read.
    """
    own = getattr(method, "own_examples", None)
    return examples if own is None else [*examples, *own(model, examples)]


def refuse(method: object, model: Model | None, examples: Sequence[Any]) -> None:
    """Let a mitigation, a control or a locator refuse `model` and `examples` by its ``check``, if it has one.

    Studies call it before anything is measured or trained. `model` is None while none is open: then only what
    can be told without one is refused.

    Raises:
        EvenhandError: what `fit` would refuse, an option that the model or the examples do not allow.
    """
    check = getattr(method, "check", None)
    if check is not None:
        check(model, examples)
