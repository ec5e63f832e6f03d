"""A folder for the figures and tables of a diag, which would otherwise be among the results."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from naga.errors import DiagError, UsageError
from naga.layout import DIAG, diag_marks
from naga.record.opener import make_inside


class DiagFolder:
    """The folder of one publication, made when it is first asked for."""

    def __init__(self, parent: Path, next_generation: Callable[[], int]) -> None:
        self._parent = parent
        self._next_generation = next_generation
        self.generation = 0
        """Its number; 0 until it is asked for."""

    @property
    def name(self) -> str:
        """Its path below the run's folder."""
        return f"{DIAG}/{self.generation}"

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._parent / self.name

    def make(self) -> Path:
        """Reserve the next number that neither MLflow nor the run's folder knows, and make the folder."""
        if not self.generation:
            number = self._next_generation()
            try:
                while not self._reserve(number):
                    number += 1
            except OSError as error:
                raise DiagError(
                    f"no folder for the diag can be made in '{self._parent}': {error.strerror}",
                    hint="mlflow.log_figure and the like need none",
                ) from error
            self.generation = number
        return self.path

    def _reserve(self, number: int) -> bool:
        marks = diag_marks(self._parent)
        make_inside(self._parent, marks)
        if (self._parent / DIAG / str(number)).exists():
            return False
        try:
            (marks / str(number)).touch(exist_ok=False)
        except FileExistsError:
            return False
        (make_inside(self._parent, self._parent / DIAG) / str(number)).mkdir()
        return True


_current: ContextVar[DiagFolder | None] = ContextVar("diag_folder", default=None)


@contextmanager
def diag_folder(parent: Path, next_generation: Callable[[], int]) -> Iterator[DiagFolder]:
    """Make `diag_dir` return a folder below ``parent`` while this lasts."""
    folder = DiagFolder(parent, next_generation)
    token = _current.set(folder)
    try:
        yield folder
    finally:
        _current.reset(token)


def diag_dir() -> Path:
    """Give the running diag a folder for files of its own: ``save_dir/diag/<generation>``.

    It is made when it is first asked for, and what is in it at the end is published as artifacts below ``diag``. Its
    files are not outputs of the run: ``naga verify`` and the run's manifest pass over them.

    The number is the generation of the publication. It is chosen before that is complete: where another diag of the
    same run overtakes this one meanwhile, the publication has a larger number, and its tag ``naga.details`` names
    the folder. A diag that fails leaves its folder behind, and its number is not used again.

    Returns
    -------
    Path
        Absolute; the folder exists.

    Raises
    ------
    UsageError
        No diag is running in this thread.
    DiagError
        The run's folder cannot be written.

    Examples
    --------
    ::

        @mlflow_log_run
        def diag(cfg):
            table.to_csv(naga.diag_dir() / "scores.csv")
    """
    folder = _current.get()
    if folder is None:
        raise UsageError(
            "naga.diag_dir() was called outside of a diag", hint="call it in the diag itself, not in a thread of it"
        )
    return folder.make()
