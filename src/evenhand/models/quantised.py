"""Checkpoints whose weights are stored quantised: their name for reports, and what opening them needs.

transformers opens them with the package of their method, unchanged. Their weights are packed numbers that no
method here changes, so such a model is measured and not treated. GGUF files are another matter: they are
opened dequantised (see `evenhand.models.gguf`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from evenhand.errors import BadModel, EnvironmentProblem

# The method as a configuration states it: its name for people, and the package that reads it.
_METHODS: Mapping[str, tuple[str, str]] = {
    "bitsandbytes": ("bitsandbytes", "bitsandbytes"),
    "gptq": ("GPTQ", "gptqmodel"),
    "awq": ("AWQ", "gptqmodel"),
    "compressed-tensors": ("compressed-tensors", "compressed_tensors"),
    "torchao": ("torchao", "torchao"),
    "hqq": ("HQQ", "hqq"),
    "quanto": ("Quanto", "optimum"),
    "mxfp4": ("MXFP4", "kernels"),
    "fp8": ("FP8", "kernels"),
}


def stated(config: Any) -> Mapping[str, Any] | None:
    """The `quantization_config` of a configuration as a mapping; None where the weights are plain."""
    found = getattr(config, "quantization_config", None)
    if found is None:
        return None
    return dict(found if isinstance(found, Mapping) else found.to_dict())


def origin(config: Any) -> str | None:
    """How the weights are stored, such as ``quantised by GPTQ, 4 bits``; None where they are plain."""
    found = stated(config)
    if found is None:
        return None
    bits = _bits(found)
    return f"quantised by {_method(found)[0]}{f', {bits} bits' if bits else ''}"


@contextmanager
def explained(name: str, config: Any) -> Iterator[None]:
    """Name the method and what it needs where a quantised checkpoint cannot be opened inside.

    Raises:
        EnvironmentProblem: the package of its method is not installed.
        BadModel: transformers does not know the method.
    """
    try:
        yield
    except (ImportError, ValueError) as error:
        found = stated(config)
        if found is None:
            raise
        said, package = _method(found)
        if not package:
            raise BadModel(
                f"{name} is quantised by {said}, which cannot be opened here: {_first(error)}.",
                mend="Use its unquantised form, or serve it with a program that opens it and measure it as "
                "openai:http://host/v1#model.",
            ) from None
        if find_spec(package) is None:
            raise EnvironmentProblem(
                f"{name} is {origin(config)}, which only the package {package} opens, and that is missing.",
                mend=f"Install it (pip install {package.replace('_', '-')}; most need a graphics card), "
                "use the plain form of the model, or a GGUF file of it (gguf:./model.gguf).",
            ) from None
        raise


def _method(found: Mapping[str, Any]) -> tuple[str, str]:
    stated = found.get("quant_method")
    method = str(getattr(stated, "value", stated or "an unnamed method"))
    return _METHODS.get(method.removesuffix("_4bit").removesuffix("_8bit"), (method, ""))


def _bits(found: Mapping[str, Any]) -> int | None:
    for name, bits in (("load_in_4bit", 4), ("load_in_8bit", 8), ("_load_in_4bit", 4), ("_load_in_8bit", 8)):
        if found.get(name):
            return bits
    value = found.get("bits", found.get("w_bit"))
    return value if isinstance(value, int) else None


def _first(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
