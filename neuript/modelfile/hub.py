"""Where a checkpoint lies: shipped with the package, in a file, in a folder, or on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from neuript.errors import ArgumentError
from neuript.weights import SHIPPED, SHIPPED_POPULATION

WEIGHTS_NAME = "model.safetensors"
"""What a folder or a repository on the Hugging Face hub calls its checkpoint."""


def find_checkpoint(source: str | Path, *, revision: str | None = None) -> Path:
    """Path of a checkpoint: the one "shipped", a file, a folder, or a repository on the Hugging Face hub.

    Raises
    ------
    ArgumentError
        If there is none, or `huggingface_hub` would be needed and is not installed.
    """
    if source == SHIPPED:
        return SHIPPED_POPULATION
    path = Path(source).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        found = sorted(path.glob("*.safetensors"))
        named = [p for p in found if p.name == WEIGHTS_NAME] or found
        if len(named) == 1:
            return named[0]
        what = f"{len(found)} checkpoints" if found else "no checkpoint (.safetensors)"
        raise ArgumentError(f"the folder {path} holds {what}; name the file")
    if not _is_hub_id(str(source)):
        raise ArgumentError(
            f"there is no checkpoint {source}; give a .safetensors file, a folder that holds one, or "
            "OWNER/NAME of a repository on the Hugging Face hub"
        )
    return _download(str(source), revision)


def _is_hub_id(text: str) -> bool:
    parts = text.split("/")
    plain = all(part and not part.startswith(".") and "\\" not in part for part in parts)
    return len(parts) == 2 and plain and not text.endswith(".safetensors")


def _download(repo_id: str, revision: str | None) -> Path:
    try:
        import huggingface_hub
    except ImportError as error:
        raise ArgumentError(
            f"there is no file or folder {repo_id}; to take it from the Hugging Face hub, pip install huggingface_hub"
        ) from error
    try:
        return Path(huggingface_hub.hf_hub_download(repo_id, WEIGHTS_NAME, revision=revision))
    except (OSError, ValueError) as error:  # its errors derive from these
        raise ArgumentError(
            f"{repo_id} on the Hugging Face hub gave no {WEIGHTS_NAME}: {str(error).strip().splitlines()[0][:200]}"
        ) from error
