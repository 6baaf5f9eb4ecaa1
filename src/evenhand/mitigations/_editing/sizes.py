"""What edits take of the memory, by the sizes of their maps and of the batches of their requests.

The model may be without storage: nothing is run. What is counted is what the code beside this holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evenhand.mitigations._editing.passes import batch_tokens
from evenhand.mitigations._editing.subjects import Request, drawn, neutral_texts, prefixes, requests
from evenhand.mitigations._editing.values import batches
from evenhand.models import OpenModel
from evenhand.models.projections import Projection
from evenhand.models.stage import FLOAT32, FLOAT64, Stage
from evenhand.records import Example
from evenhand.scoring.tokens import Encoder

# While C is drawn towards the identity there are: the sum, its mean, the identity, a multiple of it, what is
# between the last two, and its squares.
SHRINKING = 6
SUMMING = 2  # the sum, and what a batch adds to it
KEPT = 2  # C and its factor
KEYS = 24  # bytes of each number of a batch of keys: as given, those of real tokens, in float64, and squared
SOLVING = 4  # a weight in float64, what is added to it in two steps, and the new one

PROJECTING = 4  # M, the identity, and M M less M
WHITENING = 6  # C, its multiple, the keys' own, both, and what solves them
LAYERS = 2  # of an editor
EDITED = 10  # tables of the tokens' inputs and slopes that an editor keeps for its gradients
LONGEST = 16  # tokens of a prompt, where none is known yet
SENTENCES = 4  # ordinary sentences of a step


@dataclass(frozen=True)
class Asked:
    """The `requests` of an edit, each with `each` contexts; `rows` and `tokens` of the largest batch in which
    their values are sought, padding included. `longest` and `bare` are the tokens of the longest context and
    of the longest prompt.
    """

    requests: tuple[Request, ...]
    each: int
    rows: int
    tokens: int
    longest: int
    bare: int

    @property
    def contexts(self) -> int:
        """How many contexts all requests have together."""
        return len(self.requests) * self.each


def asked(
    model: OpenModel, examples: Sequence[Example], edits: int | None, contexts: int, text: str = ""
) -> Asked:
    """What will be asked: as it would be with a seed of 0, whose texts are about as long as any others'.

    Without examples that say where their subjects stand as much as one pass may hold.
    """
    chosen = [e for e in drawn([e for e in examples if not e.keep], edits, 0) if e.span is not None]
    if not chosen:
        return Asked((), 1 + contexts, batch_tokens(model) // LONGEST, batch_tokens(model), LONGEST, LONGEST)
    made = tuple(requests(chosen, prefixes(neutral_texts(model, text, chosen), contexts, 0)))
    encoder = Encoder.of(model.module, model.tokenizer)

    def lengths(of: Sequence[str]) -> list[int]:
        return [len(ids) for ids in encoder.prompts(of)]

    def sized(numbers: Sequence[int]) -> tuple[int, int]:
        said = [c.context for i in numbers for c in made[i].contexts]
        parts = [lengths(part) for part in (said, [made[i].essence.context for i in numbers])]
        return sum(map(len, parts)), sum(len(part) * max(part) for part in parts)

    rows, tokens = map(max, zip(*map(sized, batches(model, made)), strict=True))
    longest, bare = (
        max(lengths(of))
        for of in ([c.context for r in made for c in r.contexts], [e.context for e in chosen])
    )
    return Asked(made, len(made[0].contexts), rows, tokens, longest, bare)


def edit_stages(
    model: OpenModel, maps: Sequence[Projection], of: Asked, *, moments: bool, lowest: int
) -> tuple[Stage, ...]:
    """The moments of keys, the search for values, and the solution; `lowest` is as in `Stage`."""
    (out, given), batch = maps[0].shape, batch_tokens(model)
    changed = len(maps) * out * given
    square = FLOAT64 * given**2 if moments else 0
    held = KEPT * len(maps) * square
    keys = FLOAT64 * of.contexts * given
    read = 2 * FLOAT64 * of.contexts * (out + given)  # each one, and all in one table
    solved = keys + SOLVING * FLOAT64 * out * given
    estimating = (
        _solved(changed, (len(maps) - 1 + SUMMING) * square + KEYS * batch * given, tokens=batch),
        _solved(changed, (len(maps) - 1 + SHRINKING) * square),
    )
    return (
        *(estimating if moments else ()),
        _sought(of, changed, held + keys, lowest),
        _solved(changed, held + max(read, solved)),
    )


def _sought(of: Asked, changed: int, matrices: int, lowest: int) -> Stage:
    """The search for what to add at the requests' tokens, in padded batches."""
    return Stage(
        changed=changed,
        frozen=True,
        lowest=lowest,
        rows=of.rows,
        tokens=of.tokens,
        length=of.longest,
        padded=True,
        matrices=matrices,
    )


def _solved(changed: int, matrices: int, *, tokens: int = 0) -> Stage:
    """Linear algebra, beside a pass over so many tokens of which nothing is predicted."""
    return Stage(changed=changed, backward=False, tokens=tokens, rows=0, matrices=matrices)


def editor_stages(
    model: OpenModel, maps: Sequence[Projection], of: Asked, *, rank: int, batch: int, lowest: int
) -> tuple[Stage, ...]:
    """The training of MEND's editor with `batch` requests a step, and what it writes in the end.

    A step reads the requests, bare and behind a text, and some sentences, each of whose tokens is predicted.
    """
    sizes = [of.shape for of in maps]
    numbers = sum(LAYERS * 2 * sum(one) * min(rank, sum(one)) for one in set(sizes))
    changed = sum(out * given for out, given in sizes)
    read, said = 2 * batch * of.longest, SENTENCES * of.longest
    edited = FLOAT32 * batch * of.bare * sum(EDITED * sum(one) + LAYERS * rank for one in sizes)
    trained = Stage(
        numbers,
        apart=True,
        changed=changed,
        frozen=True,
        lowest=lowest,
        rows=2 * batch + said,
        tokens=read + said,
        length=of.longest,
        padded=True,
        matrices=FLOAT32 * numbers + edited,  # the best editor until now
    )
    looked = Stage(
        numbers,
        apart=True,
        changed=changed,
        backward=False,
        rows=2 * batch + said,
        tokens=read + said,
        length=of.longest,
        matrices=2 * FLOAT32 * numbers,  # the best one until now, and its successor
    )
    solved = SOLVING * FLOAT64 * max(out * given for out, given in sizes)
    return trained, looked, _solved(changed, FLOAT32 * numbers + 2 * FLOAT64 * changed + solved)


def projection_stages(
    maps: Sequence[Projection], of: Asked, *, whitened: bool, lowest: int
) -> tuple[Stage, ...]:
    """DAMA's search for offsets of a map at a time, and the projections; what each map wrote is kept."""
    out, given = maps[0].shape
    changed, n = len(maps) * out * given, len(of.requests)
    keys, written = FLOAT64 * of.contexts * given, FLOAT64 * len(maps) * n * out
    square = WHITENING * FLOAT64 * given**2 if whitened else 0
    projected = PROJECTING * FLOAT64 * out**2 + (2 * FLOAT64 + 2 * FLOAT32) * out * given
    made = written + keys + max(square, projected) + FLOAT32 * changed
    return _sought(of, changed, keys + written, lowest), _solved(changed, made)
