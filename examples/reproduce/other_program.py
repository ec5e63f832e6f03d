"""Another program, in Python, that is a file of the project: reproduced."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/other_program"


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Call the program."""
    done = subprocess.run([sys.executable, "parts/program.py", "21"], check=True, capture_output=True, text=True)
    result = int(done.stdout)
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
