"""How fine-tuning one block and locating compare with the usual scripts, as ratios measured in one process.

Everything runs on a random-weight GPT-2 and on prompts of GenBiasEval. The references do what published code
does: padded batches of 32, logits of every position, the whole model in every step.

- training: LFTF's loss on one block, the usual loop against evenhand alone (nothing kept) and after an
  earlier fit or location kept the states below the block;
- locate: BMI, gradient and ablation, written as plain loops, against evenhand's locators;
- measuring again after an edit of the last block, padded batches against evenhand, as for the third model
  that has this block changed and all later ones.

Each round runs all ways of a part; a ratio is the median over rounds of (reference time / evenhand's time).
Weights after SGD and the locators' scores must agree, or the exit status is 1.

Run: python perf/training.py [--prompts 96] [--rounds 3] [--layers 12] [--width 768] [--parts train,locate]
[--clock cpu] [--json]
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from evenhand import registry
from evenhand.locators.ablation import Ablation
from evenhand.locators.bmi import Bmi
from evenhand.locators.gradient import Gradient
from evenhand.models.causal import CausalModel
from evenhand.records import Continuation, Example
from evenhand.scoring.kept import forget
from evenhand.scoring.terms import Prompts
from evenhand.training.loop import Schedule, minimise, shuffled
from evenhand.training.objectives import nll
from evenhand.training.parameters import only_these_train
from evenhand.training.restarts import run_above
from evenhand.treatments import About
from evenhand.treatments.weights import WeightTreatment
from scoring import CLOCKS, model_of, padded, tokenizer_for

SIZE = 32
EPOCHS = 2
Way = Callable[[], Any]


class World:
    """The model, the prompts, and the plain loops over both."""

    def __init__(self, prompts: int, layers: int, width: int) -> None:
        every: list[Example] = list(registry.create("benchmark", "genbiaseval").examples())
        kept = [e for e in every if not e.keep]
        self.examples = kept[:: max(1, len(kept) // prompts)][:prompts]
        texts = [e.context + form for e in self.examples for forms in e.terms for form in forms]
        self.tokenizer = tokenizer_for(texts)
        self.tokenizer.padding_side = "left"
        self.model = CausalModel(model_of(layers, width), self.tokenizer, "perf")
        self.module: Any = self.model.module
        self.layers = layers
        model: Any = self.model.module
        self.blocks: Any = model.transformer.h

    def inputs(self, batch: Sequence[Example]) -> dict[str, Tensor]:
        found = self.tokenizer([e.context for e in batch], return_tensors="pt", padding=True)
        positions = (found.attention_mask.cumsum(1) - 1).clamp_min(0)
        return {
            "input_ids": found.input_ids,
            "attention_mask": found.attention_mask,
            "position_ids": positions,
        }

    def probabilities(self, batch: Sequence[Example], inputs: dict[str, Tensor], **more: Any) -> Any:
        """Log-probabilities [N, 2] of the two terms, and the model's whole answer."""
        answer = self.module(**inputs, **more)
        ids = [[self.tokenizer(form).input_ids[0] for (form,) in e.terms] for e in batch]
        return answer.logits.log_softmax(-1)[:, -1].gather(1, torch.tensor(ids)), answer

    def batches(self) -> list[list[Example]]:
        return [self.examples[i : i + SIZE] for i in range(0, len(self.examples), SIZE)]


def usual_training(world: World, block: int) -> list[Tensor]:
    """The usual loop: every step tokenises, runs the whole model and computes all logits."""
    parameters = list(world.blocks[block].parameters())
    batches = shuffled(len(world.examples), SIZE, epochs=EPOCHS, seed=0)

    def loss(chosen: Tensor) -> Tensor:
        batch = [world.examples[i] for i in chosen.tolist()]
        found: Tensor = -world.probabilities(batch, world.inputs(batch))[0].mean()
        return found

    with torch.enable_grad(), only_these_train(world.module, parameters):
        minimise(loss, parameters, batches, Schedule(1e-5), steps=len(batches))
        return [p.detach().clone() for p in parameters]


def our_training(world: World, block: int, *, fresh: bool) -> list[Tensor]:
    """evenhand's fit without its proof; with `fresh` nothing that an earlier call kept is used."""
    if fresh:
        forget(world.module)
    names = list(world.model.layout.parameters(f"block.{block}"))
    parameters = list(world.blocks[block].parameters())
    batches = shuffled(len(world.examples), SIZE, epochs=EPOCHS, seed=0)
    with torch.enable_grad(), only_these_train(world.module, parameters):
        prompts = Prompts(world.model, world.examples)
        run = run_above(world.model, names, prompts)
        minimise(
            lambda chosen: nll(prompts.outcomes(chosen.tolist(), run).log_p),
            parameters,
            batches,
            Schedule(1e-5),
            steps=len(batches),
        )
        return [p.detach().clone() for p in parameters]


