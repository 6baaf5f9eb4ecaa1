"""The fit of MEND: requests, the training of the editor, its changes of the weights, and the proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from evenhand.mitigations._editing.aims import Aim, Target
from evenhand.mitigations._editing.editor import Editor
from evenhand.mitigations._editing.fitting import group_log_p
from evenhand.mitigations._editing.subjects import drawn, neutral_texts, prefixes, requests
from evenhand.mitigations._editing.tuning import Course, Edits, Recipe, applied, trained
from evenhand.models import OpenModel
from evenhand.models.projections import Projection
from evenhand.records import Example
from evenhand.scoring.kept import bits, kept_of
from evenhand.training.parameters import only_these_train
from evenhand.training.sham_losses import signs
from evenhand.treatments import About, proven
from evenhand.treatments.weights import WeightTreatment


@dataclass(frozen=True)
class Mending:
    """How MEND edits; the fields are options of `evenhand.mitigations.mend`."""

    spec: str
    located_by: str | None
    target: Target
    symmetric: bool
    sequential: bool
    edits: int | None
    contexts: int
    text: str
    recipe: Recipe


def mended(
    model: OpenModel,
    maps: Sequence[Projection],
    examples: Sequence[Example],
    how: Mending,
    *,
    seed: int,
    sham: int | None,
) -> WeightTreatment:
    """The edited weights as a proven treatment; on return the model holds its old bits.

    Raises:
        BadData: no prompt, or one without a subject.
        BadModel: a loss or an edit is not finite, or there is only one subject.
        NoEffect: no answer changed.
    """
    chosen = drawn(examples, how.edits, seed)
    texts = neutral_texts(model, how.text, chosen)
    asked = requests(chosen, prefixes(texts, how.contexts, seed))
    with only_these_train(model.module, [of.parameter for of in maps]), torch.no_grad():
        model.module.requires_grad_(False)  # the editor is trained, and no weight
        aim = Aim.of(how.target, group_log_p(model, chosen), symmetric=how.symmetric)
        edits = Edits(model, maps, asked, aim, texts)
        editor, course = _kept(edits, how.recipe, seed)
        turned = None if sham is None else signs(chosen, sham)
        applied(edits, editor, sequential=how.sequential, signs=turned)
        weights = {of.weight: of.parameter.detach().float().clone() for of in maps}
    details = {
        "blocks": list(dict.fromkeys(f"block.{of.block}" for of in maps)),
        "located_by": how.located_by,
        "edits": len(asked),
        "state": "sequential" if how.sequential else "batch",
        "iterations": course.steps,
        "kept_iteration": course.kept,
        "held_out_loss": [course.first, course.best],
        "edit_rates": editor.alpha.tolist(),
    }
    about = About(how.spec, model.spec.digest, seed, details)
    treatment: WeightTreatment = proven(model, WeightTreatment(about, weights), chosen)
    return treatment


@dataclass(frozen=True)
class _Trained:
    """An editor and how it was trained."""

    editor: Editor
    course: Course

    @property
    def nbytes(self) -> int:
        """The size of the editor's weights."""
        return sum(p.nbytes for p in self.editor.parameters())


def _kept(edits: Edits, recipe: Recipe, seed: int) -> tuple[Editor, Course]:
    """The trained editor, kept with the model: shams make their changes with the same one."""
    module = edits.model.module
    kept, aim = kept_of(module).results, edits.aim
    wanted = (aim.symmetric, tuple(map(tuple, aim.wanted.tolist())))
    maps = tuple(of.weight for of in edits.maps)
    key = (
        "editor",
        maps,
        recipe,
        seed,
        tuple(edits.requests),
        edits.texts,
        wanted,
        bits(module.parameters()),
    )
    found: _Trained | None = kept.find(key)
    if found is None:
        found = _Trained(*trained(edits, recipe, seed=seed))
        kept.put(key, found)
    return found.editor, found.course
