"""What keeps a checkpoint from being found on the model hub, and what to do about it."""

from __future__ import annotations

from typing import Final

from huggingface_hub import (
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from mondegreen.errors import VictimError

CONFIG: Final = "config.json"
PATIENCE: Final = 30.0  # s that the hub has to answer
NEEDED: Final = "config.json, model.safetensors, preprocessor_config.json and the tokenizer's files"


def check_found(name: str, source: str, revision: str | None) -> None:
    """Check that a checkpoint is on the hub, or in its cache on this machine.

    Args:
        name: what it is called in messages.
        source: its ID, OWNER/NAME.
        revision: a branch, tag or commit; None: the newest.

    Raises:
        VictimError: it is not, or may not be read, or neither can be known without a network.
    """
    try:
        if not isinstance(try_to_load_from_cache(source, CONFIG, revision=revision), str):
            _ask(source, revision)
        hf_hub_download(source, CONFIG, revision=revision)
    except GatedRepoError:
        raise _refused(
            name,
            "its owner asks you to agree to terms first. Do so at"
            f" https://huggingface.co/{source}, then run: hf auth login",
        ) from None
    except RepositoryNotFoundError:
        raise _refused(
            name,
            "the model hub has no such model, or it is private. Check the spelling at"
            " https://huggingface.co/models; for a private one, run: hf auth login",
        ) from None
    except RevisionNotFoundError:
        raise _refused(
            name,
            f"it has no revision {revision!r}. Expected one of its branches, tags or commits: see"
            f" https://huggingface.co/{source}/commits",
        ) from None
    except LocalEntryNotFoundError:  # before the error that it is a kind of
        raise _refused(
            name,
            "the model hub cannot be reached, and this machine has no copy. Connect it; or run"
            f" `hf download {source} --local-dir FOLDER` on a machine with a network, copy FOLDER"
            " here, and name that",
        ) from None
    except EntryNotFoundError:
        raise _refused(
            name,
            f"it has no config.json, so it is not a checkpoint of transformers. Expected {NEEDED}",
        ) from None
    except HFValidationError:
        raise _refused(name, "this is not an ID of the model hub. Expected OWNER/NAME") from None


def _ask(source: str, revision: str | None) -> None:
    """See that the hub answers, whatever it says: once, where a download tries for half a minute.

    Raises:
        LocalEntryNotFoundError: it does not.
    """
    try:
        get_hf_file_metadata(hf_hub_url(source, CONFIG, revision=revision), timeout=PATIENCE)
    except (HfHubHTTPError, HFValidationError):
        return  # the download will say
    except Exception as error:  # of the network, by one of several libraries
        raise LocalEntryNotFoundError(str(error)) from error


def _refused(name: str, why: str) -> VictimError:
    return VictimError(f"cannot load {name}: {why}")
