"""``@mlflow_log_run``: a function that reads a finished run and publishes it to MLflow, as often as you like.

Inside the function MLflow is used as always: ``mlflow.log_metric``, ``mlflow.log_figure``. In threads that it starts,
pass ``run_id=mlflow.active_run().info.run_id``, since MLflow's active run belongs to one thread.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

from naga.declarations import PathOf, Upgrade
from naga.diagnose.diag import Diag
from naga.tracking.models import log_model_once

__all__ = ["Diag", "log_model_once", "mlflow_log_run"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def mlflow_log_run(fn: Callable[P, R], /) -> Diag[P, R]: ...
@overload
def mlflow_log_run(
    *,
    run_lock_path: PathOf = None,
    log_file_path: PathOf = None,
    allow_unfinished: bool = False,
    upgrade: Upgrade | None = None,
    experiment: str | None = None,
) -> Callable[[Callable[P, R]], Diag[P, R]]: ...
def mlflow_log_run(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    run_lock_path: PathOf = None,
    log_file_path: PathOf = None,
    allow_unfinished: bool = False,
    upgrade: Upgrade | None = None,
    experiment: str | None = None,
) -> Any:
    """Publish a run to MLflow each time the function is called, and make the new MLflow run the only active one of it.

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
    upgrade : callable of the recorded configuration (a dict) and the `naga.Run`, optional
        Returns the configuration as the function takes it today, for runs of former code. It comes after the one of
        ``@clicfg(upgrade=...)``, and before the former names and values that fields declare. The run.lock stays as it
        is.
    experiment : str, optional
        The name of the MLflow experiment. Default: what ``mlflow.set_experiment`` or ``MLFLOW_EXPERIMENT_NAME`` say, or
        ``[tool.naga] experiment`` in ``pyproject.toml``.

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
        return Diag(
            fn,
            run_lock_path=run_lock_path,
            log_file_path=log_file_path,
            allow_unfinished=allow_unfinished,
            upgrade=upgrade,
            experiment=experiment,
        )

    return decorate if fn is None else decorate(fn)
