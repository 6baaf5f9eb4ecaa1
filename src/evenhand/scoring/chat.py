"""Chat templates: a prompt as a user's message, as the tokens that an instruct model was trained to answer.

The template is the tokenizer's own (Jinja, from ``tokenizer_config.json`` or ``chat_template.jinja``). It
writes every special token itself, so none is added. Two variables of templates are fixed, so that the same
prompt always gives the same tokens: a date is always `DATE`, and models with a thinking mode run without it
(``enable_thinking`` is false), because only the answer is used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from evenhand.errors import BadData, BadModel
from evenhand.scoring.tokens import shown

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DATE = datetime(2024, 7, 26, tzinfo=UTC)  # the default of Llama's own templates
_TODAY = re.compile(r"""strftime_now\(\s*(['"])(.*?)\1\s*\)""")


def template_of(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The tokenizer's chat template, None where it has none."""
    found: Any = getattr(tokenizer, "chat_template", None)
    if isinstance(found, dict):  # several by name
        found = found.get("default")
    return found if isinstance(found, str) and found.strip() else None


def named(template: str) -> str:
    """The template's name in a protocol."""
    return f"chat template of the model (sha256 {hashlib.sha256(template.encode()).hexdigest()[:16]})"


def messages(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], *, window: int | None, room: int
) -> list[tuple[int, ...]]:
    """Ids of each prompt as a user's message, up to where the answer begins.

    Raises:
        BadModel: the template cannot be filled.
        BadData: a message does not fit into the `window` with `room` tokens more.
    """
    found = [_ids(tokenizer, prompt) for prompt in prompts]
    for prompt, row in zip(prompts, found, strict=True):
        if window is not None and len(row) + room > window:
            raise BadData(
                f"The message {shown(prompt)} has {len(row)} tokens in the model's chat template, which with "
                f"{room} tokens more do not fit into its window of {window}.",
                mend="Shorten it, or ask for fewer tokens.",
            )
    return found


def _settled(template: str) -> str:
    """The template with `DATE` in place of the current date."""
    return _TODAY.sub(lambda call: repr(DATE.strftime(call[2])), template)


def _ids(tokenizer: Any, prompt: str) -> tuple[int, ...]:
    try:
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            chat_template=_settled(template_of(tokenizer) or ""),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
            enable_thinking=False,
            date_string=DATE.strftime("%d %b %Y"),
        )
    except Exception as error:  # an external template may raise any error
        said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BadModel(
            f"The model's chat template cannot be filled with {shown(prompt)}: {said}.",
            mend="Write chat=no into the benchmark's options to use the prompts without a template.",
        ) from None
    return tuple(int(i) for i in ids)
