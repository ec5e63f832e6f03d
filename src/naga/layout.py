"""The names of everything that Naga puts into a run's folder."""

from pathlib import Path

LOCK_NAME = "run.lock"
OWN_FOLDER = ".naga"  # Naga's own files, below a save_dir
CONSOLE_LOG = "console.log"
REPRODUCED = ".reproduced"  # beside the folders whose runs were computed again
ARCHIVE = ".archive"  # beside the folders whose finished runs were moved aside
GOING = ".naga-going-"  # begins the name of a folder that is being removed
DIAG = "diag"  # the folder, below a save_dir, of what diags have made
OUTPUTS_LIST = "outputs.json"
INPUTS_LIST = "inputs.json"


def naga_folder(save_dir: Path) -> Path:
    """Name the folder below a save_dir that holds Naga's own files."""
    return save_dir / OWN_FOLDER


def claims_folder(save_dir: Path) -> Path:
    """Name the folder that holds the chain of a save_dir's owners."""
    return naga_folder(save_dir) / "claims"


def attempt_lock(save_dir: Path, attempt: int, run_id: str) -> Path:
    """Name the file of the lock of an earlier attempt."""
    return attempts_folder(save_dir) / f"{attempt:04d}-{run_id}.lock"


def attempts_folder(save_dir: Path) -> Path:
    """Name the folder of those locks."""
    return naga_folder(save_dir) / "attempts"


def heartbeat_file(save_dir: Path) -> Path:
    """Name the file whose time says that the run is alive."""
    return naga_folder(save_dir) / "heartbeat"


def diag_marks(save_dir: Path) -> Path:
    """Name the folder that marks which folders in ``diag`` are Naga's: a run may have results of that name."""
    return naga_folder(save_dir) / DIAG


def metrics_file(save_dir: Path) -> Path:
    """Name the file that holds what the last publication of the run said."""
    return naga_folder(save_dir) / "metrics.json"
