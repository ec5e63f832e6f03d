"""Where installed packages came from (PEP 610), and the files that say what was to be installed."""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from naga.record.schema import Origin
from naga.secrets import redact_text

_DISTRIBUTION = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(?:-py[\d.]+.*)?\.(?:dist|egg)-info")
_FILES = """
    uv.lock pixi.lock pylock.toml poetry.lock pdm.lock Pipfile.lock conda-lock.yml environment.yml environment.yaml
    requirements.txt
""".split()  # noqa: SIM905  # a literal takes a line a word
_LARGEST = 16 * 2**20


def origin_of(metadata: str) -> Origin | None:
    """Read where a package came from, by its metadata folder; None for what an index delivered."""
    wrong = suppress(OSError, ValueError, KeyError, TypeError, AttributeError)
    with wrong, open(os.path.join(metadata, "direct_url.json"), encoding="utf-8") as file:  # noqa: PTH118, PTH123  # hundreds of folders
        return _origin(json.load(file))
    return None


def _origin(about: Mapping[str, Mapping[str, str]]) -> Origin:
    url = str(about["url"])
    editable = bool(about.get("dir_info", {}).get("editable"))
    commit = about.get("vcs_info", {}).get("commit_id")
    if editable and url.startswith("file://"):
        commit = _head(Path(unquote(urlsplit(url).path)))
    return Origin(url=redact_text(url), commit=commit, editable=editable or None)


def _head(folder: Path) -> str | None:
    """Read HEAD without git: starting git would cost more than the rest of the capture of packages."""
    top = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)
    if top is None:
        return None
    with suppress(OSError, UnicodeError):
        git = top / ".git"
        if git.is_file():  # a linked worktree, or a submodule
            git = top / git.read_text().removeprefix("gitdir:").strip()
        shared = git / (git / "commondir").read_text().strip() if (git / "commondir").exists() else git
        head = (git / "HEAD").read_text().strip()
        return _commit(shared, head.removeprefix("ref:").strip()) if head.startswith("ref:") else head
    return None


def _commit(git: Path, ref: str) -> str | None:
    if (git / ref).is_file():
        return (git / ref).read_text().strip()
    packed = (line.split() for line in (git / "packed-refs").read_text().splitlines())
    return next((words[0] for words in packed if words[1:] == [ref]), None)


def environment_files(start: Path) -> dict[str, str]:
    """Hash the files that describe the environment: the nearest ones above the script, and conda's own history."""
    from blake3 import blake3

    hashes = {}
    conda = Path(os.environ.get("CONDA_PREFIX", ""), "conda-meta", "history")
    for file in (*_nearest(start), *((conda,) if "CONDA_PREFIX" in os.environ else ())):
        with suppress(OSError):
            if file.stat().st_size <= _LARGEST:
                hashes[str(file)] = f"blake3:{blake3(file.read_bytes()).hexdigest()}"
    return hashes


def _nearest(start: Path) -> list[Path]:
    for folder in (start, *start.parents):
        if found := [folder / name for name in _FILES if (folder / name).is_file()]:
            return found
        if (folder / ".git").exists() or folder == Path.home():
            break
    return []


def installed_packages() -> Iterator[tuple[str, tuple[str, str]]]:
    """Return each distribution's name, version and metadata folder; earlier folders win, as they do for imports."""
    for folder in reversed(sys.path):
        with suppress(OSError):
            for name in os.listdir(folder or "."):  # noqa: PTH208  # names are all that is needed, and this is the fastest
                if found := _DISTRIBUTION.fullmatch(name):
                    yield found["name"].replace("_", "-"), (found["version"], f"{folder or '.'}/{name}")