def _gap(log_p: Tensor) -> Tensor:
    shares = log_p.exp() / log_p.exp().sum(1, keepdim=True)
    return shares.amax(1) - shares.amin(1)


@torch.no_grad()
def plain_bmi(world: World) -> list[float]:
    """Row sums of 1 - cos of every block's input and output; the last output before the norm."""
    last: list[Tensor] = []
    handle = world.blocks[-1].register_forward_hook(lambda _, __, out: last.append(_state(out)))
    scores = torch.zeros(world.layers, dtype=torch.float64)
    for batch in world.batches():
        inputs = world.inputs(batch)
        states = [*world.module(**inputs, output_hidden_states=True).hidden_states[:-1], last.pop()]
        real = inputs["attention_mask"].bool()
        for i in range(world.layers):
            cos = functional.cosine_similarity(states[i].double(), states[i + 1].double(), dim=-1)
            scores[i] += (1 - cos)[real].sum()
    handle.remove()
    return [float(score) for score in scores]


def _state(output: Any) -> Tensor:
    found: Tensor = output[0] if isinstance(output, tuple) else output
    return found


def plain_gradient(world: World) -> list[float]:
    """One pass with gradients a batch; the last position's states and gradients of every block are kept."""
    added: list[list[Tensor]] = [[] for _ in world.blocks]
    slopes: list[list[Tensor]] = [[] for _ in world.blocks]
    for parameter in world.module.parameters():
        parameter.requires_grad_(False)
    with torch.enable_grad():
        for batch in world.batches():
            inputs = world.inputs(batch)
            ids = inputs.pop("input_ids")
            inputs["inputs_embeds"] = world.module.transformer.wte(ids).requires_grad_()
            seen: list[Tensor] = []
            handles = [
                b.register_forward_hook(lambda _, a, o, seen=seen: seen.extend([a[0], _state(o)]))
                for b in world.blocks
            ]
            gap = _gap(world.probabilities(batch, inputs)[0]).sum() / len(world.examples)
            gradients = torch.autograd.grad(gap, seen[1::2])
            for handle in handles:
                handle.remove()
            for i, gradient in enumerate(gradients):
                added[i].append((seen[2 * i + 1] - seen[2 * i])[:, -1].detach().double())
                slopes[i].append(gradient[:, -1].double())
    for parameter in world.module.parameters():
        parameter.requires_grad_(True)
    scores = []
    for own, slope in zip(added, slopes, strict=True):
        d = torch.cat(own)
        scores.append(float((torch.cat(slope) * (d - d.mean(0))).sum()))
    return scores


@torch.no_grad()
def plain_ablation(world: World) -> list[float]:
    """One pass for the means, then one pass through the whole model for each block."""
    own: list[list[Tensor]] = [[] for _ in world.blocks]

    def keep(i: int) -> Callable[..., None]:
        return lambda _, a, o: own[i].append((_state(o) - a[0])[:, -1].double())

    handles = [b.register_forward_hook(keep(i)) for i, b in enumerate(world.blocks)]
    base = torch.cat([_gap(world.probabilities(b, world.inputs(b))[0]) for b in world.batches()]).mean()
    for handle in handles:
        handle.remove()
    scores = []
    for i, block in enumerate(world.blocks):
        mean = torch.cat(own[i]).mean(0).float()

        def replaced(_: Any, args: Any, output: Any, mean: Tensor = mean) -> Any:
            state = _state(output).clone()
            state[:, -1] = args[0][:, -1] + mean
            return (state, *output[1:]) if isinstance(output, tuple) else state

        handle = block.register_forward_hook(replaced)
        left = torch.cat([_gap(world.probabilities(b, world.inputs(b))[0]) for b in world.batches()]).mean()
        handle.remove()
        scores.append(float(base - left))
    return scores


def ours(world: World, locator: Any) -> list[float]:
    """The locator's scores; nothing of an earlier call is used but the tests of its ways."""
    return [score.value for score in locator.locate(world.model, world.examples, seed=0).scores]


def sgd_apart(world: World, block: int) -> float:
    """The largest difference of a weight after the same steps of SGD, usual loop against evenhand's."""
    parameters = list(world.blocks[block].parameters())
    found: list[list[Tensor]] = []
    few = world.examples[:SIZE]
    prompts = Prompts(world.model, few)
    run = run_above(world.model, list(world.model.layout.parameters(f"block.{block}")), prompts)
    for mine in (False, True):
        with torch.enable_grad(), only_these_train(world.module, parameters):
            optimiser = torch.optim.SGD(parameters, lr=1e-2)
            for _ in range(3):
                if mine:
                    loss = nll(prompts.outcomes(range(len(few)), run).log_p)
                else:
                    loss = -world.probabilities(few, world.inputs(few))[0].mean()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                optimiser.zero_grad()
            found.append([p.detach().clone() for p in parameters])
    return max(float((a - b).abs().max()) for a, b in zip(*found, strict=True))


