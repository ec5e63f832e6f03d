"""The interpreter, the machine and the packages that a run had."""

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from naga.capture.hardware import cpu_model, gpus, memory_bytes
from naga.capture.packages import environment_files, installed_packages, origin_of
from naga.record.schema import Environment
from naga.secrets import redact_config

# What changes results or speed, and what tells one process of many from the others.
_TELLING = """
    CONDA_DEFAULT_ENV CONDA_PREFIX JAX_ENABLE_X64 JAX_PLATFORMS LANG LC_ALL LD_LIBRARY_PATH LD_PRELOAD LOCAL_RANK
    MKL_NUM_THREADS NUMEXPR_NUM_THREADS OMP_NUM_THREADS OMP_PROC_BIND OPENBLAS_NUM_THREADS RANK SLURM_JOB_NODELIST
    TF_DETERMINISTIC_OPS TF_ENABLE_ONEDNN_OPTS TOKENIZERS_PARALLELISM TZ VIRTUAL_ENV WORLD_SIZE XLA_FLAGS
""".split()  # noqa: SIM905  # a literal takes a line a word
_TELLING_PREFIXES = ("CUDA_", "CUBLAS_", "HIP_", "NVIDIA_", "PYTHON", "PYTORCH_", "ROCR_")
_OF_THE_MACHINE = {"CONDA_DEFAULT_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "LD_PRELOAD", "LOCAL_RANK", "PYTHONHOME"}
_OF_THE_MACHINE |= {"PYTHONEXECUTABLE", "RANK", "SLURM_JOB_NODELIST", "VIRTUAL_ENV", "WORLD_SIZE"}


def capture_environment(start: Path | None = None, *, variables: Iterable[str] = ()) -> Environment:
    """Describe the running interpreter, the machine and every installed package.

    Names and versions are read from the names of the metadata folders (PEP 376, PEP 427), which costs a listing per
    folder of ``sys.path``; reading each package's metadata would cost more than a whole capture may.
    """
    named = {*_TELLING, *variables, *(name for name in os.environ if name.startswith(_TELLING_PREFIXES))}
    found = dict(sorted(installed_packages(), key=lambda pair: pair[0].lower()))
    origins = {name: origin_of(metadata) for name, (_, metadata) in found.items()}
    return Environment(
        python=platform.python_version(),
        executable=sys.executable,
        platform=_platform(),
        cpu=cpu_model(),
        cpus=os.cpu_count(),
        memory_bytes=memory_bytes(),
        gpus=gpus(),
        packages={name: version for name, (version, _) in found.items()},
        origins={name: origin for name, origin in origins.items() if origin},
        files=environment_files(start or Path.cwd()),
        variables=redact_config({name: os.environ[name] for name in sorted(named) if name in os.environ}),
    )


def variables_for(recorded: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make a process compute as a recorded one did, without today's that affect results.

    Those that say where things are on a machine, or which of several processes this is, and secrets, are today's.
    """
    affecting = {name for name in os.environ if name in _TELLING or name.startswith(_TELLING_PREFIXES)}
    now = {name: value for name, value in os.environ.items() if name not in affecting - _OF_THE_MACHINE}
    as_then = {name: value for name, value in recorded.items() if "<redacted>" not in value}
    return now | {name: value for name, value in as_then.items() if name not in _OF_THE_MACHINE}


def _platform() -> str:
    """Name system, kernel, machine and C library as `platform.platform` does, which starts a process for it."""
    system = os.uname()
    with suppress(ValueError, OSError):
        library = os.confstr("CS_GNU_LIBC_VERSION") or ""
        return "-".join((system.sysname, system.release, system.machine, *library.split()))
    return "-".join((system.sysname, system.release, system.machine))
