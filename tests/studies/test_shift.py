"""How far a change moved a model: sizes, the guards made of it, and the bias at the base's temperature."""

from __future__ import annotations

import dataclasses
import math

import pytest
from torch import Tensor

from evenhand import registry
from evenhand.records import Ability, Card, Measurement, ModelSpec, Protocol, Score
from evenhand.scoring import distributions, forward
from evenhand.scoring.distributions import divergence
from evenhand.studies.guards import moved_checks
from evenhand.studies.margins import Margins
from evenhand.studies.measure import take
from evenhand.studies.shift import (
    NAME,
    Context,
    NoShift,
    Shift,
    contexts,
    kinds_of,
    size_of,
    temperature_of,
    tempered,
    terms_of,
)
from evenhand.testing import tiny
from evenhand.treatments import About
from evenhand.treatments.prompt import PromptTreatment
from evenhand.treatments.weights import WeightTreatment

FAST = Margins(draws=300)
ASKED = [
    *(
        Context("text", f"text/{i}", f"The {word}")
        for i, word in enumerate(("nurse", "cook", "door", "train"))
    ),
    *(Context("bias", word, f"The {word} smiled because") for word in ("nurse", "cook", "guard")),
]


def noisy(scale: float) -> WeightTreatment:
    """The first matrix of the last block times 1 + scale."""
    model = tiny.model("llama")
    name = next(n for n, p in reversed(list(model.module.named_parameters())) if p.ndim == 2)
    value = model.module.get_parameter(name).detach() * (1 + scale)
    return WeightTreatment(About("scaled", model.spec.digest, 0), {name: value})


def test_nothing_done_moves_nothing_and_more_moves_more() -> None:
    model = tiny.model("llama")
    shift = Shift(model, ASKED, (" he", " she")).ready()
    assert shift.size(model) == pytest.approx(0.0, abs=1e-3)  # rounding of another packing
    sizes = []
    for scale in (0.05, 0.5):
        with noisy(scale).applied(model) as changed:
            size = shift.size(changed)
            assert size == size_of(shift.of(changed, ("text",)))
            assert size == pytest.approx(size_of(shift.of(changed)), rel=1e-3)
        assert size is not None
        sizes.append(size)
    assert 0 < sizes[0] < sizes[1]


def test_every_context_is_read_and_kinds_can_be_chosen() -> None:
    model = tiny.model("llama")
    shift = Shift(model, ASKED, (" he", " she")).ready()
    with noisy(0.2).applied(model) as changed:
        whole, text = shift.of(changed), shift.of(changed, ("text",))
    assert (whole.benchmark, whole.n, kinds_of(whole)) == (NAME, 7, ("text", "bias"))
    assert (text.n, kinds_of(text)) == (4, ("text",))
    kls = [[s.values["kl"] for s in one.scores[:4]] for one in (whole, text)]
    assert kls[0] == pytest.approx(kls[1], rel=1e-3)
    assert all(s.values["kl"] is not None and s.values["kl.rest"] is not None for s in whole.scores)
    assert temperature_of(whole) == pytest.approx(temperature_of(text), rel=1e-3)


def test_a_prompted_model_is_read_with_its_prompt_and_a_recorded_one_is_not() -> None:
    model = tiny.model("llama")
    treatment = PromptTreatment(About("prompt", model.spec.digest, 0), "Anyone may be late.")
    shift = Shift(model, ASKED).ready()
    with treatment.applied(model) as prompted:
        size = shift.size(prompted)
    assert size is not None
    assert size > 0


def test_contexts_of_a_verification() -> None:
    model = tiny.model("llama")
    source = registry.create("benchmark", "genbiaseval:split=heldout")
    hints = registry.create("benchmark", "genhinteval")
    found = contexts(model, source, [source, hints], seed=0)
    counts = {kind: sum(one.kind == kind for one in found) for kind in ("text", "bias", "hints", "subjects")}
    assert counts["bias"] == counts["hints"] == counts["subjects"] == 200
    assert 100 <= counts["text"] <= 256
    trained = {example.context for example in source.examples()}
    assert not trained & {one.text for one in found}
    assert terms_of(source) == (" he", " she")
    assert terms_of(registry.create("benchmark", "facts")) == ()


def test_what_follows_nothing_is_no_prompt() -> None:
    """StereoSet scores whole sentences: one empty beginning would be one cluster, and never decided."""
    source = registry.create("benchmark", "stereoset:data=lab")
    assert {request.context for sample in source.load() for request in source.ask(sample)} == {""}
    assert {one.kind for one in contexts(tiny.model("llama"), source, [source], seed=0)} == {
        "text",
        "subjects",
    }


def test_neutral_text_has_none_of_the_groups_words() -> None:
    """One of the plain sentences is about an old map; for age it says a group's word."""
    model = tiny.model("llama")
    gender, age = (
        registry.create("benchmark", f"genbiaseval:attribute={name}") for name in ("gender", "age")
    )
    assert " old" in terms_of(age)
    texts = [[one.text for one in contexts(model, b, [], 0) if one.kind == "text"] for b in (gender, age)]
    assert [any(" old " in f" {text} " for text in found) for found in texts] == [True, False]


