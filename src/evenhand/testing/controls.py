"""Contracts of controls: damage that follows the dose, repeats, proves itself and has no signal."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from evenhand import registry
from evenhand.controls import Control
from evenhand.models import OpenModel
from evenhand.records import Ability, Example, TrainingExample
from evenhand.studies.control_models import installed
from evenhand.studies.methods import made_method
from evenhand.testing.contracts import Contract, NotTried, Subject, expect
from evenhand.testing.examples import examples, one_of_each
from evenhand.testing.laboratory import Untouched, change, genbiaseval, opened, small
from evenhand.testing.mitigations import refused_alike
from evenhand.testing.tiny import model as tiny
from evenhand.testing.treatments import unchanged
from evenhand.treatments import Treatment, load


def _made(subject: Subject) -> Control:
    return cast(Control, small(subject).make())


def _damage(
    subject: Subject,
    model: OpenModel,
    dose: float = 0.5,
    *,
    seed: int = 0,
    kind: type[TrainingExample] | None = None,
) -> Treatment:
    """Damage beside a treatment of block 1, with examples of `kind` (None: prompts if it takes them)."""
    control = _made(subject)
    kind = kind or (Example if Example in control.fits_on else control.fits_on[0])
    beside = unchanged(model, "block.1")
    return control.damage(model, beside, dose, examples=[*one_of_each()[kind]], seed=seed)


def damage_leaves_the_model_bit_for_bit(subject: Subject) -> None:
    """After damage was made, and after it was put on and taken off, the weights have the bits of before."""
    model = tiny("llama")
    before = Untouched.seen(model)
    treatment = _damage(subject, model)
    before.check("after damage was made")
    with treatment.applied(model):
        pass
    before.check("after damage was taken off")


def one_seed_gives_one_damage_which_survives_saving_and_leaves_a_proof(subject: Subject) -> None:
    """The same seed gives the same digest, another seed another one; saved and loaded it is the same."""
    model = tiny("gpt2")
    first, again, other = (_damage(subject, model, seed=seed) for seed in (4, 4, 5))
    expect(first.digest == again.digest, "the same seed gave other damage")
    expect(first.digest != other.digest, "another seed gave the same damage")
    with TemporaryDirectory() as folder:
        first.save(Path(folder) / "saved")
        expect(load(Path(folder) / "saved").digest == first.digest, "saved and loaded it is other damage")
    expect(first.about.proof["max_logprob_change"] > 0, "its proof says that no answer changed")
    expect(first.about.base == model.spec.digest, "it names other weights than those that it damaged")
    method = registry.parse(first.about.method).name
    expect(method == subject.name, f"it says that its method is {method!r}")


def it_touches_what_it_says(subject: Subject) -> None:
    """The damage touches exactly the parameters that `parameters` names."""
    model = tiny("llama")
    said = set(_made(subject).parameters(model, unchanged(model, "block.1"), seed=2))
    found = set(_damage(subject, model, seed=2).touches)
    expect(found == said, f"it says and touches different parameters: {sorted(found ^ said)[:5]}")


def more_of_the_dose_is_more_damage(subject: Subject) -> None:
    """Ten times a dose about the first that a study tries changes weights more than three times as much."""
    model, ladder = tiny("llama"), _made(subject).ladder
    least, most = ladder.start / 2, min(5 * ladder.start, ladder.highest)
    weak, strong = (_distance(_damage(subject, model, dose), model) for dose in (least, most))
    expect(strong > 3 * weak, f"dose {least} changes weights by {weak}, dose {most} by {strong}")


def _distance(treatment: Treatment, model: OpenModel) -> float:
    """The Euclidean distance of the damaged weights from the model's own, over all of them."""
    own = {name: value.detach().clone() for name, value in model.module.named_parameters()}
    with treatment.applied(model) as changed:
        damaged = cast(OpenModel, changed)
        moved = [
            float((value.detach() - own[name]).square().sum())
            for name, value in damaged.module.named_parameters()
        ]
    return math.sqrt(math.fsum(moved))


