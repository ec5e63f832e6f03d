"""The decorators, which only declare, and the task that they make of a function.

A decorator adds one mark to a `Task`; their order cannot matter, because nothing happens before the call. The call
hands the function and its marks to `naga.run.life.run`, where everything happens.
"""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, cast, overload

from naga.declarations import Call, Declares, Existing, Former, Lock, Snapshot, Tracked, Upgrade
from naga.errors import NagaError, UsageError, one_line, report_uncaught
from naga.process.entry_point import is_called_by_console_script, is_script
from naga.process.hydra import hydra_start, job_of
from naga.wrapper import Decorated, P, R

if TYPE_CHECKING:
    from naga.runs.sequence import Runs


class Task(Decorated[P, R]):
    """A function whose calls are runs.

    Made by the decorators. Calling it:

    - ``main()`` reads the command line where ``main`` belongs to the script being run and carries ``@clicfg``;
      elsewhere it takes the declared defaults;
    - ``main(cfg)`` takes a configuration;
    - ``main(learning_rate=0.1)`` changes single keys;
    - ``main.fn(cfg)`` is the bare function: no run, nothing recorded.

    Attributes
    ----------
    fn : callable
        The undecorated function.
    declares : naga.declarations.Declares
        The marks of its decorators.
    """

    def __init__(self, fn: Callable[P, R], declares: Declares) -> None:
        super().__init__(fn)
        self.declares = declares

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Run the task once and return what the function returns."""
        if self._origin:
            self._origin.enter()
        elif is_script(self.fn):
            report_uncaught(self._help())
            if not args and not kwargs:
                if start := hydra_start(self.fn):
                    return cast("R", start(self._under_hydra))
                return self._run(Call(argv=tuple(sys.argv[1:]) if self.declares.command_line else None))
        return self._run(Call(args=args, kwargs=kwargs))

    def cli(self, argv: Sequence[str] | None = None) -> R | None:
        """Run the task as a command: for ``[project.scripts]`` entry points.

        A package computes and publishes from one command by ``def cli(): diag(main.cli())``. Where an entry point names
        ``main.cli`` itself, what the task returns is not an exit code, and None is returned.

        Parameters
        ----------
        argv : sequence of str, optional
            The words after the program's name. Default: ``sys.argv[1:]``.

        Returns
        -------
        object
            What the task returns.

        Raises
        ------
        SystemExit
            With code 2, after one line on stderr, where the command line or the configuration is wrong.
        """
        result = self._as_command(Call(argv=tuple(sys.argv[1:] if argv is None else argv)))
        return None if is_called_by_console_script(depth=1) else result

    def _under_hydra(self, cfg: Any) -> R:
        # As a command: Hydra would print a traceback of what a user can correct, and end with 1.
        return self._as_command(Call(args=(cfg,), sweep=job_of(self.fn)))

    def _as_command(self, call: Call) -> R:
        try:
            return self._run(call)
        except NagaError as error:
            print(one_line(error, self._help()), file=sys.stderr)  # noqa: T201  # a command says what is wrong with its use
            raise SystemExit(error.exit_code) from None

    def _help(self) -> str:
        is_ours = self.declares.command_line
        return f"{os.path.basename(sys.argv[0])} --help lists the keys with their types" if is_ours else ""  # noqa: PTH119

    def sweep(
        self, values: Mapping[str, Any], *, launcher: str = "local", jobs: int | None = None, retry: str = "lost"
    ) -> "Runs":
        """Run the task for each combination of values, and go on where an earlier equal call stopped.

        Parameters
        ----------
        values : mapping
            Lists of values by dotted key; what is not a list is the same for all points.
        launcher, jobs, retry
            As on the command line: where points run, how many at once, and which that ended badly are tried again.

        Returns
        -------
        Runs
            The finished runs, in the order of the points.

        Raises
        ------
        NagaError
            After all points have ended, if one did not finish.
        """
        from naga.config.command_line import SweepWords
        from naga.sweep.sweep import sweep_of_values

        return sweep_of_values(self, values, SweepWords(launcher=launcher, jobs=jobs, retry=retry))

    def _swept(self, argv: Sequence[str]) -> None:
        """Run the sweep of a command line, and end the process: code after the call is meant for a single run."""
        from naga.run.plan import request_of
        from naga.sweep.sweep import sweep_of_words

        raise SystemExit(sweep_of_words(self, request_of(self.fn, argv)))

    def _run(self, call: Call) -> R:
        if call.argv and any(word.startswith("--sweep") for word in call.argv):
            self._swept(call.argv)
        # Only now: `import naga` is to cost next to nothing.
        from naga.run.life import run

        named = replace(call, task=self._origin.task) if self._origin else call
        return cast("R", run(self.fn, self.declares, named))


def _decorate(fn: Callable[..., Any] | None, **marks: Any) -> Any:
    """Add a declaration to a task or function; without one, return a decorator."""
    if fn is None:
        return lambda fn: _decorate(fn, **marks)
    return Task(fn.fn if isinstance(fn, Task) else fn, replace(_declared(fn), **marks))


def _declared(fn: Callable[..., Any]) -> Declares:
    return fn.declares if isinstance(fn, Task) else Declares()


class Decorator(Protocol):
    """A decorator that was called: it makes a task of any function."""

    def __call__(self, fn: Callable[P, R], /) -> Task[P, R]:
        """Make a task of a function."""


@overload
def clicfg(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def clicfg(
    *,
    was: str | Sequence[str] | Mapping[str, str | Sequence[str]] = (),
    before: Mapping[str, Any] = MappingProxyType({}),
    upgrade: Upgrade | None = None,
) -> Decorator: ...
def clicfg(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    was: str | Sequence[str] | Mapping[str, str | Sequence[str]] = (),
    before: Mapping[str, Any] = MappingProxyType({}),
    upgrade: Upgrade | None = None,
) -> Any:
    """Read the configuration from the command line: ``python exp.py learning_rate=0.1 --config big.yaml``.

    What it takes besides is for old runs, whose configuration had other keys: how a diag reads them today. A field
    of a dataclass says the same of itself, ``field(metadata={"was": "lr", "before": 0.5})``.

    Parameters
    ----------
    was : str, sequence of str, or mapping of them
        Former names of the task, ``"old_script.main"``; as a mapping, former dotted keys by today's key:
        ``{"optim.lr": "lr"}``, the former names of the task under ``""``.
    before : mapping
        What the code did before a key existed, by dotted key, where that is not today's default.
    upgrade : callable of the recorded configuration (a dict) and the `naga.Run`, optional
        Returns the configuration as it would be today, before all of the above; the run.lock stays as it is.

    Examples
    --------
    >>> from naga import clicfg
    >>> @clicfg
    ... def main(cfg: dict = {"learning_rate": 0.01}):
    ...     return cfg["learning_rate"]
    >>> main(), main(learning_rate=0.1)
    (0.01, 0.1)
    """
    keys = {key: _words(names) for key, names in (was if isinstance(was, Mapping) else {"": was}).items()}
    former = Former(tasks=keys.pop("", ()), keys=keys, before=dict(before), upgrade=upgrade)
    return _decorate(fn, command_line=True, former=former)


def _words(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@overload
def runlock(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def runlock(
    *,
    existing: Existing | None = None,
    outputs: Sequence[str] = (),
    console: bool = True,
    env: Sequence[str] = (),
    hash_outputs: bool | int | str = True,
) -> Decorator: ...
def runlock(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    existing: Existing | None = None,
    outputs: Sequence[str] = (),
    console: bool = True,
    env: Sequence[str] = (),
    hash_outputs: bool | int | str = True,
) -> Any:
    """Own ``cfg.save_dir`` while the function runs, and write a ``run.lock`` there that records what ran.

    Parameters
    ----------
    existing : {'archive', 'refuse', 'reuse'}
        What to do where a finished run is in save_dir already: move it aside, refuse, or compute nothing and return
        its configuration. ``--existing`` on the command line comes first. Default: move it aside; but a folder that
        ``${now:...}`` names gets ``-1``, ``-2``, ... where any run has the name already.
    outputs : sequence of str
        Paths below save_dir that the function must leave there: a run that lacks one is ``failed``.
    console : bool
        Keep what is printed in ``save_dir/console.log``. Default: yes.
    env : sequence of str
        Further environment variables to record, by name.
    hash_outputs : bool, int or str
        Hash what the function leaves in save_dir. Default: all of it. False, or a size such as ``"10 GB"`` that single
        files may have at most: what is larger is listed by its size, and the run.lock says so; ``naga hash --record
        RUN`` hashes it later.
    """
    if existing not in (choices := ("archive", "refuse", "reuse")) and existing is not None:
        raise UsageError(f"@runlock(existing={existing!r}): not one of {', '.join(choices)}", hint="existing='refuse'")
    limit = _most_bytes(hash_outputs)
    lock = Lock(existing=existing, outputs=tuple(outputs), console=console, env=tuple(env), hash_limit=limit)
    return _decorate(fn, lock=lock)


def _most_bytes(size: bool | int | str) -> int | None:
    """Read ``hash_outputs`` as the largest size that is hashed; None hashes all."""
    if isinstance(size, bool):
        return None if size else 0
    units = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
    read = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", str(size).strip(), re.IGNORECASE)
    if not read:
        raise UsageError(f"@runlock(hash_outputs={size!r}): not a size", hint='hash_outputs="10 GB"')
    return int(float(read[1]) * (1024 if read[3] else 1000) ** units[read[2].lower()])


@overload
def snapshot(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def snapshot(
    *,
    branch: str = "run_logs",
    message: str = "",
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    strict: bool = False,
    cells: bool = True,
) -> Decorator: ...
def snapshot(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    branch: str = "run_logs",
    message: str = "",
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    strict: bool = False,
    cells: bool = True,
) -> Any:
    """Store the code as it is at the start, including uncommitted and untracked files, in its own git repository.

    The index, HEAD, the worktree and ``git status`` stay as they are.

    Parameters
    ----------
    branch : str
        The branch that collects the commits. Default: ``run_logs``.
    message : str
        What its commits say first.
    include, exclude : sequence of str
        Git pathspecs of files to take although they would be left out, and to leave out although they would be taken.
    strict : bool
        Refuse to run where something could not be captured. Default: say so in the run.lock.
    cells : bool
        Keep the cells of a notebook that have run so far, or the text of ``python -`` and ``python -c``, their secrets
        left out. Default: yes.
    """
    patterns = {"include": tuple(include), "exclude": tuple(exclude)}
    declared = Snapshot(branch=branch, message=message, strict=strict, cells=cells, **patterns)
    return _decorate(fn, snapshot=declared)


def track_data(*keys: str, fresh: bool = False, background: bool = False, ignore: Sequence[str] = ()) -> Decorator:
    """Record the hashes of the data at the paths that these configuration keys hold.

    Parameters
    ----------
    *keys : str
        Dotted keys. Each holds a path, a glob, or a list or mapping of them; relative ones are relative to the folder
        that the run starts in.
    fresh : bool
        Read everything again, whatever the cache of hashes says. Default: no.
    background : bool
        Hash beside the function, and join before the final lock is written. Default: hash before it starts.
    ignore : sequence of str
        Gitignore patterns of what to leave out of tracked folders.
    """
    _require_keys("@track_data", keys, '@track_data("input_data")')
    tracked = Tracked(keys=keys, fresh=fresh, background=background, ignore=tuple(ignore))
    # Sorted, because the order of decorators does not matter.
    return lambda fn: _decorate(fn, tracked=tuple(sorted((*_declared(fn).tracked, tracked), key=lambda one: one.keys)))


def load_stage(*keys: str) -> Decorator:
    """Name the configuration keys that hold the folder of an earlier, finished run, which becomes ``upstream``.

    Parameters
    ----------
    *keys : str
        Dotted keys, each holding a run's save_dir.
    """
    _require_keys("@load_stage", keys, '@load_stage("preprocessing_dir")')
    return lambda fn: _decorate(fn, stages=tuple(sorted((*_declared(fn).stages, *keys))))


def _require_keys(name: str, keys: tuple[str, ...], example: str) -> None:
    if not keys or not all(isinstance(key, str) for key in keys):
        raise UsageError(f"{name} needs the configuration keys that hold paths", hint=example)
