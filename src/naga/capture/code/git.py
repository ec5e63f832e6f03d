"""The only module that runs git.

Several of the files and variables that configure git run programs. Here it gets none of the caller's ``GIT_*``
variables but those that say where its configuration is and how far to look for a repository, so that a run started
from inside a hook sees the repository in its own folder. Hooks and the file-system monitor are off, the user's index is
never refreshed, and nothing goes through a shell. Text that a user wrote reaches git only behind ``--`` or
``--end-of-options``, or on its standard input between NULs.
"""

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from naga.frozen import dataclass

if TYPE_CHECKING:
    from subprocess import CompletedProcess, Popen


MINIMUM = (2, 25)
T = TypeVar("T")

_PASSED_VARIABLES = {"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH"}
_PASSED_VARIABLES |= {"GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM"}
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "",  # up to git 2.35, another value is a program
    "core.safecrlf": "false",  # it makes a warning about line ends fail the whole capture
    "core.splitIndex": "false",  # else git writes a shared index into the user's git folder
    "core.ignoreStat": "false",  # these three would let an edit pass for an unchanged file
    "core.trustctime": "true",
    "core.checkStat": "default",
    "core.filesRefLockTimeout": "500",  # milliseconds; others that take snapshots hold it for a few
    "gc.auto": "0",
    "i18n.commitEncoding": "UTF-8",
}
_OPTIONS = tuple(option for key, value in _SETTINGS.items() for option in ("-c", f"{key}={value}"))


class GitError(Exception):
    """git failed; the text is its last message."""

    def __init__(self, words: str, status: int = 128) -> None:
        lines = [line for line in words.splitlines() if line.startswith(("fatal: ", "error: "))] or words.splitlines()
        super().__init__(lines[-1].removeprefix("fatal: ").removeprefix("error: ") if lines else f"git exited {status}")
        self.words = words
        self.status = status


def names(output: bytes) -> list[str]:
    r"""Split what git prints under ``-z``.

    Examples
    --------
    >>> names(b"a b\0c\nd\0")
    ['a b', 'c\nd']
    """
    return [os.fsdecode(name) for name in output.split(b"\0") if name]


def _environment() -> dict[str, str]:
    passed = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key in _PASSED_VARIABLES}
    return passed | {
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",  # nothing here uses the network
        "GIT_ALLOW_PROTOCOL": "none",  # ... nor, before git 2.45, the programs that a repository names for it
        "GIT_AUTHOR_NAME": "Naga",
        "GIT_AUTHOR_EMAIL": "naga@localhost",
        "GIT_COMMITTER_NAME": "Naga",
        "GIT_COMMITTER_EMAIL": "naga@localhost",
    }


class Meanwhile(Generic[T]):
    """A git command that runs beside others; leaving its block waits for the answer."""

    def __init__(self, question: Callable[[], T]) -> None:
        self._question = question
        self._answer: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._ask, name="naga-git")
        self._thread.start()

    def _ask(self) -> None:
        try:
            self._answer.append(self._question())
        except BaseException as error:  # noqa: BLE001  # `result` raises it
            self._error = error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def result(self) -> T:
        """Wait for the answer; an error that came in its place is raised here."""
        self._thread.join()
        if self._error:
            raise self._error
        return self._answer[0]


@cache
def _executable(search: str) -> str:
    import shutil

    found = shutil.which("git", path=search)
    if found is None:
        raise GitError("git is not installed")
    return found


@cache
def _require_version(found: str) -> None:
    import subprocess

    said = subprocess.run([found, "version"], capture_output=True, check=False).stdout.decode(errors="replace").strip()
    number = re.search(r"(\d+)\.(\d+)", said)
    if number is None or (int(number[1]), int(number[2])) < MINIMUM:
        raise GitError(f"{said or found} is too old: Naga needs git {MINIMUM[0]}.{MINIMUM[1]} or newer")


