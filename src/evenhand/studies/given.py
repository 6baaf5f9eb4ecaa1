"""A treated model that somebody else made, in the place of a treatment that is fitted.

It may be any model that can be opened. Where both models give their weights, the parameters that carry the
difference are those that control models damage; how it was trained is not known. A treatment that was saved,
or an adapter, put on the same base is used as the treatment that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.benchmarks import Benchmark
from evenhand.errors import BadData, UsageError
from evenhand.files import is_folder, written_as_path
from evenhand.folders import settle
from evenhand.models import Chatter, Model, OpenModel, gives_weights
from evenhand.opening import opened, require_hf
from evenhand.records import TREATED, digest
from evenhand.studies import reasons
from evenhand.studies.carriers import carriers
from evenhand.studies.fitting import IMPOSSIBLE, Found, no_weights
from evenhand.studies.options import VerifyOptions

if TYPE_CHECKING:
    from evenhand.treatments import About, Treatment

Reopen = Callable[[], AbstractContextManager[Model]]

_UNKNOWN = (
    "How the treated model was made is not known: there is no sham of its method among the controls, and one "
    "that trains does so by its own defaults."
)


def check_treated(treated: object, mitigation: str | None, locator: str | None, seeds: int = 1) -> None:
    """Refuse what makes no sense beside a model that was treated already; None is what was not given.

    Raises:
        UsageError: it is no text, or a method, a locator or several seeds are given too.
    """
    if not isinstance(treated, str) or not treated:
        raise UsageError(f"treated={treated!r} is not the name of a model.", mend="Write one: hf:./folder.")
    if mitigation is not None:
        raise UsageError(
            f"{mitigation} would be fitted (--with), and {treated} is treated already (--treated).",
            mend="Leave one of the two away.",
        )
    if locator is not None:
        raise UsageError(
            f"The locator {locator} chooses what a method treats, and {treated} is treated already.",
            mend="Leave --locator away.",
        )
    if seeds != 1:
        raise UsageError(
            f"{treated} is one model, and {seeds} seeds fit several of a method.",
            mend="Leave --seeds away, or name the method that made it with --with.",
        )


@dataclass(frozen=True)
class OtherModel:
    """A model of its own as the `Treatment` of the base beside which it is judged.

    `touches` are the parameters that carry the difference from the base's; `reopen` opens the model, whose
    identity `digest` is.
    """

    about: About
    digest: str
    touches: frozenset[str]
    reopen: Reopen = field(repr=False, compare=False)

    def evidence(self, model: Model) -> Any:
        """What its weights showed when it was compared with the base."""
        return self.about.proof

    @contextmanager
    def applied(self, model: Model) -> Iterator[Model]:
        """The other model itself, opened while the context lasts; `model` is left as it is.

        Raises:
            BadData: it is not the model that was compared with the base.
        """
        with self.reopen() as other:
            if _identity(other) != self.digest:
                raise BadData(
                    f"{other.spec.uri} was changed while it was being judged.", mend="Run the command again."
                )
            yield other

    def save(self, folder: Path) -> None:
        """Refused: a model is no difference that could be put on its base.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.about.method} is a model of its own.", mend="Copy the model instead.")


@dataclass(frozen=True)
class Carried:
    """A saved treatment whose change a part of its parameters carries; `touches` are these."""

    whole: Treatment
    touches: frozenset[str]

    @property
    def about(self) -> About:
        """That of the treatment."""
        return self.whole.about

    @property
    def digest(self) -> str:
        """That of the treatment."""
        return self.whole.digest

    def evidence(self, model: Model) -> Any:
        """What the treatment shows."""
        return self.whole.evidence(model)

    def applied(self, model: Model) -> AbstractContextManager[Model]:
        """The whole treatment, on the model."""
        return self.whole.applied(model)

    def save(self, folder: Path) -> None:
        """The whole treatment, in the folder."""
        self.whole.save(folder)


