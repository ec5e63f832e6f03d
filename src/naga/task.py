"""The decorators, which only declare, and the task that they make of a function.

A decorator adds one mark to a `Task`; their order cannot matter, because nothing happens before the call. The call
hands the function and its marks to `naga.run.life.run`, where everything happens.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn, ParamSpec, Protocol, Self, TypeVar, overload

from naga.config.hydra import hydra_start
from naga.declarations import Call, Declares, Existing, Lock, Snapshot, Tracked
from naga.errors import NagaError, UsageError, one_line, report_uncaught
from naga.process.entry_point import is_called_by_console_script, is_script
from naga.wrapper import Decorated

P = ParamSpec("P")
R = TypeVar("R")


class Task(Decorated[P, R]):
    """A function whose calls are runs.

    Made by the decorators. Calling it:

    - ``main()`` reads the command line where ``main`` belongs to the script being run and carries ``@clicfg``;
      elsewhere
      it takes the declared defaults;
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
        if is_script(self.fn):
            report_uncaught()
            if not args and not kwargs:
                return self._as_script()
        return self._run(Call(args=args, kwargs=kwargs))

    def _as_script(self) -> R:
        if start := hydra_start(self.fn):
            result: R = start(self._under_hydra)
            return result
        return self._run(Call(argv=tuple(sys.argv[1:]) if self.declares.command_line else None))

    def _under_hydra(self, cfg: Any) -> R:
        try:
            return self._run(Call(args=(cfg,)))
        except NagaError as error:
            # Hydra would print a traceback and end with 1.
            raise _ended(error) from None

    def cli(self, argv: Sequence[str] | None = None) -> R | None:
        """Run the task as a command: for ``[project.scripts]`` entry points.

        A package computes and publishes from one command by ``def cli(): diag(main.cli())``. Where an entry point names
        ``main.cli`` itself, what the task returns is no exit code, and None is returned.

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
        try:
            result = self._run(Call(argv=tuple(sys.argv[1:] if argv is None else argv)))
        except NagaError as error:
            raise _ended(error) from None
        return None if is_called_by_console_script(depth=1) else result

    def on(self, fn: Callable[..., Any]) -> Self:
        """Decorate another function in the same way."""
        return type(self)(fn, self.declares)

    def _run(self, call: Call) -> R:
        # Only now: `import naga` is to cost next to nothing.
        from naga.run.life import run

        result: R = run(self.fn, self.declares, call)
        return result


def _ended(error: NagaError) -> SystemExit:
    print(one_line(error), file=sys.stderr)  # noqa: T201  # a command says what is wrong with its use
    return SystemExit(error.exit_code)


def _marked(fn: Callable[P, R] | Task[P, R], **marks: Any) -> Task[P, R]:
    if isinstance(fn, Task):
        return Task(fn.fn, replace(fn.declares, **marks))
    return Task(fn, replace(Declares(), **marks))


class Decorator(Protocol):
    """What a called decorator is: it makes a task of any function."""

    def __call__(self, fn: Callable[P, R], /) -> Task[P, R]:
        """Make a task of a function."""


@overload
def clicfg(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def clicfg() -> Decorator: ...
def clicfg(fn: Callable[..., Any] | None = None, /) -> Any:
    """Read the configuration from the command line: ``python exp.py learning_rate=0.1 --config big.yaml``.

    Examples
    --------
    >>> from naga import clicfg
    >>> @clicfg
    ... def main(cfg: dict = {"learning_rate": 0.01}):
    ...     return cfg["learning_rate"]
    >>> main(), main(learning_rate=0.1)
    (0.01, 0.1)
    """
    return _decorate(fn, lambda f: _marked(f, command_line=True))


@overload
def runlock(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def runlock(
    *, existing: Existing = "archive", outputs: Sequence[str] = (), console: bool = True, env: Sequence[str] = ()
) -> Decorator: ...
def runlock(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    existing: Existing = "archive",
    outputs: Sequence[str] = (),
    console: bool = True,
    env: Sequence[str] = (),
) -> Any:
    """Own ``cfg.save_dir`` while the function runs, and leave a ``run.lock`` there that says what ran.

    Parameters
    ----------
    existing : {'archive', 'refuse', 'reuse'}
        What to do where a finished run lies in save_dir already: move it aside (the default), refuse, or compute
        nothing and return its configuration. ``--existing`` on the command line comes first.
    outputs : sequence of str
        Paths below save_dir that the function must leave there: a run that lacks one is ``failed``.
    console : bool
        Keep what is printed in ``save_dir/console.log``. Default: yes.
    env : sequence of str
        Further environment variables to record, by name.
    """
    if existing not in (choices := ("archive", "refuse", "reuse")):
        raise UsageError(f"@runlock(existing={existing!r}): not one of {', '.join(choices)}", hint="existing='refuse'")
    lock = Lock(existing=existing, outputs=tuple(outputs), console=console, env=tuple(env))
    return _decorate(fn, lambda f: _marked(f, lock=lock))


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
) -> Any:
    """Keep the code as it is at the start, uncommitted and untracked files included, in its own git repository.

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
    """
    declared = Snapshot(branch=branch, message=message, include=tuple(include), exclude=tuple(exclude), strict=strict)
    return _decorate(fn, lambda f: _marked(f, snapshot=declared))


def track_data(*keys: str, fresh: bool = False, background: bool = False, ignore: Sequence[str] = ()) -> Decorator:
    """Record what lay at the paths that these configuration keys hold, by hash.

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
    if not keys or not all(isinstance(key, str) for key in keys):
        _refuse_bare("track_data", '@track_data("input_data")')
    tracked = Tracked(keys=keys, fresh=fresh, background=background, ignore=tuple(ignore))
    # Sorted, because the order of decorators does not matter.
    return lambda fn: _marked(fn, tracked=tuple(sorted((*_declared(fn).tracked, tracked), key=lambda one: one.keys)))


def load_stage(*keys: str) -> Decorator:
    """Name the configuration keys that hold the folder of an earlier, finished run, which becomes ``upstream``.

    Parameters
    ----------
    *keys : str
        Dotted keys, each holding a run's save_dir.
    """
    if not keys or not all(isinstance(key, str) for key in keys):
        _refuse_bare("load_stage", '@load_stage("preprocessing_dir")')
    return lambda fn: _marked(fn, stages=tuple(sorted((*_declared(fn).stages, *keys))))


def _refuse_bare(name: str, example: str) -> NoReturn:
    raise UsageError(f"@{name} needs the configuration keys that hold paths", hint=example)


def _declared(fn: Callable[..., Any]) -> Declares:
    return fn.declares if isinstance(fn, Task) else Declares()


def _decorate(fn: Callable[..., Any] | None, mark: Callable[[Callable[..., Any]], Any]) -> Any:
    return mark if fn is None else mark(fn)
