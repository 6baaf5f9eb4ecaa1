"""Several processes that answer together: the first runs the command, the others answer shares of its
requests.

``torchrun`` or ``accelerate launch`` starts the processes. Only the first reads options, files and stored
cells, fits and writes. The others (`serve`) open the model that it names and wait. When the first one's model
is asked for more than one share, it tells them which weights have changed since, and each process answers
every n-th share.

Shares are made of the requests alone (`shares_of`), never of the number of processes, and each is scored by
itself, so no answer depends on that number. Against a run without a launcher, which has larger batches,
rounding differs. A model with hooks or parts that the others lack is answered by the first process alone, in
the same shares. One of which each holds a part (`evenhand.models.parts`) is asked everything by all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
import torch.distributed as processes
from torch import Tensor, nn

from evenhand.errors import EnvironmentProblem, EvenhandError
from evenhand.models.dealing import CHARACTERS, shares_of
from evenhand.models.digests import every_tensor, tensor_digests, tokenizer_digest
from evenhand.progress import task
from evenhand.records import Request, Response
from evenhand.scoring.blocks import altered
from evenhand.scoring.kept import built
from evenhand.scoring.memory import ran_out
from evenhand.scoring.offloaded import in_parts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")
PATIENCE = timedelta(days=30)
"""How long a process waits for the others, such as for a fit in the first. One that died is seen at once."""
_log = logging.getLogger("evenhand.models")


@dataclass(frozen=True, slots=True)
class Named:
    """How a model was opened: what another process needs to open the same. See `evenhand.opening`."""

    uri: str
    dtype: str | None = None
    batch_tokens: int | None = None


class Shared(Protocol):
    """The part of a model with weights that the processes need; `batch_tokens` decides the size of shares."""

    module: nn.Module
    tokenizer: PreTrainedTokenizerBase
    batch_tokens: int
    named: Named | None

    def answer_alone(self, requests: Sequence[Request]) -> list[Response]:
        """The answers, in order, by this process."""
        ...

    def account(self) -> Any:
        """What the scorer counted in its newest call; another object after every call."""
        ...

    def take_over(self, accounts: Sequence[Any]) -> None:
        """Let the scorer report the sum of what was counted for shares of one call."""
        ...


@dataclass(frozen=True)
class _State:
    """What a process holds under a name: digests of tensors, of other settings, of the tokenizer."""

    tensors: Mapping[str, str]
    built: str
    tokenizer: str


@dataclass(frozen=True)
class _Work:
    """Requests with their shares, as indices; `tensors` have changed since the last time."""

    tensors: Mapping[str, Tensor]
    requests: Sequence[Request]
    shares: Sequence[Sequence[int]]


@dataclass(frozen=True)
class _Joint:
    """What all processes carry out at once with their model and the `arguments`; `tensors` have changed since
    the last time. `work` is a function of a module, which every process has.
    """

    tensors: Mapping[str, Tensor]
    work: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class _Opening:
    """A model of which all processes open their parts at the same time."""

    named: Named


@dataclass(frozen=True)
class _Share:
    """The answers to one share; None where it failed, so that the first process tries it and says why."""

    number: int
    answers: list[Response] | None
    account: Any = None


class Team:
    """The first process's side. `size` counts the processes, itself included."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._named: Named | None = None
        self._held: list[_State] = []  # what each other process holds of `_named`
        self._between = True  # no exchange is under way

    def answer(self, model: Shared, requests: Sequence[Request]) -> list[Response]:
        """The answers to `requests`, in order, from all processes.

        Raises:
            EnvironmentProblem: another process has ended, or could not open the model.
            EvenhandError: as for the model's `answer_alone`.
        """
        if in_parts(model.module):
            return self._by_all(model, requests)
        shares = shares_of(requests, CHARACTERS * model.batch_tokens)
        work, size = _Work({}, requests, shares), 1
        self._between = False  # an error in what follows leaves the others waiting for something else
        if len(shares) > 1 and not altered(model.module) and self._same(model):
            work, size = _Work(self._changes(model.module), requests, shares), self.size
            _tell(work)
        with task("scoring", len(shares), unit="share") as advance:
            own = _worked(model, work, 0, size, advance)
            every = _gathered(own, size) if size > 1 else [own]
        self._between = True
        return _joined(model, work, [share for of in every for share in of])

    def jointly(self, model: Shared, work: Callable[..., T], *arguments: Any) -> T | None:
        """What ``work(model, *arguments)`` gives here while all processes carry it out; None where the others
        do not hold this model. An error of evenhand that one of them raises must be raised by all.

        Raises:
            EnvironmentProblem: another process has ended, or could not open the model.
            EvenhandError: what `work` raises.
        """
        if altered(model.module) or not self._same(model):
            return None
        found: T = self._carried_out(model, _Joint(self._changes(model.module), work, arguments))
        return found

    def _by_all(self, model: Shared, requests: Sequence[Request]) -> list[Response]:
        """The answers of a model of which each process holds a part: all run the same passes."""
        if model.named is None or model.named != self._named:
            raise EnvironmentProblem(
                "The other processes no longer hold parts of this model: another was opened after it.",
                mend="Name one model in a command with ?tp=auto.",
            )
        found: list[Response] = self._carried_out(model, _Joint({}, _answered, (requests,)))
        return found

    @contextmanager
    def opening(self, named: Named) -> Iterator[None]:
        """Inside, this process opens its part of the model of that name while all others open theirs.

        Raises:
            EnvironmentProblem: another process has ended, such as one that could not.
        """
        self._between = False
        _tell(_Opening(named))
        with _reachable():
            yield
        _gathered(None, self.size)
        self._named, self._held = named, []
        self._between = True

    def _carried_out(self, model: Shared, joint: _Joint) -> Any:
        """What the work of `joint` gives here while all processes carry it out."""
        self._between = False
        _tell(joint)
        try:
            with _reachable():
                found = joint.work(model, *joint.arguments)
        except EnvironmentProblem:
            raise
        except EvenhandError:
            self._between = True  # the others have raised it as well, and wait for what comes next
            raise
        self._between = True
        return found

    def end(self) -> None:
        """Let the other processes end, unless one of them failed."""
        if self._between:
            _tell(None)

    def _same(self, model: Shared) -> bool:
        """Whether the others hold the same model, but for values; they open it if need be."""
        named = model.named
        if named is None:
            return False
        if named != self._named:
            _tell(named)
            replies = _gathered(None, self.size)[1:]
            for rank, reply in enumerate(replies, start=1):
                if isinstance(reply, EvenhandError):
                    self._between = True
                    raise EnvironmentProblem(
                        f"Process {rank} of {self.size} cannot open {named.uri}: {reply.what}",
                        mend=reply.mend,
                    )
            self._named, self._held = named, replies
        own = {name: (t.shape, t.dtype) for name, t in every_tensor(model.module).items()}
        settings = (built(model.module), tokenizer_digest(model.tokenizer))
        return all(
            own.keys() == held.tensors.keys() and settings == (held.built, held.tokenizer)
            for held in self._held
        )

    def _changes(self, module: nn.Module) -> dict[str, Tensor]:
        """The tensors that some other process holds with other bits; from now on it holds these."""
        sums, tensors = tensor_digests(module), every_tensor(module)
        changed = {name for held in self._held for name, one in held.tensors.items() if sums[name] != one}
        self._held = [_State(sums, held.built, held.tokenizer) for held in self._held]
        return {name: tensors[name].detach().cpu() for name in sorted(changed)}


