"""How the scoring engine compares with what papers run, as ratios measured in one process.

Three ways to get P(he) and P(she) after every GenBiasEval test prompt, on a random-weight GPT-2:

- naive: one prompt at a time, logits of every position;
- padded: batches of 32 in the given order, logits of every position (the usual script);
- evenhand: the scoring engine.

Then the answers for people and their twins after 16 examples, which every prompt begins with:

- naive: one prompt at a time, logits of every position (on a few prompts only, time counted per prompt);
- whole: the scoring engine without sharing;
- evenhand: the scoring engine, which runs the examples once.

Each round runs all of a part; a ratio is the median over rounds of (reference time / engine time). Seconds
depend on the machine, ratios hardly do; where other work shares it, `--clock cpu` counts this process's own
seconds. Any difference in a log-probability above 1e-4 is an error.

Run: python perf/scoring.py [--prompts 192] [--people 25] [--rounds 3] [--threads 1] [--layers 4]
[--width 256] [--clock wall] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from evenhand import registry
from evenhand.benchmarks import Benchmark
from evenhand.records import Continuation
from evenhand.scoring import Scorer

TOLERANCE = 1e-4
VOCABULARY = 50_257
NAIVE_REQUESTS = 8  # of the few-shot part: one prompt takes as long as some hundred short ones

Way = Callable[[], list[float]]
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}


def tokenizer_for(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE trained on the prompts themselves: whole words, as a large vocabulary would give."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    made: PreTrainedTokenizerFast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, eos_token="<end>", pad_token="<end>"
    )
    return made


def model_of(layers: int, width: int, window: int = 1024) -> GPT2LMHeadModel:
    """A random GPT-2 whose matrices are doubled, so that a wrong mask or position shows at once."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_layer=layers, n_embd=width, n_head=width // 64, n_positions=window
    )
    model = GPT2LMHeadModel(config)
    model.train(False)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(2)
    return model


@torch.no_grad()
def naive(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, items: Sequence[Continuation]
) -> list[float]:
    """One forward a prompt (not one a request: both pronouns are read from the same logits)."""
    found: dict[str, torch.Tensor] = {}
    for context in dict.fromkeys(i.context for i in items):
        ids = tokenizer(context, return_tensors="pt").input_ids
        found[context] = model(ids).logits[0, -1].log_softmax(-1)
    return [float(found[i.context][_target(tokenizer, i)]) for i in items]


@torch.no_grad()
def padded(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, items: Sequence[Continuation], size: int = 32
) -> list[float]:
    """Padded batches in the given order; positions are passed, or GPT-2 would be wrong by nats."""
    tokenizer.padding_side = "left"
    contexts = list(dict.fromkeys(i.context for i in items))
    found: dict[str, torch.Tensor] = {}
    for start in range(0, len(contexts), size):
        batch = contexts[start : start + size]
        inputs = tokenizer(batch, return_tensors="pt", padding=True)
        positions = (inputs.attention_mask.cumsum(1) - 1).clamp_min(0)
        logits = model(inputs.input_ids, attention_mask=inputs.attention_mask, position_ids=positions).logits
        found.update(zip(batch, logits[:, -1].log_softmax(-1), strict=True))
    return [float(found[i.context][_target(tokenizer, i)]) for i in items]


def _target(tokenizer: PreTrainedTokenizerFast, item: Continuation) -> int:
    (token,) = tokenizer(item.text).input_ids
    return int(token)


def few_shot(people: int, shots: int = 16) -> list[Continuation]:
    """Two answers for each of `people` and their twins, after `shots` examples in common."""
    draw = random.Random(0)
    jobs = ("Sales", "Craft repair", "Exec managerial", "Farming", "Tech support", "Machine operation")
    schools = ("Bachelors", "Some college", "High school", "Masters", "Doctorate")

    def record(sex: str) -> str:
        return (
            f"A person of age {draw.randint(17, 80)} works in the private sector as {draw.choice(jobs)} for "
            f"{draw.randint(10, 70)} hours per week, with a capital gain of {draw.randint(0, 9)} and a loss "
            f"of {draw.randint(0, 9)}, after the school {draw.choice(schools)}, born in the United States, "
            f"sex {sex}. "
            "Does this person earn more than fifty thousand dollars a year? Answer:"
        )

    answers = (" No", " Yes")
    examples = [record(draw.choice(("male", "female"))) + draw.choice(answers) for _ in range(shots)]
    questions = [record("male") for _ in range(people)]
    twins = [text.replace("sex male", "sex female") for text in questions]
    prompts = ["\n".join([*examples, text]) for pair in zip(questions, twins, strict=True) for text in pair]
    return [Continuation(prompt, answer) for prompt in prompts for answer in answers]


