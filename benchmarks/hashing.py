"""Hashing one large file and many small ones: against BLAKE3 itself, plain loops, and tools in their own environments.

``cold`` reads from the disk (only root can empty the system's cache), ``first`` from memory, ``again`` is a second time
with nothing changed. Each figure is the median of several processes, imports not counted.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LARGE_BYTES = 4 << 30
SMALL_FILES, SMALL_BYTES = 100_000, 4096
ROUNDS = {"cold": 1, "first": 3, "again": 3}
PEERS = Path(__file__).parents[1] / ".venv"
DROP_CACHES = Path("/proc/sys/vm/drop_caches")

MEASURE = r"""
import os, re, resource, sys, time
path, own = sys.argv[1:]
{code}
began = time.perf_counter()
take(path)
took = time.perf_counter() - began
with open("/proc/self/status") as status:  # what `getrusage` says of this process includes who started it
    own_peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1])
print(took, max(own_peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024)
"""
LOOP = """
from blake3 import blake3
def take(path):
    for folder, _, files in os.walk(path):
        for name in files:
            with open(os.path.join(folder, name), "rb") as file:
                blake3(file.read()).digest()
"""
WALK = """
def take(path):
    for folder, _, files in os.walk(path):
        for name in files:
            os.stat(os.path.join(folder, name))
"""
MAPPED = """
from blake3 import blake3
def take(path):
    blake3(max_threads=blake3.AUTO).update_mmap(path).digest()
"""
NAGA = """
from pathlib import Path
from naga.hashing.hash_tree import hash_path
def take(path):
    hash_path(Path(path)).hash
"""
SHA256SUM = """
import subprocess
def take(path):
    script = 'find "$0" -type f -print0 | xargs -0 -P "$1" -n 500 sha256sum | sort | sha256sum'
    subprocess.run(["sh", "-c", script, path, str(os.cpu_count())], check=True, stdout=subprocess.DEVNULL)
"""
DIRHASH = """
from dirhash import dirhash
def take(path):
    dirhash(path, "sha256", jobs=os.cpu_count(), chunk_size=1 << 20)
"""
FLEXLOCK = """
os.environ["FLEXLOCK_CACHE"] = own
from flexlock.data_hash import hash_data
def take(path):
    hash_data(path)
"""
DVC = """
from dvc_data.hashfile.build import build
from dvc_data.hashfile.db.local import LocalHashFileDB
from dvc_data.hashfile.state import State
from dvc_objects.fs.local import LocalFileSystem
def take(path):
    files, state = LocalFileSystem(), State(root_dir=own, tmp_dir=own)
    build(LocalHashFileDB(files, own + "/odb", state=state), path, files, "md5", dry_run=True)
    state.close()
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """What hashes, with which code, in which environment, and which of the files it can."""

    name: str
    code: str
    needs: str = ""  # a package, in an environment of its own
    large: bool = True
    small: bool = True


CONTENDERS = (
    Contender("naga", NAGA),
    Contender("blake3.update_mmap", MAPPED, small=False),
    Contender("open, read, blake3", LOOP, large=False),
    Contender("walk, stat (no hash)", WALK, large=False),
    Contender("xargs -P sha256sum", SHA256SUM),
    Contender("dirhash 0.5 (sha256)", DIRHASH, needs="dirhash==0.5.0", large=False),
    Contender("FlexLock 0.10.0 (xxh64)", FLEXLOCK, needs="flexlock==0.10.0"),
    Contender("DVC 3.67 (md5)", DVC, needs="dvc==3.67.0"),
)
Figures = dict[tuple[str, str], float]  # (contender, state) -> seconds


def python_with(package: str) -> str | None:
    """Return an interpreter that has a package, installing it first; None where that cannot be had."""
    if not package:
        return sys.executable
    home = PEERS / package.partition("==")[0]
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", package]
        for words in ([sys.executable, "-m", "venv", str(home)], install):
            if subprocess.run(words, check=False, capture_output=True).returncode:
                return None
        (home / "ready").touch()
    return str(python)


def measure(python: str, contender: Contender, path: Path, own: Path) -> tuple[float, float]:
    """Hash in a process of its own; return the seconds and the most memory it took."""
    words = [python, "-c", MEASURE.format(code=contender.code), str(path), str(own)]
    environment = {**os.environ, "NAGA_CACHE_DIR": str(own)}
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), float(peak)


