"""Inputs behind URLs, on a real HTTP server and a real S3-compatible one."""

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from naga.capture.data.inputs import capture_data, changed_inputs, hash_again
from naga.capture.data.remote import hash_url
from naga.declarations import Tracked
from naga.errors import DataError
from naga.hashing.hash_tree import hash_path

pytest.importorskip("fsspec")
pytestmark = pytest.mark.xdist_group("remote")  # one pair of servers


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, says the ETag that the folder's file `etag` asks for, and counts what it sends."""

    sent: list[str] = []  # noqa: RUF012

    def end_headers(self) -> None:
        etag = Path(self.directory, "etag").read_text()
        if etag:
            self.send_header("ETag", etag)
        super().end_headers()

    def do_GET(self) -> None:  # the server's name for it
        self.sent.append(self.path)
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve a folder; give its URL and the folder."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "data.csv").write_bytes(b"content")
    (folder / "etag").write_text('"v1"')
    Handler.sent.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/data.csv", folder
        server.shutdown()


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """Start an S3-compatible server; give a filesystem on it."""
    import s3fs  # type: ignore[import-untyped]
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        filesystem = s3fs.S3FileSystem(skip_instance_cache=True)
        filesystem.mkdir("bucket")
        yield filesystem
    server.stop()


def test_etag(web: tuple[str, Path]) -> None:
    """A strong ETag and the size stand for the content, which is not fetched."""
    url, folder = web
    tree = hash_url(url)
    assert (tree.kind, tree.size_bytes, tree.files) == ("remote", 7, 1)
    assert Handler.sent == []
    (folder / "etag").write_text('"v2"')
    assert hash_url(url).hash != tree.hash
    (folder / "etag").write_text('"v1"')
    assert hash_url(url).hash == tree.hash
    (folder / "data.csv").write_bytes(b"longer content")
    assert hash_url(url).hash != tree.hash


@pytest.mark.parametrize("etag", ["", 'W/"v1"'])
def test_no_promise(web: tuple[str, Path], etag: str) -> None:
    """Where the server promises nothing, the content is fetched."""
    url, folder = web
    (folder / "etag").write_text(etag)
    before = hash_url(url).hash
    assert Handler.sent
    (folder / "data.csv").write_bytes(b"CONTENT")
    assert hash_url(url).hash != before


def test_fresh(web: tuple[str, Path]) -> None:
    """On request the content is read, and hashes as a local copy does."""
    url, folder = web
    tree = hash_url(url, fresh=True)
    assert (tree.kind, tree.hash) == ("file", hash_path(folder / "data.csv").hash)


def test_documented_identity(web: tuple[str, Path]) -> None:
    """The identity can be computed again from what the page says."""
    url, _ = web
    said = (url.encode(), b"etag", b"v1", b"7")
    records = b"".join(len(text).to_bytes(8, "little") + text for text in said)
    assert hash_url(url).digest == blake3(records, derive_key_context="naga.remote/1").digest()


def test_nothing_there(web: tuple[str, Path]) -> None:
    """What the server does not have is missing, in one line."""
    with pytest.raises(DataError, match=r"^there is nothing at 'http://.*nothing\.csv'"):
        hash_url(web[0].replace("data.csv", "nothing.csv"))


def test_no_server() -> None:
    """A server that is not there is reported by its URL."""
    with pytest.raises(DataError, match=r"'http://127\.0\.0\.1:1/x'"):
        hash_url("http://127.0.0.1:1/x")


def test_unknown_protocol() -> None:
    """A protocol that nothing speaks is reported."""
    with pytest.raises(DataError, match="nonsense"):
        hash_url("nonsense://x")


def test_library_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fsspec, or the library of a protocol, the error says what to install."""
    with pytest.raises(DataError) as caught:
        hash_url("gs://bucket/key")
    assert "gcsfs" in caught.value.message
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(DataError) as caught:
        hash_url("s3://bucket/key")
    assert caught.value.hint == "pip install 'naga-runs[remote]'"


def test_s3_file(s3: Any) -> None:
    """An object is known by what S3 says of it, and changes with its content."""
    s3.pipe("bucket/a.csv", b"one")
    before = hash_url("s3://bucket/a.csv")
    assert (before.kind, before.size_bytes) == ("remote", 3)
    assert hash_url("s3://bucket/a.csv").hash == before.hash
    s3.pipe("bucket/a.csv", b"two")
    assert hash_url("s3://bucket/a.csv").hash != before.hash
    assert hash_url("s3://bucket/a.csv", fresh=True).hash == f"blake3:{blake3(b'two').hexdigest()}"


def test_s3_folder(s3: Any, tmp_path: Path) -> None:
    """A prefix is a folder: what is below counts, by its name; fresh, it hashes as a local copy does."""
    for name in ("b.csv", "a/x.csv", "a/y.csv", "a.csv", "cache/z"):
        s3.pipe(f"bucket/folder/{name}", name.encode())
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    before = hash_url("s3://bucket/folder")
    assert (before.kind, before.files, before.size_bytes) == (
        "remote",
        5,
        sum(map(len, ("b.csv", "a/x.csv", "a/y.csv", "a.csv", "cache/z"))),
    )
    assert [entry.path for entry in before.entries()] == ["a.csv", "b.csv", "a/x.csv", "a/y.csv", "cache/z"]
    fresh = hash_url("s3://bucket/folder", fresh=True)
    assert (fresh.kind, fresh.hash) == ("folder", hash_path(tmp_path).hash)
    ignoring = hash_url("s3://bucket/folder/", fresh=True, ignore=["cache/"])
    assert ignoring.hash == hash_path(tmp_path, ignore=["cache/"]).hash
    s3.rm("bucket/folder/b.csv")
    assert hash_url("s3://bucket/folder").hash != before.hash


def test_as_input(s3: Any, tmp_path: Path) -> None:
    """A URL is an input like any other: recorded as written, listed, and looked at again at the end."""
    s3.pipe("bucket/in.csv", b"one")
    (tmp_path / "local").write_bytes(b"x")
    config, tracked = {"x": {"far": "s3://bucket/in.csv", "near": "local"}}, [Tracked(keys=("x",))]
    before = capture_data(config, tracked, tmp_path, manifest_dir=tmp_path)
    assert (before["x"].kind, before["x"].path, before["x"].files) == ("dict", config["x"], 2)
    listed = json.loads((tmp_path / "inputs.json").read_text())["x"]
    assert [(entry["path"], entry["size_bytes"]) for entry in listed] == [("far", 3), ("near", 1)]
    assert changed_inputs(before, config, tracked, tmp_path) == ()
    whole = capture_data(config, [Tracked(keys=("x",), fresh=True)], tmp_path, manifest_dir=None)
    for data in (before["x"], whole["x"]):
        assert hash_again("x", data, tmp_path).hash == data.hash
    s3.pipe("bucket/in.csv", b"two")
    for data in (before["x"], whole["x"]):
        assert hash_again("x", data, tmp_path).hash != data.hash
    [warning] = changed_inputs(before, config, tracked, tmp_path)
    assert warning.startswith("x: ")


def test_missing_input(s3: Any, tmp_path: Path) -> None:
    """A missing object is reported with its key."""
    with pytest.raises(DataError, match=r"^x\.0: there is nothing at 's3://bucket/nothing'"):
        capture_data({"x": ["s3://bucket/nothing"]}, [Tracked(keys=("x",))], tmp_path, manifest_dir=None)