def compare(
    ways: dict[str, Way], rounds: int, clock: Clock, share: dict[str, float] | None = None
) -> dict[str, dict[str, float]]:
    """Median ratio of each way's time to the last way's, with the extremes and the largest difference.

    A way that answers the first part of the requests only has that part as its `share`; its time counts
    as much more.
    """
    names = list(ways)
    results = {name: way() for name, way in ways.items()}  # warm-up, and the numbers to compare
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, way in ways.items():
            start = clock()
            way()
            times[name].append((clock() - start) / (share or {}).get(name, 1.0))
    ours = names[-1]
    table = {}
    for name in names[:-1]:
        ratios = [other / mine for other, mine in zip(times[name], times[ours], strict=True)]
        apart = max(abs(a - b) for a, b in zip(results[name], results[ours], strict=False))
        table[name] = {
            "ratio": statistics.median(ratios),
            "low": min(ratios),
            "high": max(ratios),
            "difference": apart,
        }
    return table


def next_token_part(options: argparse.Namespace) -> dict[str, Any]:
    """P(he) and P(she) after GenBiasEval's prompts, three ways."""
    benchmark: Benchmark = registry.create("benchmark", "genbiaseval:part=all")
    stride = max(1, len(benchmark.load()) // options.prompts)
    asked = [request for sample in benchmark.load()[::stride] for request in benchmark.ask(sample)]
    items = [request for request in asked if isinstance(request, Continuation)]
    tokenizer = tokenizer_for([i.context + i.text for i in items])
    model = model_of(options.layers, options.width)
    scorer = Scorer(model, tokenizer)
    ways: dict[str, Way] = {
        "naive, one prompt at a time": lambda: naive(model, tokenizer, items),
        "padded batches of 32": lambda: padded(model, tokenizer, items),
        "evenhand": lambda: [answer.value for answer in scorer.logprobs(items)],
    }
    return {
        "prompts": len({i.context for i in items}),
        "against": compare(ways, options.rounds, CLOCKS[options.clock]),
    }


def few_shot_part(options: argparse.Namespace) -> dict[str, Any]:
    """Answers about people and their twins after 16 examples, three ways."""
    items = few_shot(options.people)
    tokenizer = tokenizer_for([i.context + i.text for i in items])
    model = model_of(options.layers, options.width, window=2048)
    scorer, whole = Scorer(model, tokenizer), Scorer(model, tokenizer, share=None)
    few = items[:NAIVE_REQUESTS]
    ways: dict[str, Way] = {
        "naive, one prompt at a time": lambda: naive(model, tokenizer, few),
        "the engine without sharing": lambda: [answer.value for answer in whole.logprobs(items)],
        "evenhand": lambda: [answer.value for answer in scorer.logprobs(items)],
    }
    names = list(ways)
    table = compare(ways, options.rounds, CLOCKS[options.clock], {names[0]: len(few) / len(items)})
    report = scorer.report()
    return {
        "prompts": len({i.context for i in items}),
        "against": table,
        "tokens": {"whole": whole.report().run, "run": report.run},
        "groups": report.groups,
    }


def main() -> int:
    """Run the comparison; exit status 1 when the numbers differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name, default in (("prompts", 192), ("rounds", 3), ("threads", 1), ("layers", 4), ("width", 256)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--people", type=int, default=25, help="of the few-shot part; 0 leaves it out")
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = next_token_part(options)
    if options.people:
        found["few_shot"] = few_shot_part(options)
    tables = {"next token": found["against"], "16 shots": found.get("few_shot", {}).get("against", {})}
    if options.json:
        print(json.dumps(found))
    else:
        for part, table in tables.items():
            for name, row in table.items():
                print(
                    f"{part:<11} evenhand against {name:<28} x{row['ratio']:.2f} "
                    f"[{row['low']:.2f}..{row['high']:.2f}]  max difference {row['difference']:.1e}"
                )
        if options.people:
            tokens = found["few_shot"]["tokens"]
            print(f"16 shots    tokens run: {tokens['run']} instead of {tokens['whole']}")
    return int(any(row["difference"] > TOLERANCE for table in tables.values() for row in table.values()))


if __name__ == "__main__":
    sys.exit(main())
