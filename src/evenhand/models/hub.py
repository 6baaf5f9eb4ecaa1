"""The model hub: one short check whether it can be reached, and clear errors for its refusals.

Opening a model asks the hub's client for a dozen files, and the client waits and retries for each. So one
check whether the hub answers is made here, before all of them; a model in the cache then opens without the
hub, and any other is refused at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

from evenhand.errors import BadModel, EnvironmentProblem, EvenhandError
from evenhand.files import is_folder

T = TypeVar("T")
TIMEOUT = 3.0  # seconds for a connection, and for the first byte of an answer
DEADLINE = 4.0  # seconds for everything, the look-up of the name included
PATIENCE = (
    "HF_HUB_ETAG_TIMEOUT"  # the client's own variable for the time limit of an answer, for slow networks
)
FORGET = 60.0  # seconds after which a hub that could not be reached is tried again
_NOBODY = frozenset({407, 502, 503, 504})  # a proxy's answers when the hub is not reachable through it
_OFFLINE = "HF_HUB_OFFLINE is set"
# Without these files a cached snapshot may be incomplete: the last is fetched after all others.
_WHOLE = ("config.json", "tokenizer_config.json", "generation_config.json")
_found: dict[str, tuple[str, float]] = {}


def endpoint() -> str:
    """The hub's address to show: ``HF_ENDPOINT`` without its password, or huggingface.co."""
    from huggingface_hub import constants

    parts = urlsplit(str(constants.ENDPOINT))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def unreachable() -> str:
    """Why the hub cannot be reached, empty where it can.

    It makes one request with a short time limit; success is remembered for the process, failure for a minute.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return _OFFLINE
    place, now = str(constants.ENDPOINT), time.monotonic()
    why, when = _found.get(place, ("never asked", -FORGET))
    if why and now - when >= FORGET:
        why = _asked(place)
        _found[place] = why, time.monotonic()
    return why


def _asked(place: str) -> str:
    """Make the request in a separate thread, because no time limit can be set for a name look-up."""
    allowed = _allowed()
    said = [f"it does not answer within {allowed:g} seconds; {PATIENCE} gives it more"]

    def ask() -> None:
        from huggingface_hub import get_session

        try:
            status = get_session().head(place, timeout=TIMEOUT * allowed / DEADLINE).status_code
        except Exception as error:
            said[0] = (str(error).strip().splitlines() or [""])[0].rstrip(".") or type(error).__name__
        else:
            said[0] = f"it answers {status}" if status in _NOBODY else ""

    asking = Thread(target=ask, daemon=True, name="evenhand-hub")
    asking.start()
    asking.join(allowed)
    return said[0]


def _allowed() -> float:
    try:
        return max(DEADLINE, float(os.environ[PATIENCE]))
    except (KeyError, ValueError):
        return DEADLINE


def opened(
    name: str, revision: str | None, load: Callable[[Mapping[str, Any]], T], *, instead: str = ""
) -> tuple[T, tuple[str, ...]]:
    """The result of `load`, called with arguments that state where the files of `name` are, and notes on it.

    A folder, or a complete cached snapshot of one commit, needs no request. Any other cached name is checked
    against the hub if that can be reached, else opened as it is with a note. `instead` names alternatives.

    Raises:
        EnvironmentProblem: the files are not in the cache and the hub cannot be reached.
        BaseException: whatever `load` raises.
    """
    where = {"revision": revision, "trust_remote_code": False}
    if is_folder(name) or _settled(name, revision):
        return load({**where, "local_files_only": True}), ()
    why = unreachable()
    if not why:
        return load({**where, "local_files_only": False}), ()
    try:
        made = load({**where, "local_files_only": True})
    except Exception as error:
        if _is_absence(error):
            raise offline(name, why, instead) from None
        raise
    return made, (
        f"{name} was opened from the cache, which may be older than the hub's ({endpoint()}: {why}).",
    )


def _settled(name: str, revision: str | None) -> bool:
    """Whether the cache holds all of a commit, whose files never change."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.file_download import REGEX_COMMIT_HASH

    if revision is None or not REGEX_COMMIT_HASH.match(revision):
        return False
    return all(try_to_load_from_cache(name, file, revision=revision) is not None for file in _WHOLE)


