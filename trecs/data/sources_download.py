"""Downloads a file over HTTP: continued where it broke off, kept only if its digest is right."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tqdm.auto import tqdm

from trecs.data.sources_cache import make_folder
from trecs.errors import FetchError

Say = Callable[[str], None]
"""Takes one line of news for the user."""

_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_USER_AGENT = "trecs (data set download)"


@dataclass(frozen=True)
class RemoteFile:
    """One file of a publisher.

    Attributes:
        url: its address; the last part of the path is its name in the cache.
        digest: "sha256:<hex>", or "md5:<hex>" where the publisher gives that alone; None where the
            publisher gives none: then the SHA-256 of the first download is noted and holds later.
    """

    url: str
    digest: str | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """The digest of a file as "<algorithm>:<hex>", read in pieces."""
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def download(remote: RemoteFile, folder: Path, *, progress: bool, say: Say) -> Path:
    """Brings a file into `folder`, unless it lies there already, and checks its digest.

    A file that somebody put there by hand is taken like a downloaded one. While it is incomplete it
    is called `<name>.part`; a later call continues it where the server allows that.

    Args:
        remote: what to bring.
        folder: where to; it is made.
        progress: whether to show a bar on standard error.
        say: told when a digest is noted that nobody published.

    Returns:
        The path of the checked file.

    Raises:
        FetchError: The server cannot be reached or breaks off, or the digest differs.
    """
    make_folder(folder)
    target = folder / remote.name
    if not target.exists():
        part = folder / f"{remote.name}.part"
        _complete(remote.url, part, progress)
        _check(part, target, remote, say)
        os.replace(part, target)
        _validator_path(part).unlink(missing_ok=True)
    else:
        _check(target, target, remote, say)
    return target


def _check(path: Path, target: Path, remote: RemoteFile, say: Say) -> None:
    """Compares the file's digest with the published or noted one; removes it where they differ."""
    noted = target.with_name(f"{target.name}.sha256")
    expected = remote.digest
    if expected is None and noted.exists():
        expected = noted.read_text().strip()
    came = file_digest(path, expected.partition(":")[0] if expected else "sha256")
    if expected is None:
        noted.write_text(f"{came}\n")
        say(
            f"{remote.name}: its publisher gives no digest, so it is trusted as it came. Its "
            f"{came} is noted in {noted} and will be asked of later downloads."
        )
    elif came != expected:
        path.unlink()
        raise FetchError(
            f"{remote.url}: expected {expected}, and {came} came. The file was altered on the way, "
            "or its publisher has changed it. It was removed; fetch again to try once more."
            + ("" if remote.digest else f" To accept a changed file, remove {noted} first.")
        )


def _complete(url: str, part: Path, progress: bool) -> None:
    """Downloads until `part` is complete; after a break, again while each try brings bytes."""
    while True:
        before = _size(part)
        try:
            _download_rest(url, part, progress)
            return
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) or _size(part) <= before:
                have = f" {_size(part):,} bytes are kept in {part}." if _size(part) else ""
                raise FetchError(f"{url}: {_reason(error)}.{have}") from error


def _download_rest(url: str, part: Path, progress: bool) -> None:
    """Asks for what `part` lacks and appends it, or begins again where the server sends all."""
    have = _size(part)
    try:
        response = _open(url, have, _validator_path(part))
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        if error.headers.get("Content-Range", "") == f"bytes */{have}":
            return
        have, response = 0, _open(url, 0, _validator_path(part))
    with response:
        if response.status != http.client.PARTIAL_CONTENT:
            have = 0
        _note_validator(response, _validator_path(part))
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if have else "wb") as file, _bar(part, have, total, progress) as bar:
            _copy(response, file, bar)
    if total is not None and _size(part) != total:
        raise ConnectionError(f"{_size(part):,} of {total:,} bytes came")


def _open(url: str, have: int, validator: Path) -> Any:
    """Sends the request; with If-Range, so that a file that has changed is sent from its start."""
    request = urllib.request.Request(url, headers={"User-Agent": _USER_AGENT})
    if have and validator.exists():
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", validator.read_text())
    return urllib.request.urlopen(request, timeout=_TIMEOUT_S)


def _note_validator(response: Any, path: Path) -> None:
    """Keeps what tells this version of the file: a strong ETag, else the time of change."""
    etag = response.headers.get("ETag", "")
    validator = response.headers.get("Last-Modified", "") if etag.startswith("W/") else etag
    validator = validator or response.headers.get("Last-Modified", "")
    if validator:
        path.write_text(validator)
    else:
        path.unlink(missing_ok=True)


def _copy(response: Any, file: BinaryIO, bar: tqdm[Any]) -> None:
    """Copies the response's body to the file, a chunk at a time."""
    while chunk := response.read1(_CHUNK):
        file.write(chunk)
        bar.update(len(chunk))


def _bar(part: Path, have: int, total: int | None, progress: bool) -> tqdm[Any]:
    """A progress bar in bytes that begins where the download does."""
    return tqdm(
        desc=part.stem,
        initial=have,
        total=total,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        disable=not progress,
    )


def _validator_path(part: Path) -> Path:
    """Where the validator of a part is kept."""
    return part.with_name(f"{part.name}.version")


def _size(path: Path) -> int:
    """The size of a file in bytes, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def _reason(error: BaseException) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"the server cannot be reached ({error.reason})"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"there is no room for the file ({error.strerror})"
    return f"the connection broke off ({error})"
