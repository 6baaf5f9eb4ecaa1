"""Generated sequences of demonstrations, as token ids, with the planted probability at every label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from evenhand.lab import decision_truth, people
from evenhand.lab.truth import Variant

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
FILLERS = (
    "decide", "about", "each", "person", "please", "be", "careful", "now", "and", "the", "rules", "are",
    "of", "every", "gender", "do", "not", "assume", "anything", "from", "treat", "men", "women", "alike",
    "as", "always", "answer", "with", "or", "you", "must", "is", "a", "bank", "official",
)  # fmt: skip
"""Words of instructions without an effect on the bias."""
STARTS = ("Decide", "Please", "Be", "You", "Treat", "The", "Do")
_OPENING = "Person"


@dataclass(frozen=True, slots=True)
class Sequences:
    """One batch of B sequences of R people each, all of T tokens.

    `ids` [B, T] starts with BOS; the first person starts at position `start`. The tokens before it are an
    instruction, which is excluded from the loss. `places` [R] are the positions whose next token is a label,
    the same in every row. See `evenhand.lab.decision_truth` for the next three: `signs` [B, R] is what each
    person adds to the agreement (+1 or -1), `factor` [B] the effect of the instruction, `logit_bias` [B, R]
    the bias, in nats, that applies to each person. `p_yes` [B, R] is the planted probability.
    """

    ids: Ints
    start: int
    places: Ints
    signs: Ints
    factor: Floats
    logit_bias: Floats
    p_yes: Floats


def vocabulary_text() -> str:
    """A text with every word of the language as it occurs: at the start of a line, and after a space."""
    inner = [value for values in people.columns().values() for value in values]
    inner += [*decision_truth.ATTENUATING, *decision_truth.AMPLIFYING, *FILLERS, _OPENING, "approved"]
    starts = [*decision_truth.ATTENUATING, *decision_truth.AMPLIFYING, *STARTS, _OPENING]
    return "\n".join([*starts, f" {' '.join(inner)}{''.join(people.LABELS)}", ""])


class Writer:
    """Draws batches in the tokens of one tokenizer; `seed` determines every draw."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, planted: Variant, seed: int) -> None:
        self._planted, self._chance = planted, np.random.default_rng(seed)
        self._columns = [_after_space(tokenizer, values) for values in people.columns().values()]
        self._labels = _tokens(tokenizer, people.LABELS)
        self._approved, self._line, self._opening, self._joined = _tokens(
            tokenizer, (" approved", people.SEPARATOR, _OPENING, f" {_OPENING}")
        )
        self._bos = int(tokenizer.bos_token_id)
        self._effective = [  # [2, N] each: the words after a space, and at the start of the text
            np.stack([_after_space(tokenizer, group), _tokens(tokenizer, group)])
            for group in (decision_truth.ATTENUATING, decision_truth.AMPLIFYING)
        ]
        self._fillers = np.concatenate([_after_space(tokenizer, FILLERS), _tokens(tokenizer, STARTS)])
        special = [tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id]
        meaning = np.concatenate([special, *(group.ravel() for group in self._effective)])
        self._any = np.setdiff1d(np.arange(len(tokenizer)), meaning)
        self._levels, self._log_odds = _kinds()

    def draw(self, rows: int, records: int, header: int = 0) -> Sequences:
        """`rows` sequences of `records` people, behind an instruction of `header` tokens; 0 for none."""
        cells = self._cells(rows, records)
        front, factor = self._front(rows, header)
        body = self._body(cells)
        if header and self._chance.random() < 0.5:
            front = np.concatenate([front, np.full((rows, 1), self._line)], axis=1)
        elif header:
            body[:, 0] = self._joined
        width, start = body.shape[1] // records, front.shape[1]
        sides = 1 - 2 * cells.sex
        signs = sides * (2 * cells.yes - 1)
        logit_bias = (
            factor[:, None] * _logit_biases(signs) if self._planted != "none" else np.zeros(signs.shape)
        )
        return Sequences(
            ids=np.concatenate([front, body], axis=1),
            start=start,
            places=start + width * np.arange(records) + width - 3,
            signs=signs,
            factor=factor,
            logit_bias=logit_bias,
            p_yes=_logistic(self._log_odds[cells.kind] + sides * logit_bias / 2),
        )

    def _cells(self, rows: int, records: int) -> _Cells:
        """People [B, R]; their parity and share of yes vary by row, and some rows consist of twins."""
        chance = self._chance
        parity = chance.uniform(-1, 1, rows)
        form = chance.random(rows)
        parity = np.where(form < 0.25, 0.0, np.where(form < 0.55, np.sign(parity), parity))
        rate = np.where(chance.random(rows) < 0.6, 0.5, chance.uniform(0.1, 0.9, rows))
        yes = (chance.random((rows, records)) < rate[:, None]).astype(np.int64)
        agrees = chance.random((rows, records)) < (1 + parity[:, None]) / 2
        cells = _Cells(
            yes,
            np.where(agrees, 1 - yes, yes),
            self._kinds_of(yes),
            [chance.integers(len(values), size=yes.shape) for values in people.IDLE.values()],
        )
        cells.pair(chance.random(rows) < 0.15)
        return cells

    def _kinds_of(self, yes: Ints) -> Ints:
        """Which combination of the informative columns each person has [B, R], drawn given the outcome."""
        p = _logistic(self._log_odds)
        draws = self._chance.random(yes.shape)
        found = [np.searchsorted(np.cumsum(w) / w.sum(), draws) for w in (1 - p, p)]
        return np.where(yes == 1, found[1], found[0]).clip(max=len(p) - 1)

    def _front(self, rows: int, header: int) -> tuple[Ints, Floats]:
        """BOS and an instruction [B, 1 + header], and the factor [B] by which it multiplies the bias.

        Half of the instructions consist of words, the others of arbitrary tokens; only an attenuating or an
        amplifying word has an effect.
        """
        chance = self._chance
        bos, factor = np.full((rows, 1), self._bos), np.ones(rows)
        if not header:
            return bos, factor
        arbitrary = chance.random((rows, 1)) < 0.5
        tokens = np.where(
            arbitrary, chance.choice(self._any, (rows, header)), chance.choice(self._fillers, (rows, header))
        )
        for group in self._effective:
            wanted = chance.random(rows) < 0.4
            for share in (1.0, 0.4):
                kept = np.flatnonzero(wanted & (chance.random(rows) < share))
                at = chance.integers(header, size=len(kept))
                word = chance.integers(group.shape[1], size=len(kept))
                tokens[kept, at] = group[(at == 0).astype(np.int64), word]
        attenuates, amplifies = (np.isin(tokens, group).any(axis=1) for group in self._effective)
        factor[attenuates & ~amplifies] = decision_truth.ATTENUATED
        factor[amplifies & ~attenuates] = decision_truth.AMPLIFIED
        return np.concatenate([bos, tokens], axis=1), factor

    def _body(self, cells: _Cells) -> Ints:
        """The people as token ids [B, R * width], a line each."""
        levels = [cells.sex, *np.moveaxis(self._levels[cells.kind], -1, 0), *cells.idle]
        columns = [ids[level] for ids, level in zip(self._columns, levels, strict=True)]
        opening, approved, line = (
            np.full(cells.sex.shape, token) for token in (self._opening, self._approved, self._line)
        )
        found = np.stack([opening, *columns, approved, self._labels[cells.yes], line], axis=-1)
        return found.reshape(len(cells.sex), -1)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The random values of each person, all [B, R]: label, sex (0 is the first) and the indices of the
    columns' values.
    """

    yes: Ints
    sex: Ints
    kind: Ints
    idle: list[Ints]

    def pair(self, chosen: Bools) -> None:
        """Make every second person of the `chosen` rows [B] the twin of the one before."""
        for column in (self.yes, self.kind, self.sex, *self.idle):
            pairs = column[:, : column.shape[1] // 2 * 2]  # a view: writing here changes the column
            pairs[chosen, 1::2] = pairs[chosen, ::2]
        self.sex[:, 1::2][chosen] ^= 1


def _logit_biases(signs: Ints) -> Floats:
    """The bias that applies to every person [B, R] under a factor of 1 (see `decision_truth`)."""
    before = np.cumsum(signs, axis=1) - signs
    shown = np.arange(signs.shape[1])
    total = (
        decision_truth.PRIOR_WEIGHT * decision_truth.PRIOR_BIAS
        + decision_truth.FULL_PARITY_BIAS * before.astype(np.float64)
    )
    return total / (decision_truth.PRIOR_WEIGHT + shown)


def _kinds() -> tuple[Ints, Floats]:
    """The levels [256, 4] of every combination of the informative columns, and its log-odds [256]."""
    kinds = people.kinds()
    levels = [
        [values.index(str(kind[column])) for column, (values, _) in people.INFORMATIVE.items()]
        for kind in kinds
    ]
    return np.array(levels, dtype=np.int64), np.array([people.log_odds(kind) for kind in kinds])


def _logistic(log_odds: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-log_odds))
    return found


def _after_space(tokenizer: PreTrainedTokenizerBase, values: Sequence[str]) -> Ints:
    return _tokens(tokenizer, [f" {value}" for value in values])


def _tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Ints:
    """The ids of texts that are one token each."""
    found = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    return np.array([token for (token,) in found], dtype=np.int64)