@dataclass(frozen=True)
class Given:
    """A treated model that is ready: its treatment, and what is known of it.

    `place` says what was changed (``12 of 39 parameters``) where control models had to be made by that alone;
    empty where there are none, or where a saved treatment brings its own settings.
    """

    said: str
    found: Treatment
    uncontrolled: str = ""
    place: str = ""
    notes: tuple[str, ...] = ()

    @property
    def shammed(self) -> bool:
        """Whether the settings of a method are known, whose sham can be made."""
        return not self.place

    def check(self, tested: Sequence[Benchmark]) -> None:
        """Nothing: the model was opened already, and what it was trained on is not known."""

    def treatment(self) -> Found:
        """The treatment, as it is; no locator chose where it works."""
        return self.found, None

    def remarks(self, families: Sequence[str]) -> tuple[str, ...]:
        """Which control models ran, on what, and what they could not know."""
        if not families or not self.place:
            return ()
        ran = f"Control models ran of {reasons.listed(families)}, matched to a change of {self.place}."
        return ran, _UNKNOWN


def given(name: str, base: str, model: Model, options: VerifyOptions) -> Given:
    """The treated model `name`, compared with the open `model`, which was opened by the name `base`.

    `name` is the name of a model, the folder of a saved treatment or of an adapter, or ``BASE+FOLDER``.

    Raises:
        EvenhandError: it cannot be opened, or was made for another base.
    """
    folder, said = _addition(name, base), TREATED + name
    if folder is not None:
        found = _on_base(said, folder, model)
    else:
        reopen = partial(opened, name, dtype=options.dtype, batch_tokens=options.batch_tokens)
        with reopen() as other:
            found = _beside(said, model, other, reopen, options.seed)
    unknown = f"What {name} was trained on is not known: items of these benchmarks may be among it."
    return replace(found, notes=(*found.notes, unknown))


def is_model(name: str, base: str) -> bool:
    """Whether `name` is a model's (``hf:...``), not a treatment's or an adapter's (``BASE+FOLDER``)."""
    return ":" in name.partition("/")[0] and not name.startswith(f"{base}+")


def _addition(name: str, base: str) -> Path | None:
    """The folder of a treatment or of an adapter for the base that `name` names, None for another model."""
    if is_model(name, base):
        return None
    name = name.removeprefix(f"{base}+")
    folder = Path(name).expanduser()
    if not is_folder(folder):
        return None
    require_hf(f"Opening {name}")
    settle(folder)
    from evenhand.treatments import holds_treatment

    if not holds_treatment(folder):
        near = f"Write hf:{_local(name)} if it is a model." if (folder / "config.json").is_file() else ""
        raise BadData(
            f"{name} holds neither a saved treatment nor an adapter.",
            mend=near
            or "Name a folder that `evenhand mitigate` or peft wrote, or a model such as hf:./folder.",
        )
    return folder


def _local(name: str) -> str:
    return name if written_as_path(name) else f"./{name}"


def _on_base(said: str, folder: Path, model: Model) -> Given:
    """A saved treatment or an adapter; it is put on the base once, so that a wrong base is refused now."""
    from evenhand.treatments import load
    from evenhand.treatments.weights import WeightTreatment

    treatment = load(folder)
    with treatment.applied(model):
        pass
    if not gives_weights(model):
        return Given(said, treatment, no_weights(model))
    if treatment.about.details or not treatment.touches:
        return Given(said, treatment)
    differ = treatment.touches
    touches = differ
    if isinstance(treatment, WeightTreatment):
        before = {name: model.module.get_parameter(name) for name in treatment.weights}
        touches = carriers(before, treatment.weights) or differ
        treatment = Carried(treatment, touches) if touches < differ else treatment
    return Given(said, treatment, place=_counted(model, touches, differ))