def its_ladder_is_one_that_a_study_can_use(subject: Subject) -> None:
    """The first dose that a study tries lies between smallest and largest; families keep their order."""
    control = _made(subject)
    bounds = control.ladder.lowest, control.ladder.start, control.ladder.highest
    expect(0 < bounds[0] <= bounds[1] <= bounds[2], f"lowest, start and highest are {bounds}")
    expect(control.needs <= frozenset(Ability), f"it needs {sorted(control.needs)}")
    expect(subject.name.replace("_", " ") in installed(), "no family of control models has its name")
    letters = [one.ladder.letter for one in installed().values()]
    ordered = letters == sorted(set(letters))
    expect(ordered, f"the families' letters are not in order, or not distinct: {letters}")


def handed_in_as_a_mitigation_it_is_itself_at_its_own_dose(subject: Subject) -> None:
    """``--with NAME:dose=0.3`` damages as it would beside a treatment that touches nothing."""
    model, name = tiny("llama"), subject.name
    made = made_method(f"{name}:dose=0.3,blocks=1")
    control = registry.create("control", f"{name}:blocks=1")
    same = repr(made) == repr(registry.create("control", f"{name}:dose=0.3,blocks=1"))
    expect(same, f"as a mitigation it is {made!r}")
    given, wanted = ((c.needs, c.wants_sites, c.fits_on) for c in (made, control))
    expect(given == wanted, "as a mitigation it needs something else")
    alone = made.fit(model, examples(), sites=None, seed=3)
    beside = control.damage(model, unchanged(model), 0.3, examples=examples(), seed=3)
    expect(alone.digest == beside.digest, "as a mitigation it does other damage")
    expect(registry.parse(alone.about.method).name == name, f"its method is {alone.about.method!r}")


def a_block_that_is_not_there_is_refused_before_anything_is_measured(subject: Subject) -> None:
    """As a mitigation with ``blocks=99`` it is refused before the fit, in the words in which the fit does."""
    if "blocks" not in registry.options(registry.get("control", subject.name)):
        raise NotTried("it has no option blocks")
    refused_alike(made_method(f"{subject.name}:blocks=99"), tiny("llama"), examples())


def every_kind_that_it_names_works(subject: Subject) -> None:
    """It takes effect with every kind of examples that `fits_on` names."""
    for kind in _made(subject).fits_on:
        about = _damage(subject, tiny("llama"), kind=kind).about
        expect(about.proof["max_logprob_change"] > 0, f"with {kind.__name__} it changes no answer")


def it_has_no_debiasing_signal(subject: Subject) -> None:
    """At the dose that its case calls harmless the lab's planted gap falls by less than 0.05.

    A method with a signal takes more than 0.2 off the same gap.
    """
    dose = subject.needed("a dose that must be harmless").harmless
    if dose is None:
        raise NotTried("its case names no dose that must be harmless")
    model, (benchmark, training) = opened("lab:causal"), genbiaseval()
    last = unchanged(model, model.layout.blocks()[-1])
    treatment = cast(Control, subject.make()).damage(model, last, dose, examples=training, seed=0)
    (gap,) = change(treatment, model, benchmark, "afgb_normalised")
    expect(gap.low is not None and gap.low > -0.05, f"the gap changes by {gap.low} to {gap.high}")


CONTRACTS: tuple[Contract, ...] = (
    damage_leaves_the_model_bit_for_bit,
    one_seed_gives_one_damage_which_survives_saving_and_leaves_a_proof,
    it_touches_what_it_says,
    more_of_the_dose_is_more_damage,
    its_ladder_is_one_that_a_study_can_use,
    handed_in_as_a_mitigation_it_is_itself_at_its_own_dose,
    a_block_that_is_not_there_is_refused_before_anything_is_measured,
    every_kind_that_it_names_works,
    it_has_no_debiasing_signal,
)
