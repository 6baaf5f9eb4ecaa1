"""The model of the exchanges in tests/models/exchanges, as a folder and as a GGUF file.

``python -m tests.support.recorded_model FOLDER`` writes ``FOLDER/tiny`` and ``FOLDER/tiny.gguf``, for a
server whose exchanges are to be recorded (`tests.models.test_exchanges` says how).
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from evenhand.models.causal import CausalModel
from evenhand.testing import tiny
from tests.support.gguf_file import write

# vLLM computes on a processor only with heads of 32 numbers and more.
SHAPE = {
    "hidden_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
}


def model() -> CausalModel:
    """A tiny random Llama whose texts begin with a mark; greedily it writes no parts of characters."""
    made = tiny.model("llama", bos=True, gain=6.0, **SHAPE)
    parts = [i for i in range(len(made.tokenizer)) if not made.tokenizer.decode([i]).isprintable()]
    parts += [i for i in range(len(made.tokenizer)) if "\ufffd" in made.tokenizer.decode([i])]
    with torch.no_grad():
        made.module.get_output_embeddings().weight[parts] = 0
    return made


def save(folder: Path) -> None:
    """Write the model as a folder for transformers and vLLM, and as a file for llama.cpp."""
    made = model()
    made.module.save_pretrained(folder / "tiny")
    made.tokenizer.save_pretrained(folder / "tiny")
    write(folder / "tiny.gguf", made.module, made.tokenizer)


if __name__ == "__main__":
    save(Path(sys.argv[1]))