def compare(ways: dict[str, Way], rounds: int, clock: Callable[[], float]) -> dict[str, Any]:
    """The first way's time over each other's: median, low and high over rounds; and the last results."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    results: dict[str, Any] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            start = clock()
            results[name] = way()
            times[name].append(clock() - start)
    reference, *others = ways
    table = {}
    for name in others:
        ratios = [a / b for a, b in zip(times[reference], times[name], strict=True)]
        table[name] = {"ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
    return {
        "table": table,
        "results": results,
        "seconds": {n: statistics.median(t) for n, t in times.items()},
    }


def training_part(world: World, options: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for name, block in (("last block", world.layers - 1), ("middle block", world.layers // 2)):

        def reference(block: int = block) -> list[Tensor]:
            return usual_training(world, block)

        def alone(block: int = block) -> list[Tensor]:
            return our_training(world, block, fresh=True)

        def after(block: int = block) -> list[Tensor]:
            return our_training(world, block, fresh=False)

        ways: dict[str, Way] = {"usual loop": reference, "alone": alone, "states kept": after}
        row = compare(ways, options.rounds, CLOCKS[options.clock])
        row.pop("results")
        found[f"train, {name}"] = {**row, "difference": sgd_apart(world, block), "limit": 1e-6}
    return found


def locate_part(world: World, options: argparse.Namespace) -> dict[str, Any]:
    found = {}
    plain: dict[str, tuple[Callable[[World], list[float]], Any]] = {
        "bmi": (plain_bmi, Bmi()),
        "gradient": (plain_gradient, Gradient()),
        "ablation": (plain_ablation, Ablation()),
    }
    for name, (loop, locator) in plain.items():
        ours(world, locator)  # the test of the way is made once a model
        ways: dict[str, Way] = {
            "plain": functools.partial(loop, world),
            "evenhand": functools.partial(ours, world, locator),
        }
        row = compare(ways, options.rounds, CLOCKS[options.clock])
        a, b = (row["results"][way] for way in ("plain", "evenhand"))
        size = max(abs(x) for x in a)
        apart = max(abs(x - y) for x, y in zip(a, b, strict=True)) / size
        row.pop("results")
        found[f"locate, {name}"] = {**row, "difference": apart, "limit": 1e-3}
    return found


def again_part(world: World, options: argparse.Namespace) -> dict[str, Any]:
    items = [Continuation(e.context, form) for e in world.examples for (form,) in e.terms]
    chance = torch.Generator().manual_seed(0)
    about = About("noise", world.model.spec.digest, 0)
    weights = {
        name: p.detach() + 1e-3 * torch.randn(p.shape, generator=chance)
        for name, p in world.model.layout.parameters(f"block.{world.layers - 1}").items()
    }

    def treated(way: Callable[[Any], list[float]]) -> list[float]:
        with WeightTreatment(about, weights).applied(world.model) as model:
            return way(model)

    def engine(model: Any) -> list[float]:
        return [answer.value for answer in model.answer(items)]

    for _ in range(2):  # the first treated model is noted, the passes of the second are kept
        treated(engine)
    ways: dict[str, Way] = {
        "padded": lambda: treated(lambda model: padded(world.module, world.tokenizer, items)),
        "evenhand": lambda: treated(engine),
    }
    row = compare(ways, options.rounds, CLOCKS[options.clock])
    a, b = (row["results"][way] for way in ("padded", "evenhand"))
    row.pop("results")
    return {
        "measure again": {
            **row,
            "difference": max(abs(x - y) for x, y in zip(a, b, strict=True)),
            "limit": 1e-4,
        }
    }


PARTS = {"train": training_part, "locate": locate_part, "again": again_part}


def main() -> int:
    """Run the comparison; exit status 1 when the numbers differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name, default in (("prompts", 96), ("rounds", 3), ("threads", 1), ("layers", 12), ("width", 768)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="cpu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    world = World(options.prompts, options.layers, options.width)
    found: dict[str, Any] = {}
    for part in options.parts.split(","):
        for name, row in PARTS[part](world, options).items():
            found[name] = row
            if not options.json:
                ratios = ", ".join(
                    f"{way} x{r['ratio']:.2f} [{r['low']:.2f}..{r['high']:.2f}]"
                    for way, r in row["table"].items()
                )
                print(f"{name:<20} {ratios}  difference {row['difference']:.1e}", flush=True)
    if options.json:
        print(json.dumps({"prompts": len(world.examples), **found}))
    return int(any(row["difference"] > row["limit"] for row in found.values()))


if __name__ == "__main__":
    sys.exit(main())