def states() -> Iterator[tuple[str, Callable[[], object]]]:
    """Give each state of the machine, with what brings it about."""
    if os.access(DROP_CACHES, os.W_OK):
        yield "cold", lambda: DROP_CACHES.write_text("3")
    yield "first", lambda: None
    yield "again", lambda: None


def race(path: Path, contenders: list[tuple[str, Contender]]) -> tuple[Figures, dict[str, float]]:
    """Measure all contenders in turn, in every state; return their seconds and their memory."""
    figures: Figures = {}
    peaks: dict[str, float] = {}
    for state, prepare in states():
        taken: dict[str, list[float]] = {contender.name: [] for _, contender in contenders}
        for _ in range(ROUNDS[state]):
            for python, contender in contenders:
                with tempfile.TemporaryDirectory() as own:
                    if state == "again":
                        measure(python, contender, path, Path(own))
                    prepare()
                    seconds, peak = measure(python, contender, path, Path(own))
                taken[contender.name].append(seconds)
                peaks[contender.name] = max(peak, peaks.get(contender.name, 0))
        figures |= {(name, state): statistics.median(values) for name, values in taken.items()}
    return figures, peaks


def show(title: str, figures: Figures, peaks: dict[str, float]) -> None:
    """Print the table of one race."""
    columns = list(dict.fromkeys(state for _, state in figures))
    print(f"\n{title:26}" + "".join(f"{state:>10}" for state in columns) + "  peak memory")
    for name, peak in peaks.items():
        print(f"{name:26}" + "".join(f"{figures[name, state]:8.2f} s" for state in columns) + f"{peak / 1e6:10.0f} MB")


def ratio(figures: Figures, baseline: str, state: str) -> float:
    """Divide Naga's time by that of another."""
    return figures["naga", state] / figures[baseline, state]


def judge(what: str, value: float, budget: str) -> None:
    """Print a ratio beside its budget."""
    print(f"{what:48} {value:5.2f}  (budget {budget})")


def fill(folder: Path) -> None:
    """Make many small files."""
    chance = random.Random(0)
    for number in range(SMALL_FILES):
        path = folder / f"{number // 1000:03}" / f"{number:06}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(SMALL_BYTES))


def main() -> None:
    """Print the tables, and the ratios that Naga promises."""
    found = [(python_with(contender.needs), contender) for contender in CONTENDERS]
    missing = [contender.name for python, contender in found if python is None]
    ready = [(python, contender) for python, contender in found if python is not None]
    if missing:
        print(f"not measured, because they cannot be installed: {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as name:
        large, small = Path(name, "large"), Path(name, "small")
        with large.open("wb") as file:
            for _ in range(LARGE_BYTES >> 26):
                file.write(random.randbytes(1 << 26))
        fill(small)
        os.sync()
        time.sleep(4)  # what was written just now is never believed to be unchanged
        of_large = race(large, [each for each in ready if each[1].large])
        of_small = race(small, [each for each in ready if each[1].small])
    show(f"one file of {LARGE_BYTES >> 30} GiB", *of_large)
    show(f"{SMALL_FILES:,} files of {SMALL_BYTES >> 10} KiB", *of_small)
    print()
    for state in [state for state in ("cold", "first") if ("naga", state) in of_large[0]]:
        judge(
            f"large, {state}: speed / blake3.update_mmap", 1 / ratio(of_large[0], "blake3.update_mmap", state), ">= 0.9"
        )
        judge(f"small, {state}: time / open, read, blake3", ratio(of_small[0], "open, read, blake3", state), "<= 1.5")
    judge("small, again: time / walk, stat", ratio(of_small[0], "walk, stat (no hash)", "again"), "<= 1.5")
