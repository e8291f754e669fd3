"""Downloads from a server on the loopback interface."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from trecs.data.sources_download import RemoteFile, download
from trecs.errors import FetchError

CONTENT = bytes(range(256)) * 40
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


@dataclass
class Served:
    """What the server holds and how it behaves; `asked` collects the Range headers that came."""

    content: bytes = CONTENT
    ranges: bool = True
    etag: str = '"v1"'
    break_after: list[int] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def server(served: Served) -> Iterator[Served]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            served.asked.append(wanted)
            if not self.path.endswith("data.zip"):
                self.send_error(404)
                return
            total, begin = len(served.content), 0
            if wanted and served.ranges and self.headers.get("If-Range") == served.etag:
                begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if begin >= total:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{total}")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(total - begin))
            self.send_header("ETag", served.etag)
            self.end_headers()
            body = served.content[begin:]
            self.wfile.write(body[: served.break_after.pop(0)] if served.break_after else body)

        def log_message(self, *_arguments):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http://127.0.0.1:{running.server_port}/files/data.zip"
    try:
        yield served
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def bring(served: Served, folder: Path, digest: str | None = SHA256) -> tuple[Path, list[str]]:
    said: list[str] = []
    path = download(RemoteFile(served.url, digest), folder, progress=False, say=said.append)
    return path, said


def put_part(folder: Path, content: bytes, etag: str = '"v1"') -> None:
    (folder / "data.zip.part").write_bytes(content)
    (folder / "data.zip.part.version").write_text(etag)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("digest", [SHA256, MD5])
def test_file_with_the_right_digest_is_kept_under_its_name(tmp_path, digest):
    with server(Served()) as served:
        path, said = bring(served, tmp_path, digest)
    assert path == tmp_path / "data.zip"
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["data.zip"]
    assert said == []


def test_present_file_is_taken_without_asking_the_server(tmp_path):
    (tmp_path / "data.zip").write_bytes(CONTENT)
    with server(Served()) as served:
        assert bring(served, tmp_path)[0].read_bytes() == CONTENT
    assert served.asked == []


def test_wrong_digest_names_both_and_keeps_nothing(tmp_path):
    wrong = "sha256:" + "0" * 64
    with (
        server(Served()) as served,
        pytest.raises(FetchError, match=f"expected {wrong}, and {SHA256} came.*fetch again"),
    ):
        bring(served, tmp_path, wrong)
    assert "data.zip" not in names(tmp_path)
    assert "data.zip.part" not in names(tmp_path)


def test_half_a_file_is_continued_where_it_broke_off(tmp_path):
    put_part(tmp_path, CONTENT[:6000])
    with server(Served()) as served:
        path, _ = bring(served, tmp_path)
    assert served.asked == ["bytes=6000-"]
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["data.zip"]


def test_server_that_sends_no_ranges_sends_all_again(tmp_path):
    put_part(tmp_path, CONTENT[:6000])
    with server(Served(ranges=False)) as served:
        path, _ = bring(served, tmp_path)
    assert path.read_bytes() == CONTENT


def test_file_that_changed_since_its_first_half_is_brought_anew(tmp_path):
    put_part(tmp_path, b"x" * 6000, etag='"v0"')
    with server(Served()) as served:
        path, _ = bring(served, tmp_path)
    assert path.read_bytes() == CONTENT


def test_part_without_a_known_version_is_brought_anew(tmp_path):
    (tmp_path / "data.zip.part").write_bytes(b"x" * 6000)
    with server(Served()) as served:
        path, _ = bring(served, tmp_path)
    assert served.asked == [None]
    assert path.read_bytes() == CONTENT


def test_part_that_is_complete_is_not_sent_again(tmp_path):
    put_part(tmp_path, CONTENT)
    with server(Served()) as served:
        path, _ = bring(served, tmp_path)
    assert served.asked == [f"bytes={len(CONTENT)}-"]
    assert path.read_bytes() == CONTENT


def test_part_longer_than_the_file_is_brought_anew(tmp_path):
    put_part(tmp_path, CONTENT + b"more")
    with server(Served()) as served:
        path, _ = bring(served, tmp_path)
    assert path.read_bytes() == CONTENT


def test_broken_connections_are_taken_up_again_within_one_call(tmp_path):
    with server(Served(break_after=[4000, 3000])) as served:
        path, _ = bring(served, tmp_path)
    assert served.asked == [None, "bytes=4000-", "bytes=7000-"]
    assert path.read_bytes() == CONTENT


def test_connection_that_makes_no_headway_is_given_up_and_its_part_kept(tmp_path):
    with (
        server(Served(ranges=False, break_after=[4000, 4000])) as served,
        pytest.raises(FetchError, match="4,000 of 10,240 bytes came.*4,000 bytes are kept in"),
    ):
        bring(served, tmp_path)
    assert (tmp_path / "data.zip.part").stat().st_size == 4000


def test_answer_other_than_success_is_said(tmp_path):
    with server(Served()) as served:
        served.url = served.url.replace("data.zip", "other.zip")
        with pytest.raises(FetchError, match="other.zip: the server answered 404 Not Found"):
            bring(served, tmp_path)


def test_server_that_is_not_there_is_said(tmp_path):
    with server(Served()) as served:
        pass
    with pytest.raises(FetchError, match="the server cannot be reached"):
        bring(served, tmp_path)


def test_first_download_without_a_published_digest_is_noted_and_said(tmp_path):
    with server(Served()) as served:
        _, said = bring(served, tmp_path, None)
        assert bring(served, tmp_path, None)[1] == []
    assert len(said) == 1
    assert "gives no digest" in said[0]
    assert SHA256 in said[0]
    assert (tmp_path / "data.zip.sha256").read_text() == f"{SHA256}\n"


def test_later_download_must_have_the_noted_digest(tmp_path):
    with server(Served()) as served:
        bring(served, tmp_path, None)
        (tmp_path / "data.zip").unlink()
        served.content = CONTENT[::-1]
        with pytest.raises(
            FetchError, match=f"expected {SHA256}.*To accept a changed file, remove"
        ):
            bring(served, tmp_path, None)
    assert names(tmp_path) == ["data.zip.part.version", "data.zip.sha256"]


def test_folder_that_cannot_be_made_says_how_to_choose_another(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match="cannot be made.*Set TRECS_CACHE"):
        download(RemoteFile("http://127.0.0.1:9/x"), tmp_path / "file/y", progress=False, say=str)
