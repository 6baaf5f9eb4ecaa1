"""What a server's error means: one prompt, one parameter, or the whole run."""

from __future__ import annotations

import json

import pytest

from evenhand.models.refused import FILTERED, TOO_LONG, cleaned, mend, reason


def said(message: str, **more: object) -> str:
    return json.dumps({"error": {"message": message, **more}})


@pytest.mark.parametrize(
    ("status", "text", "meaning"),
    [
        (400, said("no", code="content_filter"), FILTERED),
        (400, said("no", code="x", innererror={"code": "ResponsibleAIPolicyViolation"}), FILTERED),
        (400, said("no", code="content_policy_violation"), FILTERED),
        (400, said("Filtered due to the prompt triggering the content management policy."), FILTERED),
        (400, said("Your prompt was flagged as potentially violating our usage policy."), FILTERED),
        (403, said("The input was flagged for harassment."), FILTERED),
        (400, said("no", code="context_length_exceeded"), TOO_LONG),
        (400, said("This model's maximum context length is 2048 tokens. You requested 2100."), TOO_LONG),
        (400, said("no", type="exceed_context_size_error", n_ctx=512), TOO_LONG),
        (422, json.dumps({"error": "`inputs` tokens + `max_new_tokens` must be <= 4096."}), TOO_LONG),
        (400, said("max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)"), TOO_LONG),
        # About more than one prompt.
        (400, said("Unsupported parameter: 'top_p'", code="unsupported_parameter"), None),
        (400, said("max_tokens is too large: 9999."), None),
        (401, said("no", code="content_filter"), None),
        (403, said("You have no access to this model."), None),
        (404, said("The model does not exist."), None),
        (429, said("Too many tokens: the context length of your quota"), None),
        (500, said("content filter unavailable"), None),
        (400, "<html>Bad Request</html>", None),
        (400, "[" * 5000, None),
    ],
)
def test_an_error_about_one_prompt_is_told_from_the_others(status, text, meaning):
    assert reason(status, text) == meaning


BODY = {"prompt": "x", "max_tokens": 4, "temperature": 0.5, "top_p": 0.9, "seed": 1}


@pytest.mark.parametrize(
    ("text", "option"),
    [
        (said("Unsupported parameter: 'top_p' is not supported"), "?leave_out=top_p before the #"),
        (said("`temperature` and `top_p` cannot both be specified"), "?leave_out=top_p,temperature before"),
        (json.dumps({"message": {"detail": [{"loc": ["body", "seed"]}]}}), "?leave_out=seed before the #"),
        (said("Use 'max_completion_tokens' instead of 'max_tokens'"), "?length=max_completion_tokens before"),
    ],
)
def test_a_parameter_that_the_server_does_not_take_is_named_with_its_option(text, option):
    advice = mend(text, BODY)
    assert advice is not None
    assert option in advice


def test_a_missing_template_of_chats_is_named_with_the_other_interface():
    text = said("As of transformers v4.44, default chat template is no longer allowed")
    assert "?api=completions before the #" in (mend(text, {"messages": [], "max_tokens": 4}) or "")
    assert mend(text, {"prompt": "x", "max_tokens": 4}) is None


def test_what_was_not_sent_is_not_to_blame():
    assert mend(said("reseed the top_plane at this temperature_"), BODY) is None
    assert mend(said("top_p is not supported"), {"prompt": "x"}) is None
    assert mend(said("top_p is not supported"), None) is None


@pytest.mark.parametrize(
    "text",
    [
        said("No such model."),
        json.dumps({"error": "No such model."}),
        json.dumps({"object": "error", "message": "No such model.", "type": "NotFoundError", "code": 404}),
        json.dumps({"detail": "No such model."}),
        json.dumps({"error": None, "message": "No such model."}),
        "No such\n model.",
    ],
)
def test_the_message_is_found_in_every_form_of_an_error(text):
    assert cleaned(text, None) == "No such model"


def test_an_error_without_a_message_is_shown_as_it_is():
    text = json.dumps({"detail": [{"loc": ["body", "seed"], "msg": "not allowed"}]})
    assert cleaned(text, None) == text
    assert cleaned('{"error": {"code": 7}}', None) == '{"error": {"code": 7}}'
