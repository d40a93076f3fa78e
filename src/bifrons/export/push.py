"""A finished folder to the Hugging Face hub. Nothing is ever sent without being asked for by name."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled


def push(folder: Path, repository: str, *, private: bool = True, message: str = "Upload from Bifrons") -> str:
    """Create the repository where it is missing, private unless asked otherwise, and upload the folder; its address.

    The token is the one that `hf auth login` left. Raises ValueError for a folder without a card, a name that is not
    owner/name, and for whatever the hub refuses.
    """
    if not (folder / "README.md").is_file():
        raise ValueError(f"{folder}: holds no README.md, so it was not made by an export")
    if repository.count("/") != 1:
        raise ValueError(f"{repository!r} is no name on the hub; give owner/name")
    api = HfApi()
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        made = api.upload_folder(repo_id=repository, folder_path=folder, commit_message=message)
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError) as error:
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{repository}: the hub refused the upload ({cause})") from None
    return str(made)
