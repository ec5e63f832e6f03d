"""Threads, whose results are put in order: reproduced."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/threads"


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Compute in threads."""
    with ThreadPoolExecutor(4) as pool:
        result = list(pool.map(math.sqrt, range(100)))
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