def _beside(said: str, model: Model, other: Model, reopen: Reopen, seed: int) -> Given:
    """Another model, compared with the base tensor by tensor where both give their weights."""
    from evenhand.treatments import About

    about = partial(About, said, model.spec.digest, seed)
    if not gives_weights(model) or not gives_weights(other):
        silent = other if gives_weights(model) else model
        return Given(said, OtherModel(about(), _identity(other), frozenset(), reopen), no_weights(silent))
    unlike = _unlike(model, other)
    notes = _tokenizers(model, other)
    if unlike:
        why = f"{IMPOSSIBLE}: {unlike}, so it is not known what was changed."
        return Given(said, OtherModel(about(), _identity(other), frozenset(), reopen), why, notes=notes)
    differ, proof = _changes(model, other)
    touches = carriers(*(dict(one.module.named_parameters()) for one in (model, other))) & differ or differ
    found = OtherModel(about(proof=proof), _identity(other), touches, reopen)
    if not differ:
        why = (
            f"{_unchanged(model, other)}: every parameter of {other.spec.uri} has the value that it has in "
            f"{model.spec.uri}, so there is nothing to damage in a control model."
        )
        return Given(said, found, why, notes=notes)
    return Given(said, found, place=_counted(model, touches, differ), notes=notes)


def _unchanged(model: OpenModel, other: OpenModel) -> str:
    """What is the same in two models of the same weights, and what of their configurations is not."""
    from evenhand.models.digests import settings_of  # needs torch

    ours, theirs = (settings_of(one.module, one.tokenizer) for one in (model, other))
    differ = sorted(
        name for name in ours.keys() | theirs.keys() if ours.get(name, ()) != theirs.get(name, ())
    )
    if not differ:
        return "Nothing was changed"
    return f"The configuration alone was changed ({', '.join(differ)})"


def _identity(model: Model) -> str:
    """What decides the answers of a model: weights, tokenizer, configuration, precision, chat template."""
    template = model.chat_template if isinstance(model, Chatter) else None
    return digest("treated", model.spec.identity, model.spec.dtype, template)


def _unlike(model: OpenModel, other: OpenModel) -> str:
    """How the parameters of two models differ in kind, name or shape; empty where they do not."""
    ours, theirs = model.spec, other.spec
    if ours.architecture != theirs.architecture:
        return f"{theirs.uri} is of the architecture {theirs.architecture}, {ours.uri} of {ours.architecture}"
    shapes, their_shapes = (
        {name: tuple(p.shape) for name, p in one.module.named_parameters()} for one in (model, other)
    )
    for name in sorted(shapes.keys() | their_shapes.keys()):
        mine, yours = shapes.get(name), their_shapes.get(name)
        if mine is None or yours is None:
            return f"only {ours.uri if yours is None else theirs.uri} has a parameter {name}"
        if mine != yours:
            return f"{name} has the shape {mine} in {ours.uri} and {yours} in {theirs.uri}"
    return ""


def _changes(model: OpenModel, other: OpenModel) -> tuple[frozenset[str], dict[str, Any]]:
    """The parameters whose values differ, and by how much; one tensor at a time, nothing is copied whole."""
    import torch

    from evenhand.treatments.weights import weight_proof

    old, new = dict(model.module.named_parameters()), dict(other.module.named_parameters())
    touches = frozenset(n for n, value in new.items() if not torch.equal(value.detach().to(old[n]), old[n]))
    changed = {name: new[name].detach() for name in sorted(touches)}
    return touches, weight_proof(model.module, changed) if touches else {"tensors": 0}


def _counted(model: OpenModel, touches: frozenset[str], differ: frozenset[str]) -> str:
    every = sum(1 for _ in model.module.named_parameters())
    carried = f", which carry it of {len(differ)} that differ" if len(touches) < len(differ) else ""
    return f"{len(touches)} of {every} parameters{carried}"


def _tokenizers(model: OpenModel, other: OpenModel) -> tuple[str, ...]:
    from evenhand.models.digests import tokenizer_digest

    if tokenizer_digest(model.tokenizer) == tokenizer_digest(other.tokenizer):
        return ()
    return (
        f"The tokenizers of {model.spec.uri} and {other.spec.uri} differ: only figures of whole texts can be "
        "compared.",
    )
