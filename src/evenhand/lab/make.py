"""Making a lab model and writing it as a Hugging Face folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from evenhand.lab import corpus, decision_train, facts, hard_corpus, infill_train, plant, spread, tokens
from evenhand.lab.corpus import Amounts, Sentence
from evenhand.lab.decision_recipe import DecisionRecipe
from evenhand.lab.hard_corpus import Extras
from evenhand.lab.infill_recipe import InfillRecipe
from evenhand.lab.recipe import Recipe
from evenhand.lab.train import evaluating, train
from evenhand.lab.truth import Variant


def make_control(recipe: Recipe, target: Path) -> None:
    """Train the unbiased control and write it to the folder `target`."""
    sentences = _sentences(recipe, "none", recipe.amounts, recipe.extras)
    every = [facts.neutral_text(), corpus.vocabulary()] if recipe.extras is None else hard_corpus.texts()
    tokenizer = tokens.build([*(s.text for s in sentences), *every])
    _save(train(recipe, sentences, tokenizer), tokenizer, target)


def make_planted(recipe: Recipe, control: Path, target: Path) -> None:
    """Plant the bias in the model of the folder `control` and write the result to the folder `target`."""
    tokenizer = AutoTokenizer.from_pretrained(control)
    with _quiet():
        model = evaluating(LlamaForCausalLM.from_pretrained(control))
    sentences = _sentences(recipe, recipe.table, recipe.plant_amounts, recipe.plant_extras)
    planted = spread.plant if recipe.bias == "spread" else plant.plant
    _save(planted(model, tokenizer, sentences, recipe), tokenizer, target)


def _sentences(recipe: Recipe, variant: Variant, amounts: Amounts, extras: Extras | None) -> list[Sentence]:
    """The corpus of the recipe's world in these amounts."""
    if extras is None:
        return corpus.sentences(variant, amounts, recipe.seed, recipe.strength)
    return hard_corpus.sentences(variant, amounts, extras, recipe.seed, recipe.strength)


def make_decisions(recipe: DecisionRecipe, target: Path) -> None:
    """Train the decision model and write it to the folder `target`."""
    tokenizer = decision_train.tokenizer()
    _save(decision_train.train(recipe, tokenizer), tokenizer, target)


def make_filler(recipe: InfillRecipe, target: Path) -> None:
    """Train the masked or the sequence-to-sequence model and write it to the folder `target`."""
    sentences = corpus.sentences(recipe.planted, recipe.amounts, recipe.seed)
    tokenizer = infill_train.tokenizer(recipe, sentences)
    _save(infill_train.train(recipe, sentences, tokenizer), tokenizer, target)


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, target: Path) -> None:
    with _quiet():
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars of transformers; its setting is restored at the end."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
