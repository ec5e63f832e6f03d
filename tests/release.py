"""What a release must be, looked at before it is one: ``make release``.

The version, the changelog and the tag say the same; the wheel has every module, the marker of types and nothing else;
``twine check`` takes it; installed into an empty environment it runs the demo. Uploading it is left to whoever may.
"""

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

TOP = Path(__file__).parents[1]


def main() -> int:
    """Look at everything, and say what is wrong."""
    version = str(re.search(r'__version__ = "(.*)"', (TOP / "src/naga/__init__.py").read_text())[1])  # type: ignore[index]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder)
        faults = [*texts(version), *contents(wheel)]
        faults += [] if ran("-m", "twine", "check", "--strict", str(wheel)) else ["twine does not take the wheel"]
        faults += [] if demo(wheel, folder) else ["the demo does not run from the wheel"]
    for fault in faults:
        print(f"naga {version}: {fault}")
    if not faults:
        print(f"naga {version} can be released: git tag v{version}, git push --tags, twine upload")
    return 1 if faults else 0


def texts(version: str) -> list[str]:
    """Compare what the version is called in different places."""
    tags = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=TOP, capture_output=True, text=True, check=True)
    said = {
        "that is no version of a release: say another in src/naga/__init__.py": ".dev" not in version,
        f"CHANGELOG.md has no part [{version}]": f"## [{version}]" in (TOP / "CHANGELOG.md").read_text(),
        "CITATION.cff has another version": f"\nversion: {version}\n" in (TOP / "CITATION.cff").read_text(),
        f"HEAD has other tags: {tags.stdout.split()}": tags.stdout.split() in ([], [f"v{version}"]),
    }
    return [fault for fault, is_well in said.items() if not is_well]


def build(folder: Path) -> Path:
    """Build the wheel from what is committed."""
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=TOP, capture_output=True, check=True).stdout
    (folder / "source").mkdir()
    subprocess.run(["tar", "x", "-C", str(folder / "source")], input=archive, check=True)
    ran("-m", "pip", "wheel", "-qq", "--no-deps", "--wheel-dir", str(folder), str(folder / "source"))
    return next(folder.glob("*.whl"))


def contents(wheel: Path) -> list[str]:
    """Compare the files of the wheel with those of the source."""
    with zipfile.ZipFile(wheel) as archive:
        has = {name for name in archive.namelist() if ".dist-info/" not in name}
    listed = subprocess.run(["git", "ls-files", "src/naga"], cwd=TOP, capture_output=True, text=True, check=True)
    wanted = {line.removeprefix("src/") for line in listed.stdout.splitlines()}
    return [f"the wheel {'lacks' if name in wanted else 'has'} {name}" for name in sorted(has ^ wanted)]


def demo(wheel: Path, folder: Path) -> bool:
    """Run the demo from the wheel, in an environment that has only what the demo needs."""
    own = folder / "venv" / "bin" / "python"
    demo_needs = ["mlflow", "scikit-learn", "pandas", "matplotlib", "--constraint", str(TOP / "constraints.txt")]
    commands = [[sys.executable, "-m", "venv", str(folder / "venv")]]
    commands += [[str(own), "-m", "pip", "install", "-qq", str(wheel), *demo_needs]]
    commands += [["git", "init", "-q"], [str(own), "examples/demo.py"]]
    plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    where = folder / "source"
    return all(subprocess.run(words, cwd=where, env=plain, check=False).returncode == 0 for words in commands)


def ran(*words: str) -> bool:
    """Run Python, and tell whether all was well."""
    return subprocess.run([sys.executable, *words], check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
