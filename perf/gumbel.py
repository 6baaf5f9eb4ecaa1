"""The sanity experiment of FairCon's figure 4: does the Gumbel-softmax trainer recover a known distribution?

Three questions, each answered with the divergence from the target by step: a distribution over a few tokens
with few and with many draws a step, a long-tailed distribution over 500 tokens, and one token of 500 of which
only its embedding is known. Prints a Markdown table and writes one chart.

Run: python perf/gumbel.py [--steps 400] [--seed 0] [--out runs/gumbel.html] [--json]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from evenhand.files import write_atomically
from evenhand.training.gumbel import Recovery, plant, recover

FEW = torch.tensor([0.4, 0.25, 0.15, 0.1, 0.05, 0.05])
TAIL = 1 / torch.arange(1, 501, dtype=torch.float64)


def courses(steps: int, seed: int) -> dict[str, Recovery]:
    """Every experiment by its name."""
    tail = TAIL / TAIL.sum()
    table = torch.randn(500, 32, generator=torch.Generator().manual_seed(seed))
    return {
        "6 tokens, 16 draws a step": recover(FEW, steps=steps, draws=16, seed=seed),
        "6 tokens, 256 draws a step": recover(FEW, steps=steps, draws=256, seed=seed),
        "500 tokens as 1/rank, 256 draws": recover(tail, steps=steps, draws=256, seed=seed),
        "one of 500 from its embedding, 8 draws": plant(table, 321, steps=steps, seed=seed),
    }


def marks(steps: int) -> list[int]:
    """The steps that the table shows."""
    return sorted({0, steps // 8, steps // 4, steps // 2, steps})


def table(found: dict[str, Recovery], steps: int) -> str:
    """Divergence by step as a Markdown table."""
    shown = marks(steps)
    lines = [
        f"| divergence (nats) after step | {' | '.join(map(str, shown))} |",
        "|---" * (1 + len(shown)) + "|",
    ]
    for name, one in found.items():
        lines.append(f"| {name} | {' | '.join(f'{one.divergence[s]:.4f}' for s in shown)} |")
    return "\n".join(lines)


def chart(found: dict[str, Recovery], out: Path) -> None:
    """Write the divergences by step as one page that needs no network."""
    from plotly import io

    lines = [
        {"y": [max(d, 1e-6) for d in one.divergence], "name": name, "mode": "lines", "type": "scatter"}
        for name, one in found.items()
    ]
    layout = {
        "title": {"text": "Recovering a known distribution through straight-through Gumbel-softmax draws"},
        "xaxis": {"title": {"text": "step"}},
        "yaxis": {"title": {"text": "divergence from the target, nats"}, "type": "log"},
    }
    page = io.to_html({"data": lines, "layout": layout}, include_plotlyjs=True)  # type: ignore[no-untyped-call]
    write_atomically(out, page.encode())


def main() -> int:
    """Run the experiments; exit status 1 when one ends above a tenth of where it began."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/gumbel.html"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = courses(options.steps, options.seed)
    chart(found, options.out)
    if options.json:
        print(json.dumps({name: list(one.divergence) for name, one in found.items()}))
    else:
        print(table(found, options.steps))
    return int(any(one.divergence[-1] > 0.1 * one.divergence[0] for one in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
