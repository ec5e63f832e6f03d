"""What a run prints, on its way to the terminal and to console.log: with newlines, without any, and as a bar's states.

The baseline is the same script without Naga, whose output goes through `tee` to a file.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._figures import found

MEGABYTES = 64
ROUNDS = 3
PRINTED = {
    "lines of 80 characters": 'text = ("x" * 79 + "\\n") * 12_500',
    "no newline at all": 'text = "x" * 1_000_000',
    "states of a bar": 'text = ("\\r" + "x" * 79) * 12_500',
}
PRINT = f"""
import sys
{{text}}
for _ in range({MEGABYTES}):
    sys.stdout.write(text)
sys.stdout.flush()
"""
RUN = """
import naga

@naga.runlock
def main(cfg):
    exec(open("print.py").read())

main({"save_dir": "run"})
"""


def _seconds(command: str, folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, shell=True, cwd=folder, check=True)
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    for name, text in PRINTED.items():
        rounds = []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                (folder / "print.py").write_text(PRINT.format(text=text))
                (folder / "run.py").write_text(RUN)
                start = _seconds(f"{sys.executable} -c 'import naga' > /dev/null", folder)
                bare = _seconds(f"{sys.executable} print.py | tee console.log > /dev/null", folder)
                with_naga = _seconds(f"{sys.executable} run.py 2> /dev/null > /dev/null", folder)
                rounds.append((bare, max(with_naga - start, 0.001)))
        bare, with_naga = (MEGABYTES / statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:24} tee {bare:5.0f} MB/s   naga {with_naga:5.0f} MB/s")
        found(f"the console, {name}", with_naga, "MB/s (larger is better)")
