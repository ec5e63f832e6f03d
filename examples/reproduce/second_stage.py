"""The second of two stages, which reads what the first has left: reproduced."""

import json
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, load_stage, runlock, snapshot, track_data


@dataclass
class Config:
    save_dir: str = "results/second_stage"
    stage: str = "results/first_stage"


@runlock
@snapshot
@load_stage("stage")
@track_data("stage")
@clicfg
def main(cfg: Config) -> None:
    """Read the first stage."""
    result = sum(json.loads(Path(cfg.stage, "result.json").read_text()))
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
