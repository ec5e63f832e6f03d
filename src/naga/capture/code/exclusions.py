"""What a snapshot leaves out, and the reason that the run.lock gives for each.

A snapshot is pushed with its branch by ``git push --all``, so a secret in it is out for good, and what a run reads and
writes is recorded elsewhere. Patterns that a user declared are matched by git itself, as if typed at its top.
"""

import os
import re
import stat
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from naga.capture.code.git import GitError, Repository, names
from naga.errors import SnapshotError
from naga.frozen import dataclass
from naga.layout import LOCK_NAME
from naga.record.schema import Skipped

LARGEST = 10 * 1024 * 1024  # bytes; above, an untracked file is a result or a checkpoint rather than code

DATA, SAVE_DIR = "tracked data", "save_dir"

_OWN = {
    "Naga's own": re.compile(r"(^|/)(\.naga/|run\.lock$)"),
    "MLflow's own": re.compile(r"(^|/)((mlruns|mlartifacts)/|mlflow\.db[^/]*$)"),
}
_SECRET_FOLDER = re.compile(
    r"(^|/)(\.env[^/]*|\.(ssh|aws|azure|gnupg|kube|docker|kaggle|gcloud|secrets?))/", re.IGNORECASE
)
_WORDS = (
    r"secrets?|credentials?|creds|passwords?|passwd|passphrase|service[-_]?account|kubeconfig"
    r"|(api|access|private|ssh|secret)[-_.]?keys?"
)
_DATA = r"json|ya?ml|toml|ini|cfg|conf|txt|csv|xml|properties|sh|bak"
_SECRET_FILE = re.compile(
    rf"""
      \.env.* | .+\.env                                           # variables
    | [._]netrc | \.(pgpass|htpasswd|git-credentials|pypirc|npmrc|dockercfg|boto|s3cfg|my\.cnf|vault-token)
    | id_(rsa|dsa|ecdsa|ed25519)[^.]*                             # ssh, not its public half
    | .+\.(pem|key|p12|pfx|p8|ppk|pkcs12|jks|keystore|kdbx|ovpn|asc|tfvars|token|secrets?|credentials?)
    | (.*[-_.])?({_WORDS})([-_.].*)?\.({_DATA})                   # known by a word, in a file that is no source code
    | \.?([^.]*[-_])?({_WORDS})([-_][^.]*)?
    | (.*[-_.])?token(\.({_DATA}))?                               # not token_map.json, which is a tokenizer's
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CACHE = re.compile(
    r"""
      (.*/)?(__pycache__|\.(mypy_cache|pytest_cache|ruff_cache|hypothesis|ipynb_checkpoints|tox|nox|eggs))/.*
    | (.*/)?[^/]+\.egg-info/.*
    | (.*/)?(\.coverage(\..*)?|\.DS_Store|[^/]+\.py[co])
    """,
    re.VERBOSE,
)
IGNORED = "ignored by git"
_CACHED = "the cache of a tool"  # made again from the rest, so that no lock names it
_FEW = 100  # more of one folder with one reason are named as the folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusions:
    """What is left out of one repository."""

    top: Path
    folders: Mapping[Path, str]  # why to leave out what is there: of data all, of results what git does not track
    include: frozenset[str] = frozenset()  # paths that the declared patterns match
    exclude: frozenset[str] = frozenset()
    printed_to: frozenset[tuple[int, int]] = frozenset()

    def why(self, path: str, *, untracked: bool) -> Skipped | None:
        """Name what is left out because of a path with uncommitted content: the path, or its folder."""
        if path in self.exclude:
            return Skipped(path=path, reason="excluded by pattern")
        where = self.top / path
        for folder in (where, *where.parents):
            reason = self.folders.get(folder)
            if reason == DATA or (reason and untracked):
                return Skipped(path=path if folder == where else f"{folder.relative_to(self.top)}/", reason=reason)
        for reason, pattern in _OWN.items():
            if found := pattern.search(path):
                return Skipped(path=path[: found.end()], reason=reason)
        if identity(where) in self.printed_to:
            return Skipped(path=path, reason="what this process prints")
        if path in self.include:
            return None
        return _secret(path) or (_no_code(path, where) if untracked else None)


def printed_to() -> frozenset[tuple[int, int]]:
    """Find the files that stdout and stderr are redirected to: they grow while the run lasts."""
    found = set()
    for number in (1, 2):
        with suppress(OSError):
            about = os.fstat(number)
            if stat.S_ISREG(about.st_mode):
                found.add((about.st_dev, about.st_ino))
    return frozenset(found)


def identity(where: Path) -> tuple[int, int] | None:
    """Return what identifies a file, whatever its names are."""
    try:
        about = where.lstat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def run_folders(top: Path, untracked: Iterable[str], script: Path | None) -> dict[Path, str]:
    """Find the folders of other runs, which hold a run.lock; the script's own folder is code even then."""
    code = {top, *(script.parents if script is not None else ())}
    found = {top / path.removesuffix(LOCK_NAME) for path in untracked if PurePosixPath(path).name == LOCK_NAME}
    return dict.fromkeys(found - code, "the folder of a run")


def _secret(path: str) -> Skipped | None:
    """Recognise a file of secrets by its name."""
    if found := _SECRET_FOLDER.search(path):
        return Skipped(path=path[: found.end()], reason="looks like a secret")
    secret = _SECRET_FILE.fullmatch(PurePosixPath(path).name)
    return Skipped(path=path, reason="looks like a secret") if secret else None


def _no_code(path: str, where: Path) -> Skipped | None:
    """Recognise an untracked file that a tool has made, or that is too large to be code."""
    if _CACHE.fullmatch(path):
        return Skipped(path=path, reason=_CACHED)
    try:
        size = where.lstat().st_size
    except OSError:
        return None
    return Skipped(path=path, reason=f"larger than 10 MiB ({size / 2**20:.1f} MiB)") if size > LARGEST else None


def matching(
    repository: Repository, patterns: Sequence[str], paths: Collection[str], scratch: Path, *, below: str = ""
) -> frozenset[str]:
    """Return the paths, relative to the folder ``below``, that pathspecs match according to git."""
    if not patterns or not paths:
        return frozenset()
    index = scratch / "paths"  # git matches pathspecs against an index
    index.unlink(missing_ok=True)
    repository = repository.with_index(index)
    blob = repository.text("hash-object", "--stdin").encode()  # any object will do; that of nothing at all has a name
    listed = {f"{below}{path}{'_' if path.endswith('/') else ''}": path for path in paths}  # a folder is what is in it
    lines = b"".join(b"100644 %b\t%b\0" % (blob, os.fsencode(path)) for path in listed)
    repository.run("update-index", "-z", "--index-info", stdin=lines)
    return frozenset(listed[path] for path in _listed(repository, patterns))


def ignored_by_git(repository: Repository, patterns: Sequence[str]) -> list[str]:
    """Return the ignored files that pathspecs match."""
    return _listed(repository, patterns, "--others", "--ignored", "--exclude-standard") if patterns else []


def _listed(repository: Repository, patterns: Sequence[str], *options: str) -> list[str]:
    try:
        return names(repository.run("ls-files", "-z", *options, "--", *patterns).stdout)
    except GitError as error:
        raise SnapshotError(f"@snapshot: git does not understand a pattern: {error}") from None


def named(skipped: Iterable[Skipped]) -> tuple[Skipped, ...]:
    """List what was left out: by folder where files are ignored or many; caches of tools not at all.

    Examples
    --------
    >>> named([Skipped(path="pkg/__pycache__/", reason="ignored by git")])
    ()
    >>> named(Skipped(path=f"a/{i}.log", reason="ignored by git") for i in range(20))
    (Skipped(path='a/', reason='ignored by git (20 files)'),)
    """
    groups: dict[tuple[str, str], list[Skipped]] = defaultdict(list)
    for one in dict.fromkeys(skipped):
        if one.reason != _CACHED and not _CACHE.fullmatch(one.path):
            groups[one.path.rstrip("/").rpartition("/")[0], one.reason].append(one)
    shown: list[Skipped] = []
    for (folder, reason), ones in groups.items():
        many = len(ones) > (1 if folder and reason == IGNORED else _FEW)
        shown += [Skipped(path=f"{folder or '.'}/", reason=f"{reason} ({len(ones)} files)")] if many else ones
    return tuple(sorted(shown, key=lambda one: one.path))