_team: Team | None = None


def team() -> Team | None:
    """The processes that answer together with this one, which is the first; None where it is alone."""
    return _team


def rank() -> int:
    """The number of this process among those that are connected, 0 for the first and for one alone."""
    return processes.get_rank() if processes.is_initialized() else 0


@contextmanager
def leading(size: int) -> Iterator[None]:
    """Inside, models of this process, the first of `size`, are answered by all of them.

    Raises:
        EnvironmentProblem: they cannot be reached.
    """
    global _team  # noqa: PLW0603
    _connect()
    _team = first = Team(size)
    try:
        yield
    finally:
        _team = None
        first.end()
        processes.destroy_process_group()


def serve(rank: int, size: int, open_: Callable[[Named], Shared]) -> None:
    """Answer what the first process sends until it says that it is done.

    Raises:
        EnvironmentProblem: the first process has ended without a word.
    """
    _connect()
    model: Shared | None = None
    while (message := _told()) is not None:
        if isinstance(message, Named | _Opening):
            model = None  # two large models may not fit
            parts = isinstance(message, _Opening)
            try:
                model = open_(message.named if isinstance(message, _Opening) else message)
                # Of parts all processes would have to make digests, and the first one has opened its own.
                digests = {} if parts else tensor_digests(model.module)
                reply: Any = _State(digests, built(model.module), tokenizer_digest(model.tokenizer))
            except EvenhandError as error:
                if parts:  # the others wait for this process in the middle of theirs, and see it end
                    raise
                reply = error
        elif isinstance(message, _Joint):
            assert model is not None  # it was named before
            _write(model.module, message.tensors)
            with suppress(EvenhandError):  # the first process says it
                message.work(model, *message.arguments)
            continue
        else:
            assert model is not None  # it was named before
            _write(model.module, message.tensors)
            reply = _worked(model, message, rank, size, lambda amount: None)
        _gathered(reply, size)
    processes.destroy_process_group()


