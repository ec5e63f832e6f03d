"""What a server said that is gone: differs, and the failure is named."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path

from naga import clicfg, runlock, snapshot


@dataclass
class Config:
    save_dir: str = "results/network"
    port: int = 0


@runlock
@snapshot
@clicfg
def main(cfg: Config) -> None:
    """Ask a server."""
    with socket.create_connection(("localhost", cfg.port), timeout=5) as connection:
        result = connection.recv(100).decode()
    Path(cfg.save_dir, "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
