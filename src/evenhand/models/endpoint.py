"""``openai:URL#model``: any server with OpenAI's HTTP interface (vLLM, llama.cpp, a vendor's).

The name is a URL with the model as its fragment: ``openai:http://localhost:8000/v1#org/model``. Options are
in its query, ``openai:https://host/v1?api=completions&requests=5000#model`` (after the model's name they are
accepted as well):

- ``api``: ``chat`` (default: the prompt is a user's message) or ``completions`` (the prompt is continued;
  also gives log-probabilities where the server passes the checks of `evenhand.models.echoed` and
  `evenhand.models.plausible`);
- ``requests``, ``tokens``, ``cost``: the strict budget of this run; also ``EVENHAND_BUDGET_REQUESTS``,
  ``EVENHAND_BUDGET_TOKENS`` and ``EVENHAND_BUDGET_COST``. A request that might exceed it is not sent; the run
  ends and can be resumed;
- ``price``: what a million tokens of prompts and a million written ones cost, ``0.15,0.60``; a cost needs it;
- ``concurrency`` (8), ``timeout`` (60 s for a whole request), ``retries`` (5): see
  `evenhand.models.budget.Limits`;
- ``cache``: ``yes`` (default) stores answers on disk, keyed by the whole request, or ``no``;
- ``length``: ``max_tokens`` (default) or ``max_completion_tokens``, which some newer models need instead;
- ``leave_out``: those of ``seed,top_p,temperature`` that the server does not accept; they are never sent;
- ``send``: those of the same parameters that are always sent;
- ``also``: further fields of requests for text, ``also=repeat_penalty:1,top_k:0``, for a server whose own
  defaults would change what is drawn.

A temperature of 1, a `top_p` of 1 and the seed 0 are the interface's defaults and are sent only with
``send``, because some models refuse these parameters. A server that has other defaults (vLLM takes them from
the model's generation_config) needs ``send=temperature,top_p``; texts drawn without a seed differ when they
are requested again, and ``send=seed`` gives each text its own seed.

A prompt that the server refuses because of its content (its content filter, too long a context) has an
undefined answer: it is counted, and the run continues. The same holds for a prompt whose answer is malformed
twice while others have good answers; it is not stored. Several consecutive malformed answers end the run, and
so does every other refusal, with the server's own message.

A plus sign, a ``#`` or a ``?`` in a model's name is written ``%2B``, ``%23`` or ``%3F``. The key comes from
the environment, see `evenhand.models.transport.api_key`; it is never stored, shown or part of the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evenhand.decimals import fixed, significant
from evenhand.errors import BadModel
from evenhand.hashing import draw_keys
from evenhand.models import echoed
from evenhand.models.address import Address, parse
from evenhand.models.drawn import Draws
from evenhand.models.reading import completion
from evenhand.models.refused import PARAMETERS, one_line
from evenhand.models.transport import Check, Json, Transport
from evenhand.records import (
    Ability,
    Completion,
    Continuation,
    Generation,
    LogProb,
    ModelSpec,
    Request,
    Response,
    Sampling,
    Undefined,
    answer_in_groups,
    digest,
)


class EndpointModel:
    """A `Model` accessed by HTTP. Its weights are known to the server only: `spec.digest` is of its name.

    With ``api=completions`` it offers log-probabilities; the first use checks them, and refuses them with the
    reason if they are not valid.
    """

    def __init__(self, address: Address, transport: Transport | None = None) -> None:
        self.address = address
        self.transport = transport or Transport(address.url, address.limits)
        more = (Ability.LOGPROBS,) if address.api == "completions" else ()
        self.can = frozenset({Ability.GENERATE, *more})
        self.spec = ModelSpec(uri=address.uri, digest=digest("endpoint", address.uri))
        self._parity: float | None = None
        self._empty = 0
        self._named: set[str] = set()
        self._unsent: set[str] = set()
        self._left_out: set[str] = set()
        self._draws = Draws()

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """The answers to continuations and generations, in order.

        Raises:
            BadModel: a request of another kind; otherwise see the next two methods.
            EvenhandError: as for `Transport.post_all`.
        """
        return answer_in_groups(requests, _sort, self._answer)

    def _answer(self, sort: type | Sampling, group: Sequence[Request]) -> Sequence[Response]:
        if isinstance(sort, Sampling):
            return self._texts([one.prompt for one in group if isinstance(one, Generation)], sort)
        if sort is Continuation:
            return self._logprobs([one for one in group if isinstance(one, Continuation)])
        raise BadModel(
            f"{self.spec.uri} is an endpoint: it {group[0].needs.lacks}.",
            mend="Use a model with access to its weights (hf: or lab:).",
        )

    def _logprobs(self, items: Sequence[Continuation]) -> list[LogProb | Undefined]:
        """Log-probabilities in nats, in the order of `items`, from echoed prompts.

        Raises:
            BadModel: the server gives none, or invalid ones, or its tokenizer merges a boundary.
            EvenhandError: as for `Transport.post_all`.
        """
        if self.address.api != "completions":
            raise BadModel(
                f"{self.spec.uri} is asked as a chat, which gives no log-probabilities of given text.",
                mend=f"If the server offers it, write {self.address.as_completions}",
            )
        bodies = [self._echo(echoed.body(self.address.model, item.context + item.text)) for item in items]
        path = "/completions"
        if self._parity is None and not all(self.transport.kept(path, b, self._echoed) for b in bodies):
            self._parity = echoed.check(
                lambda body: self._post(path, self._echo(body)), self.address.model, self.address.url
            )
        answers = self._post_all(path, bodies, "scoring", self._echoed)
        return echoed.scores(items, answers, self.address.url)

    def _texts(self, prompts: Sequence[str], sampling: Sampling) -> list[Completion | Undefined]:
        """Text after each prompt, in the order of `prompts`.

        With a temperature each prompt has its own seed, made of `sampling.seed`, the prompt and the number of
        its earlier occurrences, as in `evenhand.scoring.runners.generation`; servers may ignore it. Where it
        is not sent, each text is still a separate draw.

        Raises:
            BadModel: the answer has no text in it.
            EvenhandError: as for `Transport.post_all`.
        """
        path = "/chat/completions" if self.address.api == "chat" else "/completions"
        seeds = _seeds(prompts, sampling)
        bodies = [self._body(p, sampling, seed) for p, seed in zip(prompts, seeds, strict=True)]
        unseeded = sampling.temperature > 0 and any("seed" not in body for body in bodies)
        draws = [str(seed) for seed in seeds] if unseeded else ()
        answers = self._post_all(path, bodies, "generating", self._read, draws)
        texts = [self._completion(answer) for answer in answers]
        self._draws.add(prompts, sampling, texts)
        return texts

    def notes(self) -> tuple[str, ...]:
        """Where the answers come from, how many were reused or empty, what was checked, and the cost."""
        found = [
            f"The weights of {self.spec.uri} are known to its server only: figures measured at another time "
            "may be those of another model."
        ]
        others = sorted(self._named - {self.address.model})
        if others:
            found.append(f"The server names the model {', '.join(others)}.")
        if self.transport.reused:
            found.append(f"{self.transport.reused} answers were kept from an earlier run.")
        if self._parity is not None:
            found.append(
                f"Generated and echoed log-probabilities agreed within {fixed(self._parity, 4)} nats."
            )
        if self._empty:
            found.append(f"{self._empty} answers held no text (refused, filtered or cut off).")
        found += self._about_sampling()
        if (equal := self._draws.remark()) is not None:
            found.append(equal)
        if (cost := self.transport.budget.cost) is not None:
            found.append(
                f"At the price that was given, this run's requests cost at most {significant(cost)}."
            )
        return tuple(found)

    def _about_sampling(self) -> list[str]:
        """Notes on sampling parameters that were not sent."""
        unsent, left_out = (
            [name for name in PARAMETERS if name in names] for names in (self._unsent, self._left_out)
        )
        said = []
        if unsent:
            said.append(
                f"Texts were drawn without {', '.join(unsent)} in the request, because they are "
                f"the interface's default: write ?send={','.join(unsent)} before the # if the server's own "
                "default is another."
            )
        if left_out:
            said.append(
                f"Left out of the requests: {', '.join(left_out)}. The server's own value applies, and these "
                "figures are only comparable with others measured in this way."
            )
        return said

    def _post(self, path: str, body: Json) -> Json:
        try:
            return self.transport.post(path, body)
        except BadModel as refusal:
            raise self._with_models(refusal) from None

    def _post_all(
        self, path: str, bodies: Sequence[Json], label: str, check: Check, draws: Sequence[str] = ()
    ) -> list[Json | Undefined]:
        try:
            answers = self.transport.post_all(path, bodies, label=label, check=check, draws=draws)
        except BadModel as refusal:
            raise self._with_models(refusal) from None
        known = [answer for answer in answers if not isinstance(answer, Undefined)]
        self._named |= {one_line(a["model"]) for a in known if isinstance(a.get("model"), str)}
        return answers

    def _with_models(self, refusal: BadModel) -> BadModel:
        """The refusal with the models that the server lists, if the requested one is not among them."""
        try:
            listed = [one_line(str(entry["id"])) for entry in self.transport.get("/models")["data"]]
        except Exception:  # the list is only additional help; an error in it must not hide the refusal
            return refusal
        if not listed or self.address.model in listed:
            return refusal
        return BadModel(refusal.what, mend=f"Its models: {', '.join(listed[:20])}. {refusal.mend}")

    def _body(self, prompt: str, sampling: Sampling, seed: int) -> dict[str, Any]:
        asked: dict[str, Any] = {"model": self.address.model}
        if self.address.api == "chat":
            asked["messages"] = [{"role": "user", "content": prompt}]
        else:
            asked["prompt"] = prompt
        asked[self.address.length] = sampling.max_tokens
        return asked | self._sampling(sampling, seed) | dict(self.address.also)

    def _sampling(self, sampling: Sampling, seed: int) -> dict[str, Any]:
        """The parameters of sampling that are sent: those that differ from the interface's defaults."""
        values: dict[str, tuple[Any, bool]] = {
            "temperature": (sampling.temperature, sampling.temperature != 1)
        }
        if sampling.temperature > 0:
            values |= {"top_p": (sampling.top_p, sampling.top_p != 1), "seed": (seed, sampling.seed != 0)}
        sent = {}
        for name, (value, differs) in values.items():
            if name in self.address.leave_out:
                self._left_out |= {name} if differs else set()
            elif differs or name in self.address.send:
                sent[name] = value
            else:
                self._unsent.add(name)
        return sent

    def _echo(self, body: Json) -> Json:
        return {name: value for name, value in body.items() if name not in self.address.leave_out}

    def _echoed(self, body: Json, answer: Json) -> None:
        echoed.echoed(answer, body["prompt"], self.address.url)

    def _read(self, body: Json, answer: Json) -> Completion | Undefined:
        return completion(answer, chat=self.address.api == "chat", server=self.address.url)

    def _completion(self, answer: Json | Undefined) -> Completion | Undefined:
        if isinstance(answer, Undefined):
            return answer
        found = self._read({}, answer)
        self._empty += isinstance(found, Completion) and not found.text.strip()
        return found


def _sort(request: Request) -> type | Sampling:
    """The group in which a request is sent: texts with one sampling, or requests of one kind."""
    return request.sampling if isinstance(request, Generation) else type(request)


def _seeds(prompts: Sequence[str], sampling: Sampling) -> list[int]:
    return [int.from_bytes(key[:4], "big") >> 1 for key in draw_keys(sampling.seed, prompts)]


def open_endpoint(rest: str, **options: Any) -> EndpointModel:
    """Open ``openai:REST``; nothing is sent yet. Options that concern running a model do not apply.

    Raises:
        UsageError: see `parse`.
    """
    return EndpointModel(parse(rest))
