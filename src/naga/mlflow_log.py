"""``@mlflow_log_run``: a function that reads a finished run and publishes it to MLflow, as often as its author likes.

Inside the function MLflow is used as always: ``mlflow.log_metric``, ``mlflow.log_figure``. In threads that it starts,
pass ``run_id=mlflow.active_run().info.run_id``, since MLflow's active run belongs to one thread.
"""

import inspect
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar, overload

from naga.config.script import is_script
from naga.decorated import Decorated
from naga.diagnose.code import diag_commit, diag_key
from naga.diagnose.draft import draft
from naga.diagnose.models import log_model_once
from naga.diagnose.publish import publish
from naga.diagnose.subject import PathOf, subject_of
from naga.errors import report_uncaught

__all__ = ["Diag", "log_model_once", "mlflow_log_run"]

P = ParamSpec("P")
R = TypeVar("R")


class Diag(Decorated[P, R]):
    """A function whose calls are publications.

    Made by `mlflow_log_run`. Its first argument is one of

    - the run's configuration, as ``main`` returned it;
    - the path of the run's folder, or of its run.lock;
    - a `naga.Run`.

    In the last two cases the function is given the recorded configuration.

    Attributes
    ----------
    fn : callable
        The undecorated function.
    """

    def __init__(
        self, fn: Callable[P, R], *, run_lock_path: PathOf, log_file_path: PathOf, allow_unfinished: bool
    ) -> None:
        super().__init__(fn)
        self._options: dict[str, Any] = {
            "run_lock_path": run_lock_path,
            "log_file_path": log_file_path,
            "allow_unfinished": allow_unfinished,
        }

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Publish one run and return what the function returns."""
        if is_script(self.fn):
            report_uncaught()
        bound = inspect.signature(self.fn).bind(*args, **kwargs)
        bound.apply_defaults()
        parameter, given = next(iter(bound.arguments.items()), ("", None))
        subject = subject_of(self.fn, given, **self._options)
        further = {name: value for name, value in bound.arguments.items() if name != parameter}
        key = diag_key(subject.run.lock_hash, self.fn, self._file, further)
        commit = diag_commit(self._file, self.__qualname__, subject.run) if self._file else None
        if parameter:
            bound.arguments[parameter] = subject.config
        return publish(
            draft(subject.run, published_by=self.__qualname__, diag_key=key, diag_commit=commit, log=subject.log),
            lambda: self.fn(*bound.args, **bound.kwargs),
            folder=self._file.parent if self._file else Path.cwd(),
            later=self._later(subject.run.save_dir),
        )

    @property
    def _file(self) -> Path | None:
        """Where it was written; None at a prompt or in a notebook."""
        try:
            file = Path(inspect.getfile(self.fn)).resolve()
        except (TypeError, OSError):
            return None
        return file if file.is_file() else None

    def _later(self, save_dir: Path) -> str:
        """Give the line that publishes a run when the server is back."""
        run = shlex.quote(_near(save_dir))
        if self._file is None:
            return f"{self.__name__}({_near(save_dir)!r})"
        return f"python {shlex.quote(_near(self._file))} --reuse {run}"

    def on(self, fn: Callable[..., Any]) -> Self:
        """Decorate another function in the same way."""
        return type(self)(fn, **self._options)


def _near(path: Path) -> str:
    """Write a path as somebody in the current folder would type it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


@overload
def mlflow_log_run(fn: Callable[P, R], /) -> Diag[P, R]: ...
@overload
def mlflow_log_run(
    *,
    run_lock_path: PathOf = None,
    log_file_path: PathOf = None,
    allow_unfinished: bool = False,
) -> Callable[[Callable[P, R]], Diag[P, R]]: ...
def mlflow_log_run(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    run_lock_path: PathOf = None,
    log_file_path: PathOf = None,
    allow_unfinished: bool = False,
) -> Any:
    """Publish a run to MLflow each time the function is called, and make the new page the only active one of that run.

    Parameters, tags and artifacts come from the run's ``run.lock``; the function adds metrics, figures and whatever
    else, with plain ``mlflow.log_...`` calls.

    Parameters
    ----------
    run_lock_path : callable of the configuration, or path, optional
        Where the run.lock is. Default: ``run.lock`` in ``cfg.save_dir``.
    log_file_path : callable of the configuration, or path, optional
        A log to publish with it; one that is missing is only warned of. Default: ``experiment.log`` or ``console.log``
        in ``cfg.save_dir``, if there is one.
    allow_unfinished : bool
        Publish runs too that failed, were killed, or still run. Default: refuse.

    Examples
    --------
    >>> import mlflow
    >>> @mlflow_log_run
    ... def diag(cfg):
    ...     mlflow.log_metric("accuracy", 0.95)
    >>> diag
    <naga diag naga.mlflow_log.diag>
    """

    def decorate(fn: Callable[..., Any]) -> Diag[..., Any]:
        return Diag(fn, run_lock_path=run_lock_path, log_file_path=log_file_path, allow_unfinished=allow_unfinished)

    return decorate if fn is None else decorate(fn)
