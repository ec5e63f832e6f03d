"""A secret from the environment: reproduced, as long as that still has it."""

import json
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/secret"
    api_key: str = "${oc.env:API_KEY}"


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Use a secret."""
    result = len(cfg.api_key)
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
