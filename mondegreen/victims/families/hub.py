"""What keeps a checkpoint from being found on the model hub, and what to do about it."""

from __future__ import annotations

from typing import Final

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from mondegreen.errors import VictimError

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
        hf_hub_download(source, "config.json", revision=revision)
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


def _refused(name: str, why: str) -> VictimError:
    return VictimError(f"cannot load {name}: {why}")
