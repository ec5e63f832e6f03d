"""The hash of folders against an implementation written from docs/hashing.md alone."""

import os
import shutil
import struct
import tempfile
from pathlib import Path

from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from naga.hashing.hash_tree import hash_path

Node = bytes | str | dict[bytes, "Node"]  # a file's content, a link's target, a folder


def reference(path: Path) -> bytes:
    """Hash a path as docs/hashing.md says, as simply as can be."""
    if not path.is_dir():
        return bytes(blake3(path.read_bytes()).digest())
    records = b""
    for name in sorted(os.fsencode(inner.name) for inner in path.iterdir()):
        inner = path / os.fsdecode(name)
        if inner.is_symlink():
            kind, digest = b"l", bytes(blake3(os.fsencode(inner.readlink())).digest())
        else:
            kind, digest = b"d" if inner.is_dir() else b"f", reference(inner)
        records += kind + struct.pack("<Q", len(name)) + name + digest
    return bytes(blake3(records, derive_key_context="naga.tree/1").digest())


def build(path: Path, node: Node) -> None:
    if isinstance(node, bytes):
        path.write_bytes(node)
    elif isinstance(node, str):
        path.symlink_to(node)
    else:
        path.mkdir()
        for name, inner in node.items():
            build(path / os.fsdecode(name), inner)


NAMES = (
    st.binary(min_size=1, max_size=12)
    .map(lambda name: name.translate(None, b"/\0"))
    .filter(lambda name: name not in (b"", b".", b".."))
)
LEAVES = st.binary(max_size=40) | st.sampled_from(["a", "..", "/etc", "b/c", "nowhere"])
FOLDERS = st.dictionaries(
    NAMES, st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=8), max_size=4
)


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FOLDERS)
def test_agrees_with_the_documented_format(node: Node) -> None:
    """Any tree hashes to what the page says it does."""
    folder = Path(tempfile.mkdtemp())
    try:
        build(folder / "tree", node)
        assert hash_path(folder / "tree").digest == reference(folder / "tree")
    finally:
        shutil.rmtree(folder)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FOLDERS, FOLDERS)
def test_equal_only_if_equal(one: Node, other: Node) -> None:
    """Two trees have one hash exactly when they hold the same."""
    folder = Path(tempfile.mkdtemp())
    try:
        build(folder / "one", one)
        build(folder / "other", other)
        assert (hash_path(folder / "one").hash == hash_path(folder / "other").hash) == (one == other)
    finally:
        shutil.rmtree(folder)
