"""Windows, which Naga does not run on."""

import subprocess
import sys


def test_windows_is_told_where_to_go() -> None:
    """In one line, before anything that is not there is imported."""
    program = "import os; os.name = 'nt'\ntry:\n import naga\nexcept ImportError as error:\n print(error)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Naga runs on Linux and macOS; on Windows use WSL")
