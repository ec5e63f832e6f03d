"""The time as a result: differs."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/time_dependent"


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Ask the clock."""
    result = time.time()
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