def offline(name: str, why: str, instead: str = "") -> EnvironmentProblem:
    """The error for a model that is not in the cache while the hub cannot be reached."""
    lift = (
        "Unset it" if why == _OFFLINE else "Connect to the network (HF_ENDPOINT and HTTPS_PROXY are obeyed)"
    )
    return EnvironmentProblem(
        f"{name} is not in the cache and the Hugging Face hub cannot be reached ({endpoint()}: {why}).",
        mend=f"{lift}, or fetch it elsewhere with `hf download {name} --local-dir FOLDER` and name the "
        f"folder: hf:./FOLDER.{' ' + instead if instead else ''}",
    )


def explanation(name: str, error: BaseException) -> EvenhandError | None:
    """An error of the hub's client as an error for the user; None if it is not an error of the hub."""
    from huggingface_hub import errors

    chain = list(causes(error))
    text = " ".join(str(e) for e in chain).lower()
    status = next((s for e in chain if (s := _status(e))), 0)

    def holds(*kinds: str) -> bool:
        return any(isinstance(e, getattr(errors, kind, ())) for e in chain for kind in kinds)

    if holds("GatedRepoError") or "access a gated repo" in text:
        return _gated(name)
    if holds("RevisionNotFoundError") or "is not a valid git identifier" in text:
        return BadModel(f"{name} has no such revision.", mend="Write a branch, tag or commit after '@'.")
    if holds("RepositoryNotFoundError", "HFValidationError") or status == 404:
        return _no_repository(name)
    if status in (401, 403) or holds("DisabledRepoError"):
        return _refused(name, status)
    if any(_is_absence(e) for e in chain):
        return offline(name, unreachable() or "the connection broke")
    return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes, outermost first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int:
    found = getattr(getattr(error, "response", None), "status_code", 0)
    return found if isinstance(found, int) else 0


def _is_absence(error: BaseException) -> bool:
    """Whether the error means that a file is neither in the cache nor available."""
    from huggingface_hub import errors

    kinds = (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled)
    return any(isinstance(e, kinds) or "couldn't connect" in str(e).lower() for e in causes(error))


def _has_token() -> bool:
    from huggingface_hub import get_token

    return get_token() is not None


_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN to a token (https://huggingface.co/settings/tokens)"


def _gated(name: str) -> EvenhandError:
    if _has_token():
        return BadModel(
            f"{name} is gated, and the account of the token in use has no access to it.",
            mend=f"Accept its conditions on {endpoint()}/{name} with that account (some need an approval, "
            "so it may take a while); a fine-grained token also needs the permission to read gated "
            "repositories. `hf auth whoami` says whose token it is.",
        )
    return BadModel(
        f"{name} is gated, and no token is set.",
        mend=f"Accept its conditions on {endpoint()}/{name}, then {_LOG_IN}.",
    )


def _no_repository(name: str) -> EvenhandError:
    private = (
        "if it is private or gated, the account of the token in use has no access to it (`hf auth whoami` "
        "says whose it is)"
        if _has_token()
        else f"if it is private or gated, {_LOG_IN}"
    )
    return BadModel(
        f"The hub has no model {name}, or it is private.",
        mend=f"Check the name; write hf:./{name} for a folder; {private}.",
    )


def _refused(name: str, status: int) -> EvenhandError:
    if not _has_token():
        return BadModel(
            f"The hub does not give {name} to users without a token (it answers {status}).",
            mend=f"Accept the model's conditions on {endpoint()}/{name} if it has any, then {_LOG_IN}.",
        )
    mend = (
        "Renew it with `hf auth login`, or set HF_TOKEN to a valid one; `hf auth whoami` tries it."
        if status == 401
        else f"Accept the model's conditions on {endpoint()}/{name} with its account, or use a token that "
        "may read it; `hf auth whoami` says whose token it is."
    )
    return BadModel(f"The hub refuses the token in use for {name} (it answers {status}).", mend=mend)
