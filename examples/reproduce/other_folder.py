"""A task that goes to another folder and writes its input there anew: reproduced, and the original is not touched."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot, track_data


@dataclass
class Config:
    save_dir: str = "results/other_folder"
    scratch: str = "data/scratch.txt"


@runlock
@snapshot
@track_data("scratch")
@clicfg
def main(cfg: Config) -> None:
    """Work beside the data."""
    here = Path.cwd()
    os.chdir("data")
    result = Path("scratch.txt").read_text()
    Path("scratch.txt").write_text(result)
    os.chdir(here)
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