def test_a_few_rows_at_a_time_give_the_same_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The head has room for two rows of the vocabulary: no table of the changed model is larger."""
    model = tiny.model("llama")
    shift = Shift(model, ASKED, (" he", " she")).ready()
    sizes: list[int] = []

    def counted(before: Tensor, after: Tensor) -> Tensor:
        sizes.append(len(after))
        return divergence(before, after)

    monkeypatch.setattr(distributions, "divergence", counted)
    found = []
    with noisy(0.2).applied(model) as changed:
        for rows in (1000, 2):
            monkeypatch.setattr(forward, "LOGIT_BYTES", rows * 4 * distributions.vocabulary(model))
            found.append(shift.of(changed))
    whole, parts = ([*s.values.values()] for one in found for s in [one.scores[0]])
    assert parts == pytest.approx(whole, rel=1e-3, abs=1e-6)
    for one, other in zip(found[0].scores, found[1].scores, strict=True):
        assert one.sample == other.sample
        assert other.values["kl"] == pytest.approx(one.values["kl"], rel=1e-3, abs=1e-6)
    assert sizes[:2] == [7, 7]  # once over everything, once over the rest
    assert set(sizes[2:]) <= {1, 2}
    assert sum(sizes[2:]) == 2 * 7


def test_a_flatter_model_is_read_at_the_bases_temperature() -> None:
    """Logits divided by 2 by the last norm, and then by 1/2 again: the base's own figures come back."""
    model = tiny.model("llama")
    names = model.layout.parameters("norm")
    flat = {name: model.module.get_parameter(name).detach() / 2 for name in names}
    treatment = WeightTreatment(About("flat", model.spec.digest, 0), flat)
    shift = Shift(model, ASKED).ready()
    with treatment.applied(model) as changed:
        T = temperature_of(shift.of(changed))
    assert pytest.approx(0.5, rel=1e-2) == T
    benchmark = registry.create("benchmark", "genbiaseval:split=heldout")
    base = take(model, benchmark, limit=6)
    with tempered(treatment, model, 0.5) as back:
        again = take(back, benchmark, limit=6)
        assert back.spec.digest not in (model.spec.digest, changed.spec.digest)
    for one, two in zip(base.scores, again.scores, strict=True):
        assert one.values["p.male"] == pytest.approx(two.values["p.male"], rel=1e-3)


def shifted(rest: dict[str, float], entropy: float = 0.0, n: int = 60) -> Measurement:
    """A shift of so many nats after each kind of context, a tenth of it up and down."""
    scores = []
    for kind, nats in rest.items():
        for i in range(n):
            values = {
                "kl": nats,
                "kl.rest": nats * (1 + 0.1 * (-1) ** i),
                "entropy.before": 2.0,
                "entropy.after": 2.0 + entropy * (1 + 0.1 * (-1) ** i),
                "temperature": 1.0 if kind == "text" else None,
            }
            scores.append(Score(f"shift/{kind}/{i}", f"{kind}/{i}", values, {"kind": kind}))
    card = Card(NAME, "1", NAME, "", "")
    return Measurement(
        ModelSpec("m", "0" * 64), NAME, card, Protocol("d"), len(scores), {}, {}, tuple(scores)
    )


def test_a_dead_word_is_not_kept_though_every_answer_is() -> None:
    """Every other word lost .371 nats after the bias prompts, and hardly anything after neutral text."""
    found = {
        check.name: check for check in moved_checks(shifted({"text": 0.003, "bias": 0.371}), margins=FAST)
    }
    assert list(found) == [
        "rest of the distribution (text)",
        "entropy of neutral text",
        "rest of the distribution (bias)",
    ]
    assert found["rest of the distribution (text)"].kept is True
    bias = found["rest of the distribution (bias)"]
    assert (bias.kept, bias.margin) == (False, 0.02)
    assert bias.loss.value == pytest.approx(0.371)


@pytest.mark.parametrize(
    ("change", "kept"), [(0.0, True), (0.03, True), (-0.03, True), (0.2, False), (-0.2, False)]
)
def test_the_entropy_may_move_a_little_either_way(change: float, kept: bool) -> None:
    found = {check.name: check for check in moved_checks(shifted({"text": 0.001}, change), margins=FAST)}
    entropy = found["entropy of neutral text"]
    assert entropy.kept is kept
    assert entropy.loss.value == pytest.approx(change)


def test_an_unmoved_model_keeps_the_rest() -> None:
    (rest, entropy) = moved_checks(shifted({"text": 0.0}), margins=FAST)
    assert (rest.kept, entropy.kept) == (True, True)
    assert rest.loss.value == 0.0


def test_the_size_is_the_root_of_the_mean() -> None:
    """.09 and .01 nats: the mean is .05, the root .2236."""
    made = shifted({"text": 0.09}, n=2)
    second = dataclasses.replace(made.scores[1], values={**made.scores[1].values, "kl": 0.01})
    assert size_of(dataclasses.replace(made, scores=(made.scores[0], second))) == pytest.approx(
        math.sqrt(0.05)
    )


def test_a_model_of_other_tokens_or_without_weights_is_not_compared() -> None:
    """The vocabularies differ in size, or the answers are all that there is."""
    shift = Shift(tiny.model("llama"), ASKED).ready()
    larger = tiny.model("llama", vocab_size=tiny.model("llama").module.config.vocab_size + 64)
    with pytest.raises(NoShift, match="has other tokens than its base"):
        shift.of(larger)
    with pytest.raises(NoShift, match="does not give what it expects next"):
        shift.size(Answers())


class Answers:
    """A model of which nothing but answers is known."""

    spec = ModelSpec("recorded:a.jsonl", "0" * 64)
    can = frozenset({Ability.LOGPROBS})


def test_the_base_is_asked_before_anything_is_applied_to_it() -> None:
    shift = Shift(tiny.model("llama"), ASKED)
    with pytest.raises(AssertionError, match="cannot be the base"):
        shift.of(tiny.model("llama"))
    assert shift.ready() is shift


def test_sizes_need_no_temperature() -> None:
    model = tiny.model("llama")
    shift = Shift(model, ASKED).ready()
    with noisy(0.2).applied(model) as changed:
        assert temperature_of(shift.of(changed, ("text",), fitted=False)) is None
