"""The memory that is estimated before a model is opened, beside the peak of a process that does the work.

Models with random weights are written into a temporary folder. Each is worked on by the command itself in a
process of its own, whose peak of resident memory the system tells (the pages of the checkpoint's file that
were read are in it); the estimate is made in another process, as `evenhand plan` makes it. Prints a table.

Run: OMP_NUM_THREADS=1 python -m perf.bench.footprint [--only MODEL] [--job WORD] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
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
LOCATORS = ("bmi", "gradient", "ablation", "causal_tracing", "contrastive_bmi", "neurons")
# As few edits, steps and rounds as reach the largest batches: more of them take no more memory.
FITS = (
    "r_rome:blocks=1,edits=24,steps=2",
    "memit:edits=24,steps=2,blocks=1+2",
    "mend:blocks=1+2,edits=40,iterations=2",
    "dama:blocks=1,prompts=24,contexts=0,v_num_grad_steps=2",
    "leace:blocks=1",
    "inlp:blocks=1",
    "sentence_debias:blocks=1",
    "mean_difference:blocks=1",
    "steering:blocks=1",
    "dpo",
    "pcgu:epochs=1",
    "faircon:rounds=1",
)
MORE = (*(f"locate {name}" for name in LOCATORS), *FITS, "verify r_rome:blocks=1,edits=24,steps=2")
JOBS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(MODELS, BOTH),
    "gpt2, 4 x 256": (
        *BOTH,
        "verify lftf:blocks=2",
        "lftf:blocks=2,loss=mass_preserving",
        "full_finetune",
        *MORE,
    ),
    "llama, 4 x 256": (*BOTH, *MORE),
    "gpt2, 12 x 768": (*BOTH, "full_finetune", *MORE),
}
PEOPLE = "decisions:shots=0,train=64,dev=64,n=64"  # what methods that learn from people are fitted on

ESTIMATE = """
import json, sys
from evenhand.studies import plan
from evenhand import registry
from evenhand.studies import memory, methods, trained_on
from evenhand.studies.options import VerifyOptions
uri, verb, name, dtype, benchmark = sys.argv[1:]
asked = memory.Asking(measures=True)
data = [registry.create("benchmark", benchmark)]
if verb == "verify":
    facts = ("facts:set=world",)
    options = VerifyOptions(dtype=dtype, benchmarks=(benchmark,), capability=facts, control="reduced")
    found = plan.sized_plan(uri, name, options).memory
elif verb == "locate":
    made = registry.create("locator", name)
    probes = trained_on.training_data(data, made.fits_on, name, "locator")
    asked = memory.Asking(locator=name, examples=probes)
elif verb == "mitigate":
    made = methods.made_method(name)
    examples = trained_on.data_of(uri, data, made, name)
    asked = memory.Asking(method=made, locator=VerifyOptions().locator, examples=examples)
if verb != "verify":
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
    words = [sys.executable, "-c", ESTIMATE, f"hf:{folder}", *_parted(job), dtype, _benchmark(job)]
    found: dict[str, Any] = json.loads(
        subprocess.run(words, capture_output=True, text=True, check=True).stdout
    )
    return found


def measured(folder: Path, job: str, dtype: str) -> int:
    """The peak of resident memory of the command, in bytes."""
    verb, name = _parted(job)
    asked = VERDICT if verb == "verify" else ("-b", _benchmark(job))
    with tempfile.TemporaryDirectory() as out:
        method = ("--with", name) if name else ()
        words = [sys.executable, "-m", "evenhand", verb, f"hf:{folder}", *method, *asked, "--dtype", dtype]
        words += ["--json"] if verb == "locate" else ["--out", str(Path(out) / "run")]
        alone = {**os.environ, "EVENHAND_CACHE": str(Path(out) / "cache")}  # where no moments are kept yet
        started = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=alone)
        assert started.stderr is not None
        said = started.stderr.read().decode()
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise RuntimeError(f"{' '.join(words)}: {said[-2000:]}")
    return used.ru_maxrss * UNIT


def _parted(job: str) -> tuple[str, str]:
    """The verb, and the method or the locator."""
    verb, _, name = job.partition(" ")
    return (verb, name) if verb in ("measure", "verify", "locate") else ("mitigate", job)


def _benchmark(job: str) -> str:
    return PEOPLE if "faircon" in job else BENCHMARK


def rows(name: str, only: str = "") -> list[dict[str, Any]]:
    """One row for every job of the model of that name, or for those whose name has `only` in it."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        dtype = save(name, Path(place))
        for job in (job for job in JOBS[name] if only in job):
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
    parser.add_argument("--job", default="", help="only jobs with this in their name")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = ("estimated", "measured", "ratio")
    heads = ("model", "job", *figures, "beside the process: estimated", *figures[1:])
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|", file=sys.stderr)
    found = [row for name in options.only or MODELS for row in rows(name, options.job)]
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
