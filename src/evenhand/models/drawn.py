"""Whether texts that a server was asked to draw are drawn: some servers generate greedily all the same."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.decimals import significant
from evenhand.records import Completion, Sampling, Undefined, digest

_PROMPTS = 3  # of a single prompt or two, equal draws may be chance
_WARM = 0.5  # below this temperature equal draws are what a certain model gives


class Draws:
    """Compares the draws of each prompt, as far as there are several."""

    def __init__(self) -> None:
        # Of each prompt with its sampling: the text of its first draw (its digest), and how many came.
        self._first: dict[str, str] = {}
        self._count: dict[str, int] = {}
        self._differ = False
        self._coolest = 0.0

    def add(
        self, prompts: Sequence[str], sampling: Sampling, texts: Sequence[Completion | Undefined]
    ) -> None:
        """Take the texts after `prompts`, in order, as draws by `sampling`; its seed does not matter here."""
        if self._differ or sampling.temperature < _WARM:
            return
        for prompt, text in zip(prompts, texts, strict=True):
            if isinstance(text, Undefined) or not text.text:
                continue
            key = digest(prompt, sampling.temperature, sampling.top_p, sampling.max_tokens)
            written = digest(text.text)
            self._count[key] = self._count.get(key, 0) + 1
            if self._first.setdefault(key, written) != written:
                self._differ = True
                return
            self._coolest = min(self._coolest or sampling.temperature, sampling.temperature)

    def remark(self) -> str | None:
        """A warning if some prompts have several draws, and those of each are all equal; else None."""
        several = [count for count in self._count.values() if count > 1]
        if self._differ or len(several) < _PROMPTS:
            return None
        return (
            f"The draws of each prompt are all equal ({sum(several)} texts of {len(several)} prompts, at "
            f"temperature {significant(self._coolest)}): the server seems to ignore the temperature. "
            "transformers serve does, unless the model's generation_config.json has do_sample true."
        )
