"""Contrastive BMI: how much each block turns what separates two groups that a prompt states.

BMI (see `evenhand.locators.bmi`) measures how much a block turns the residual stream, whatever it holds. Here
the same prompt is run once with a hint of each group, and the difference of the two runs takes the place of
the state: with D_i the difference before block i and D_{i+1} after it,

    score_i = mean over prompts, pairs of groups and token rows of  1 - cos(D_i, D_{i+1})

so that everything but the group cancels. A row in which the two runs do not differ yet does not count.

The hint is the possessive of the group's lexicon, between the prompt's subject and its end ("The nurse took
his coat and"); groups without one are named by their first term before the subject ("The Black nurse ...").
In another language the order of words differs, and an ending alone may state a group ("arrivé", "arrivée"),
after which every word is the same; so the prompt of a language pack is followed by each group's first term.

It looks at the attribute, and not at a bias: it shows which blocks work on a group that *is* stated, not
which guess one that is not. It therefore claims no block. Its ranking is the same, or nearly, on a model
without a bias; where the two kinds of block coincide is a finding that `ablation` or `causal_tracing` has to
make.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar

from evenhand.errors import BadModel
from evenhand.influence import aggregate, cosine_distance
from evenhand.lexicons import attribute, attribute_names
from evenhand.locators._probing import LeftToRight, ordered, site_scores
from evenhand.progress import task
from evenhand.records import Ability, Attribution, Example, Kinds
from evenhand.registry import spec_of
from evenhand.training.numbers import check_numbers

if TYPE_CHECKING:
    from torch import Tensor

    from evenhand.influence import Array
    from evenhand.locators import Outcome
    from evenhand.models import OpenModel
    from evenhand.models.stage import Stage

READING = (
    "How much a block turns the difference between prompts that state one group and the other. It shows "
    "where a stated group is worked on, not where an unstated one is guessed."
)
HINT = "{subject} took {possessive} coat and"


@dataclass(frozen=True)
class ContrastiveBmi(LeftToRight):
    """Rank blocks by how much they turn the difference between two stated groups.

    Attributes:
        drop_hint: leave out the row of the hint itself, where the two prompts have different words.
        prompts: so many of the probes, the shortest first among one a subject.
    """

    drop_hint: bool = False
    prompts: int = 128

    name: ClassVar[str] = "contrastive_bmi"
    specific: ClassVar[bool] = True
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.HIDDEN})
    fits_on: ClassVar[Kinds] = (Example,)

    def __post_init__(self) -> None:
        check_numbers("contrastive_bmi", self, whole=("prompts",))

    def stages(self, model: OpenModel, probes: Sequence[Example]) -> tuple[Stage, ...]:
        """What it takes: the same of one prompt, hinted at each group, which is less than a tree."""
        from evenhand.models.stage import PROBED, Stage

        return (Stage(changed=0, backward=False, rows=0, tokens=PROBED, length=PROBED, states=1),)

    def locate(
        self, model: OpenModel, probes: Sequence[Example], outcome: Outcome | None = None, *, seed: int
    ) -> Attribution:
        """Score every block; `outcome` is not used, and nothing is random.

        Raises:
            BadModel: the model gives no hidden states, reads in both directions, or a score is undefined.
            BadData: a prompt does not say where its subject stands.
        """
        opened = self.opened(model)
        chosen = one_a_subject(probes)[: self.prompts]
        rows = _distances(opened, chosen, drop_hint=self.drop_hint)
        blocks = opened.layout.blocks()
        return Attribution(
            locator=spec_of("contrastive_bmi", self),
            specific=self.specific,
            scores=site_scores(blocks, [_defined(rows[site], site) for site in blocks]),
            reading=READING,
            claims=False,
            details={
                "prompts": len(chosen),
                "example": list(hinted(chosen[0])),
                "last_row": [aggregate([row[-1:] for row in rows[site]], "row_mean") for site in blocks],
            },
        )


def one_a_subject(probes: Sequence[Example]) -> list[Example]:
    """The shortest probe of every subject."""
    found: dict[str, Example] = {}
    for probe in ordered(probes):
        found.setdefault(probe.cluster, probe)
    return list(found.values())


def hinted(example: Example) -> tuple[str, ...]:
    """The prompt with a hint of each group, in their order.

    Raises:
        BadData: the example does not say where its subject stands.
    """
    from evenhand.scoring.subjects import check_spans

    check_spans([example])
    assert example.span is not None
    start, end = example.span
    same = [a for a in map(attribute, attribute_names()) if a.group_names == example.groups]
    if any(a.is_pack and f"/{a.name}/" in example.id for a in same):
        return tuple(f"{example.context}{forms[0]}" for forms in example.terms)
    known = next((a for a in same if not a.is_pack), None)
    words = [group.possessive for group in known.groups] if known is not None else [None]
    if all(words):
        return tuple(HINT.format(subject=example.context[:end], possessive=word) for word in words)
    names = [forms[0].strip() for forms in example.terms]
    return tuple(f"{example.context[:start]}{name} {example.context[start:]}" for name in names)


def _distances(model: OpenModel, chosen: Sequence[Example], *, drop_hint: bool) -> dict[str, list[Array]]:
    """The distances of each pair of hinted prompts, one array [rows] a pair, by block."""
    import torch

    from evenhand.hooks import observe
    from evenhand.scoring.forward import evaluating, run_texts
    from evenhand.scoring.packing import common
    from evenhand.scoring.tokens import Encoder

    blocks, encoder = model.layout.blocks(), Encoder.of(model.module, model.tokenizer)
    found: dict[str, list[Array]] = {site: [] for site in blocks}
    with (
        torch.no_grad(),
        evaluating(model.module),
        observe(model, blocks) as seen,
        task("locating by contrast", len(chosen), unit="prompt") as advance,
    ):
        for example in chosen:
            texts = hinted(example)
            run_texts(model.module, model.tokenizer, texts)  # padded on the left
            ids = encoder.prompts(texts)
            for one, other in combinations(range(len(texts)), 2):
                # From the hint on; the two end alike, so rows are matched from the end.
                kept = min(len(ids[one]), len(ids[other])) - common(ids[one], ids[other])
                for site in blocks:
                    given, output = (_difference(state, one, other, kept)[drop_hint:] for state in seen[site])
                    found[site].append(cosine_distance(given, output))
            advance(1)
    return found


def _difference(states: Tensor, one: int, other: int, kept: int) -> Array:
    """The difference of two rows of states [rows, length, width] at their last tokens, [kept, width]."""
    first = states.shape[1] - kept
    found: Array = (states[one, first:].double() - states[other, first:].double()).cpu().numpy()
    return found


def _defined(rows: Sequence[Array], site: str) -> float:
    """The mean of all defined rows.

    Raises:
        BadModel: there is none.
    """
    value = aggregate(rows, "row_mean")
    if value is None:
        raise BadModel(
            f"The contrast is undefined at {site}: stating a group changes no state.",
            mend="Use prompts whose groups have words that the model knows.",
        )
    return value


component = ContrastiveBmi
