"""The interpreter, the machine and the packages that a run had."""

import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import suppress

from naga.record.schema import Environment

__all__ = ["capture_environment"]

_DISTRIBUTION = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(?:-py[\d.]+.*)?\.(?:dist|egg)-info")


def capture_environment() -> Environment:
    """Describe the running interpreter and every installed package.

    Names and versions are read from the names of the metadata folders (PEP 376, PEP 427), which costs a listing per
    folder of ``sys.path``; reading each package's metadata would cost more than a whole capture may.

    Returns
    -------
    Environment
    """
    return Environment(
        python=platform.python_version(),
        executable=sys.executable,
        platform=_platform(),
        cpus=os.cpu_count(),
        packages=dict(sorted(_packages(), key=lambda pair: pair[0].lower())),
    )


def _platform() -> str:
    """Name system, kernel, machine and C library as `platform.platform` does, which starts a process for it."""
    system = os.uname()
    with suppress(ValueError, OSError):
        library = os.confstr("CS_GNU_LIBC_VERSION") or ""
        return "-".join((system.sysname, system.release, system.machine, *library.split()))
    return "-".join((system.sysname, system.release, system.machine))


def _packages() -> Iterator[tuple[str, str]]:
    # Earlier folders win, as they do for imports.
    for folder in reversed(sys.path):
        with suppress(OSError):
            for name in os.listdir(folder or "."):  # noqa: PTH208  # names are all that is needed, and this is the fastest
                if found := _DISTRIBUTION.fullmatch(name):
                    yield found["name"].replace("_", "-"), found["version"]
