"""A release: the weights of a treatment and what is known of them, as a repository of the hub."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evenhand.errors import BadData, BadModel, EnvironmentProblem, MissingExtra, UsageError
from evenhand.files import read_json_object
from evenhand.publishing import card
from evenhand.records import Verification

_REPO = re.compile(r"[\w.-]+/[\w.-]+")
_TAKEN = re.compile(r".*\.(?:safetensors|json|jinja|model|txt)")
_LEFT = frozenset({"key.txt", ".evenhand", "README.md"})  # the run's own marks, and what the card replaces
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
_ADAPTER, _WEIGHTS = "adapter_config.json", "*.safetensors"


@dataclass(frozen=True)
class Release:
    """What would be uploaded, and where.

    Attributes:
        repo: ``owner/name``.
        private: whether only its owner sees it.
        weights: the files of the treatment or the merged model, by their path in the repository.
        said: the card and the results, by path.
    """

    repo: str
    private: bool
    weights: Mapping[str, Path]
    said: Mapping[str, bytes]

    @property
    def sizes(self) -> dict[str, int]:
        """Every file's bytes, by its path, sorted."""
        held = {path: file.stat().st_size for path, file in self.weights.items()}
        return dict(sorted({**held, **{path: len(data) for path, data in self.said.items()}}.items()))


def prepared(record: Verification, repo: str, weights: Path, *, private: bool = True) -> Release:
    """The release of the weights in a folder, that of a treatment or of a merged model.

    Raises:
        UsageError: `repo` is not ``owner/name``.
        BadData: the folder is not there, or holds no safetensors.
        BadModel: its weights are pickled, or it is a treatment of another model than the verdict is about.
    """
    if not _REPO.fullmatch(repo):
        raise UsageError(f"{repo!r} is no repository.", mend="Write OWNER/NAME.")
    if not weights.is_dir():
        raise BadData(
            f"{weights} is no folder of weights.",
            mend="Name one with --weights: what `evenhand mitigate` wrote with --out or --merge.",
        )
    inside = sorted(path for path in weights.rglob("*") if path.is_file() and not path.is_symlink())
    pickled = [path.name for path in inside if path.suffix in _PICKLES]
    if pickled:
        raise BadModel(
            f"{weights} holds {pickled[0]}, which runs code when it is read.",
            mend="Save the weights as safetensors.",
        )
    _check_base(record, weights)
    taken = {
        path.relative_to(weights).as_posix(): path
        for path in inside
        if _TAKEN.fullmatch(path.name) and path.name not in _LEFT
    }
    if not any(name.endswith(".safetensors") for name in taken):
        raise BadData(
            f"{weights} holds no {_WEIGHTS}.",
            mend="Name the folder of a treatment of weights, an adapter, or a merged model.",
        )
    return Release(repo, private, taken, card.files(record, adapter=_ADAPTER in taken))


def _check_base(record: Verification, weights: Path) -> None:
    """A treatment names the model that it was fitted to; a merged model does not, and cannot be checked."""
    from evenhand.treatments import CARD, load

    if not (weights / CARD).is_file():
        return
    held = read_json_object(weights / CARD, mend="Fit the treatment again.").get("about")
    base = held.get("base") if isinstance(held, dict) else None
    if base and base != record.model.digest:
        raise BadModel(
            f"The treatment in {weights} was fitted to other weights ({base[:12]}) than the verdict is about "
            f"({record.model.digest[:12]}).",
            mend="Name the folder of the treatment that was verified.",
        )
    load(weights)  # it refuses files that are not those that were saved


def push(release: Release) -> str:
    """Upload a release as one commit; returns its address. huggingface_hub finds the token as ever.

    Raises:
        MissingExtra: huggingface_hub is not installed.
        EnvironmentProblem: the hub does not answer, or refuses.
    """
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise MissingExtra("huggingface-hub", "hf", "Uploading") from None
    api = huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    files: dict[str, Path | bytes] = {**release.weights, **release.said}
    added = [
        huggingface_hub.CommitOperationAdd(
            path_in_repo=path, path_or_fileobj=data if isinstance(data, bytes) else str(data)
        )
        for path, data in sorted(files.items())
    ]
    try:
        api.whoami()  # without a token nothing is made
        api.create_repo(release.repo, private=release.private, exist_ok=True)
        if release.private and not api.repo_info(release.repo).private:
            raise EnvironmentProblem(
                f"The repository {release.repo} exists and is public; nothing was uploaded.",
                mend="Make it private there, or say --public.",
            )
        return str(api.create_commit(release.repo, added, commit_message="A release by evenhand").commit_url)
    except (HfHubHTTPError, OSError, huggingface_hub.errors.LocalTokenNotFoundError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise EnvironmentProblem(
            f"The hub did not take {release.repo}: {reason}.",
            mend="Log in with `hf auth login`, and try again.",
        ) from None
