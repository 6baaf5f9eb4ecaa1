"""The memory that is estimated before a model is opened, beside the peak of a process that does the work.

Models with random weights are written into a temporary folder. Each is worked on by the command itself in a
process of its own, whose peak of resident memory the system tells (the pages of the checkpoint's file that
were read are in it); the estimate is made in another process, as `evenhand plan` makes it. Prints a table.

Run: OMP_NUM_THREADS=1 python -m perf.bench.footprint [--only NAME] [--job JOB] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from . import inputs

BENCHMARK = "genbiaseval"
UNIT = 1 if sys.platform == "darwin" else 1024  # of the peak that getrusage tells


def _gpt2(layers: int, width: int) -> PreTrainedModel:
    return GPT2LMHeadModel(GPT2Config(n_layer=layers, n_embd=width, n_head=width // 64))


def _llama(layers: int, width: int, vocabulary: int, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=width * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        num_key_value_heads=width // 192 or 2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
    )
    made: Any = LlamaForCausalLM(config)
    found: PreTrainedModel = made.to(dtype)
    return found


def _bert(layers: int, width: int) -> PreTrainedModel:
    config = BertConfig(
        vocab_size=30_522,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        pad_token_id=0,
    )
    return BertForMaskedLM(config)


def _t5(layers: int, width: int) -> PreTrainedModel:
    config = T5Config(
        vocab_size=32_128, d_model=width, d_ff=4 * width, num_layers=layers, num_heads=width // 64
    )
    return T5ForConditionalGeneration(config)


MODELS: Mapping[str, Callable[[], PreTrainedModel]] = {
    "gpt2, 4 x 256": lambda: _gpt2(4, 256),
    "llama, 4 x 256": lambda: _llama(4, 256, 32_000),
    "bert, 4 x 256": lambda: _bert(4, 256),
    "t5, 4 + 4 x 256": lambda: _t5(4, 256),
    "gpt2, 12 x 768": lambda: _gpt2(12, 768),
    "llama, 12 x 768": lambda: _llama(12, 768, inputs.VOCABULARY),
    "llama, 12 x 768, bfloat16": lambda: _llama(12, 768, inputs.VOCABULARY, torch.bfloat16),
}
"""Models by name: blocks x width."""
VERDICT = ("-b", BENCHMARK, "--capability", "facts:set=world", "--control", "reduced")
BOTH = ("measure", "lftf:blocks=2")
JOBS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(MODELS, BOTH),
    "gpt2, 4 x 256": (*BOTH, "verify lftf:blocks=2", "lftf:blocks=2,loss=mass_preserving", "full_finetune"),
    "gpt2, 12 x 768": (*BOTH, "full_finetune"),
}

ESTIMATE = """
import json, sys
from evenhand.studies import plan
from evenhand import registry
from evenhand.studies import memory, methods, trained_on
from evenhand.studies.options import VerifyOptions
uri, job, dtype, benchmark = sys.argv[1:]
asked = memory.Asking(measures=True)
if job.startswith("verify "):
    facts = ("facts:set=world",)
    options = VerifyOptions(dtype=dtype, benchmarks=(benchmark,), capability=facts, control="reduced")
    found = plan.sized_plan(uri, job.partition(" ")[2], options).memory
elif job != "measure":
    made = methods.made_method(job)
    examples = trained_on.data_of(uri, [registry.create("benchmark", benchmark)], made, job)
    asked = memory.Asking(method=made, locator=VerifyOptions().locator, examples=examples)
if not job.startswith("verify "):
    found = memory.estimated(uri, VerifyOptions(dtype=dtype), asked)
print(json.dumps({"parts": dict(found.parts), "total": found.total, "needed": found.needed}))
"""


def save(name: str, folder: Path) -> str:
    """Write the model of that name with a tokenizer; returns its dtype."""
    texts = [f"{request.context}{request.text}" for request in inputs.prompts(400)]
    torch.manual_seed(0)
    made = MODELS[name]()
    made.save_pretrained(folder)
    inputs.tokenizer_for(texts, masked=name.startswith("bert")).save_pretrained(folder)
    return str(made.dtype).removeprefix("torch.")


def estimated(folder: Path, job: str, dtype: str) -> dict[str, Any]:
    """`parts`, `total` and `needed`, in bytes."""
    words = [sys.executable, "-c", ESTIMATE, f"hf:{folder}", job, dtype, BENCHMARK]
    found: dict[str, Any] = json.loads(
        subprocess.run(words, capture_output=True, text=True, check=True).stdout
    )
    return found


def measured(folder: Path, job: str, dtype: str) -> int:
    """The peak of resident memory of the command, in bytes."""
    asked: tuple[str, ...] = ("-b", BENCHMARK)
    verb: tuple[str, ...] = ("measure",) if job == "measure" else ("mitigate", "--with", job)
    if job.startswith("verify "):
        verb, asked = ("verify", "--with", job.partition(" ")[2]), VERDICT
    with tempfile.TemporaryDirectory() as out:
        words = [verb[0], f"hf:{folder}", *verb[1:], *asked, "--dtype", dtype]
        words = [sys.executable, "-m", "evenhand", *words, "--out", str(Path(out) / "run")]
        started = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert started.stderr is not None
        said = started.stderr.read().decode()
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise RuntimeError(f"{' '.join(words)}: {said[-2000:]}")
    return used.ru_maxrss * UNIT


def rows(name: str, jobs: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each of these jobs of the model of that name."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        dtype = save(name, Path(place))
        for job in jobs:
            guess, peak = estimated(Path(place), job, dtype), measured(Path(place), job, dtype)
            found.append({"model": name, "job": job, "measured": peak, **guess})
            _say(found[-1])
    return found


def _say(row: Mapping[str, Any]) -> None:
    before = row["total"] - row["needed"]  # what the process held before the model was opened
    total, peak = row["total"], row["measured"]
    beside = (
        f"{row['needed'] / 1e6:.0f} | {(peak - before) / 1e6:.0f} | {row['needed'] / (peak - before):.2f}"
    )
    line = f"{total / 1e6:.0f} | {peak / 1e6:.0f} | {total / peak:.2f} | {beside}"
    print(f"| {row['model']} | {row['job']} | {line} |", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--only", choices=tuple(MODELS), action="append")
    every = tuple(dict.fromkeys(job for jobs in JOBS.values() for job in jobs))
    parser.add_argument("--job", choices=every, action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = ("estimated", "measured", "ratio")
    heads = ("model", "job", *figures, "beside the process: estimated", *figures[1:])
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|", file=sys.stderr)
    found = []
    for name in options.only or MODELS:
        found += rows(name, [job for job in JOBS[name] if not options.job or job in options.job])
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
