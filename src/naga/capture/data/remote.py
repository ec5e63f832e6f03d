"""Inputs behind a URL: whatever fsspec opens.

What a server says of a file stands for its content: its version or strong ETag, and its size. Where the server says
neither, or fresh data is asked for, the content is read.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from struct import Struct
from typing import Any

from naga.errors import DataError
from naga.hashing.format import Tree, assemble, one_file
from naga.hashing.listing import Folder, bare_row, ignored_by_patterns

_CONTEXT = "naga.remote/1"
_LENGTH = Struct("<Q")
_VERSIONS = ("VersionId", "version_id", "generation")
_ETAGS = ("ETag", "etag")
_CHUNK = 1 << 22
_ATTEMPTS = 3


def hash_url(url: str, *, ignore: Sequence[str] = (), fresh: bool = False) -> Tree:
    """Hash what is behind a URL."""
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]
    except ImportError:
        raise DataError(f"{url!r} is remote", hint="pip install 'naga-runs[remote]'") from None
    try:
        # Neither a connection nor a listing of before: it could be stale.
        filesystem, root = url_to_fs(url, skip_instance_cache=True)
        return _hash(filesystem, root, ignore, fresh)
    except FileNotFoundError:
        raise DataError(f"there is nothing at {url!r}") from None
    except ImportError as error:
        raise DataError(f"{url!r}: {error}", hint="install what it names") from None
    except Exception as error:  # noqa: BLE001  # each protocol has its own errors
        raise DataError(f"cannot read {url!r}: {type(error).__name__}: {error}") from None


def _hash(filesystem: Any, root: str, ignore: Sequence[str], fresh: bool) -> Tree:
    about = filesystem.info(root)
    if about["type"] != "directory":
        size, digest = _read(filesystem, about) if fresh else _look(filesystem, about)
        return replace(one_file(bare_row(b"", size), digest), kind="file" if fresh else "remote")
    leave_out = ignored_by_patterns(ignore)
    files = {}
    for path, inner in filesystem.find(root, detail=True).items():
        name = os.fsencode(path[len(root) :].strip("/"))
        if leave_out is None or not leave_out(name, 0):
            files[name] = _read(filesystem, inner) if fresh else _look(filesystem, inner)
    return replace(_assembled(files), kind="folder" if fresh else "remote")


def _look(filesystem: Any, about: Mapping[str, Any]) -> tuple[int, bytes]:
    """Find the size of a remote file, and the digest of what identifies its content."""
    from blake3 import blake3

    version, size = _version(about), about.get("size")
    if version is None or size is None:
        return _read(filesystem, about)
    said = (filesystem.unstrip_protocol(about["name"]), *version, str(size))
    records = (_LENGTH.pack(len(text)) + text for text in map(os.fsencode, said))
    return int(size), blake3(b"".join(records), derive_key_context=_CONTEXT).digest()


def _version(about: Mapping[str, Any]) -> tuple[str, str] | None:
    """Find what the server promises to change with the content (ETag, version, checksum), and its kind."""
    version = next((about[key] for key in _VERSIONS if about.get(key)), None)
    if version is not None:
        return "version", str(version)
    etag = next((str(about[key]) for key in _ETAGS if about.get(key)), "")
    return ("etag", etag.strip('"')) if etag and not etag.startswith("W/") else None


def _read(filesystem: Any, about: Mapping[str, Any]) -> tuple[int, bytes]:
    """Read a remote file; one that changes meanwhile is read again."""
    from blake3 import blake3

    for _ in range(_ATTEMPTS):
        hasher, size = blake3(), 0
        with filesystem.open(about["name"], "rb", block_size=_CHUNK) as file:
            while chunk := file.read(_CHUNK):
                hasher.update(chunk)
                size += len(chunk)
        filesystem.invalidate_cache()
        before, about = about, filesystem.info(about["name"])
        if _version(before) == _version(about) and about.get("size") in (size, None):
            return size, hasher.digest()
    raise OSError("it changes while it is read")


def _assembled(files: Mapping[bytes, tuple[int, bytes]]) -> Tree:
    """Combine the files of a remote folder as those of a local one."""
    folders, digests, places = [Folder(b"", 0)], [bytearray()], {b"": 0}

    def place_of(path: bytes) -> int:
        if path not in places:
            folders.append(Folder(path, place_of(path.rpartition(b"/")[0])))
            digests.append(bytearray())
            places[path] = len(folders) - 1
        return places[path]

    for path, (size, digest) in sorted(files.items()):
        above, _, name = path.rpartition(b"/")
        place = place_of(above)
        folders[place].rows.append(bare_row(name, size))
        folders[place].size_bytes += size
        digests[place] += digest
    return assemble(folders, [bytes(each) for each in digests])