@dataclass(frozen=True, slots=True)
class Repository:
    """One worktree, and the git folders that belong to it."""

    top: Path
    git_dir: Path  # the worktree's own: its index is there
    common_dir: Path  # shared by all worktrees: objects and refs
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def find(cls, folder: Path) -> "Repository":
        """Find the repository whose worktree holds a folder; `GitError` where there is none."""
        here = cls(folder, folder, folder)
        asked = ("--show-toplevel", "--absolute-git-dir", "--git-common-dir")
        found = _executable(os.environ.get("PATH", os.defpath))
        with Meanwhile(lambda: here.text("rev-parse", *asked)) as place:  # which any git answers
            _require_version(found)
        lines = place.result().split("\n")
        if len(lines) != len(asked):  # a path with a newline in it
            lines = [here.text("rev-parse", question) for question in asked]
        top, git_dir, common_dir = lines
        return cls(Path(top), Path(git_dir), (folder / common_dir).resolve())

    @property
    def objects(self) -> Path:
        """The folder of its objects."""
        return self.common_dir / "objects"

    def with_index(self, index: Path) -> "Repository":
        """Return the same repository with another index in place of the user's."""
        return replace(self, variables={**self.variables, "GIT_INDEX_FILE": str(index)})

    def writing_to(self, objects: Path) -> "Repository":
        """Return the same repository with another folder for its new objects."""
        escaped = str(self.objects).replace("\\", "\\\\").replace('"', '\\"')
        elsewhere = {"GIT_OBJECT_DIRECTORY": str(objects), "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{escaped}"'}
        return replace(self, variables={**self.variables, **elsewhere})

    def run(
        self, *arguments: str, stdin: bytes | None = None, settings: Iterable[str] = ()
    ) -> "CompletedProcess[bytes]":
        """Run git at the top of the worktree."""
        import subprocess

        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        given |= {"cwd": self.top, "env": _environment() | dict(self.variables)}
        try:
            done = subprocess.run(_command(arguments, settings), capture_output=True, check=False, **given)
        except ValueError as error:  # what stands in a run.lock may be no word that a process can be given
            raise GitError(str(error), 128) from error
        if done.returncode:
            raise GitError(os.fsdecode(done.stderr), done.returncode)
        return done

    def text(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run git at the top of the worktree and return the line that it prints."""
        return os.fsdecode(self.run(*arguments, stdin=stdin).stdout).removesuffix("\n")

    def show(self, *arguments: str) -> None:
        """Run git for a person at the terminal, in their own pager, never in one that the repository configures."""
        import subprocess

        outside = Repository(Path("/"), Path("/"), Path("/"))
        pager = os.environ.get("GIT_PAGER") or outside.text("var", "GIT_PAGER")
        variables = _environment() | {"LC_ALL": os.environ.get("LC_ALL", "")}  # the pager shows letters of any language
        subprocess.run(
            _command(("--paginate", *arguments), (f"core.pager={pager}",)), cwd=self.top, env=variables, check=False
        )

    @contextmanager
    def talk(self, *arguments: str) -> Iterator["Talk"]:
        """Start git to answer many questions, one after the other."""
        import subprocess

        pipe = subprocess.PIPE
        given: dict[str, Any] = {"cwd": self.top, "env": _environment() | dict(self.variables)}
        try:
            with subprocess.Popen(
                _command(arguments, ()), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, **given
            ) as process:
                yield Talk(process)
        except BrokenPipeError:
            raise GitError("git ended in the middle of a question") from None


def _command(arguments: Iterable[str], settings: Iterable[str]) -> list[str]:
    command = [_executable(os.environ.get("PATH", os.defpath)), *_OPTIONS]
    command += [word for setting in settings for word in ("-c", setting)] + list(arguments)
    if any("\0" in word for word in command):
        raise GitError(f"a NUL character cannot be part of {command[-1]!r}")
    return command


class Talk:
    """A git command that answers line by line."""

    def __init__(self, process: "Popen[bytes]") -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101  # both are pipes
        self._ask, self._answer = process.stdin, process.stdout

    def line(self, question: bytes) -> bytes:
        """Ask, and read one line of answer."""
        self._ask.write(question)
        self._ask.flush()
        answer = self._answer.readline()
        if not answer:
            raise GitError("git ended without an answer")
        return answer.removesuffix(b"\n")

    def content(self, size: int) -> bytes:
        """Read the content after that line, whose size the line gave, and its end of line."""
        return self._answer.read(size + 1)[:size]