def _answered(model: Shared, requests: Sequence[Request]) -> list[Response]:
    return model.answer_alone(requests)


def _worked(model: Shared, work: _Work, rank: int, size: int, advance: Callable[[int], None]) -> list[_Share]:
    """The shares of this process, answered."""
    found = []
    for number in range(rank, len(work.shares), size):
        before = model.account()
        try:
            answers = model.answer_alone([work.requests[i] for i in work.shares[number]])
        except Exception as problem:  # the first process tries again, and its error is shown
            _log.info("share %d failed in process %d: %s", number, rank, problem)
            found.append(_Share(number, None))
            continue
        after = model.account()
        found.append(_Share(number, answers, None if after is before else after))
        advance(min(size, len(work.shares) - number))
    return found


def _joined(model: Shared, work: _Work, found: Sequence[_Share]) -> list[Response]:
    """The answers of all shares in the order of the requests; those that failed are answered here."""
    answers: dict[int, Response] = {}
    accounts = []
    for share in sorted(found, key=lambda share: share.number):
        places = work.shares[share.number]
        given = share.answers
        if given is None:
            given = model.answer_alone([work.requests[i] for i in places])
        answers.update(zip(places, given, strict=True))
        if share.account is not None:
            accounts.append(share.account)
    if accounts:
        model.take_over(accounts)
    return [answers[i] for i in range(len(work.requests))]


@torch.no_grad()
def _write(module: nn.Module, values: Mapping[str, Tensor]) -> None:
    tensors = every_tensor(module)
    for name, value in values.items():
        tensors[name].copy_(value)


def _connect() -> None:
    with _reachable():
        processes.init_process_group("gloo", timeout=PATIENCE)


def _tell(message: object) -> None:
    """Send `message` to all other processes."""
    with _reachable():
        processes.broadcast_object_list([message], src=0)


def _told() -> Any:
    """What the first process sends next."""
    message: list[Any] = [None]
    with _reachable():
        processes.broadcast_object_list(message, src=0)
    return message[0]


def _gathered(own: object, size: int) -> list[Any]:
    """What every process gave, in order, in the first one; in the others nothing of use."""
    every: list[Any] | None = [None] * size if processes.get_rank() == 0 else None
    with _reachable():
        processes.gather_object(own, every, dst=0)
    return every or []


@contextmanager
def _reachable() -> Iterator[None]:
    """Turn the errors of a broken connection into one of evenhand's.

    Raises:
        EnvironmentProblem: another process cannot be reached.
    """
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:  # gloo raises plain RuntimeErrors
        if ran_out(error):
            raise
        raise EnvironmentProblem(
            f"Another process of this run has ended or cannot be reached ({_first_line(error)}).",
            mend="Look for its own message, such as one about memory. The same command, with any number of "
            "processes, goes on from what is stored.",
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(". ")[:200]
