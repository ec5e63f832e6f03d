"""What the tests of the capture need."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from naga.capture.tree_hash import hash_path


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Give what gives up root's privileges, under which every file can be read, until the end of the test."""
    hash_path(tmp_path)  # imports what may lie where only root reads
    opened = [folder for folder in (tmp_path, *tmp_path.parents) if not folder.stat().st_mode & 0o001]
    modes = {folder: folder.stat().st_mode & 0o7777 for folder in opened}

    def give_up() -> None:
        if os.geteuid() == 0:
            for folder in opened:
                folder.chmod(0o755)
            os.seteuid(65534)

    yield give_up
    if os.getuid() == 0:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)
