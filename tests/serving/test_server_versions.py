"""Versions come and go beneath a running server, and no request is lost."""

from __future__ import annotations

import gc
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from serving_process import SETTINGS, copy_version, http, serving
from serving_shop import Shop
from tensorflow.python.framework.func_graph import FuncGraph

from trecs.errors import UsageError
from trecs.serving import Client, server_versions
from trecs.serving.server import Server
from trecs.serving.server_settings import ServerSettings
from trecs.serving.server_versions import ModelVersions


def _until(true: Callable[[], bool]) -> None:
    # Long, for a machine that does much else.
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, "it did not happen within 120 s"
        time.sleep(0.02)


def _served(server: Server) -> int:
    return server.versions.get("shop").number


def test_a_swap_under_load_loses_no_request(shop: Shop, tmp_path: Path):
    expected = shop.recommend(["u2"], [[]], [shop.as_of_s])[0][0][:10]
    errors: list[Exception] = []
    answered: dict[int, int] = {}
    done = threading.Event()

    def ask(address: str, number: int) -> None:
        # No retries: a lost request would show, and ends the thread.
        with closing(Client(address, "shop", retries=0, timeout_s=30)) as client:
            try:
                while not done.is_set():
                    found = client.recommend("u2", [], shop.as_of_s)
                    assert [item.item_id for item in found] == expected
                    answered[number] = answered.get(number, 0) + 1
            except Exception as error:
                errors.append(error)

    with serving(shop, tmp_path / "shop") as server:
        addresses = [f"http://127.0.0.1:{server.rest_port}", f"grpc://127.0.0.1:{server.grpc_port}"]
        threads = [threading.Thread(target=ask, args=(addresses[n % 2], n)) for n in range(6)]
        for thread in threads:
            thread.start()
        try:
            for number in (2, 10):
                copy_version(shop, tmp_path / "shop", number)
                _until(lambda number=number: _served(server) == number)
            shutil.rmtree(tmp_path / "shop" / "1")
            time.sleep(0.3)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        states = http(server, "/v1/models/shop")[1]["model_version_status"]

    assert errors == []
    assert len(answered) == 6
    assert min(answered.values()) > 5
    assert [(s["version"], s["state"]) for s in states] == [
        ("10", "AVAILABLE"),
        ("2", "END"),
        ("1", "END"),
    ]


def test_a_version_that_does_not_load_is_reported_and_passed_over(shop: Shop, tmp_path: Path):
    with serving(shop, tmp_path / "shop") as server:
        (tmp_path / "shop" / ".partial-3").mkdir()
        (tmp_path / "shop" / "2").mkdir()
        (tmp_path / "shop" / "2" / "saved_model.pb").write_bytes(b"not a graph")
        _until(lambda: http(server, "/v1/models/shop/versions/2")[0] == 200)
        _until(lambda: "END" in str(http(server, "/v1/models/shop/versions/2")))
        status = http(server, "/v1/models/shop/versions/2")[1]["model_version_status"][0]

        assert status["status"]["error_code"] == "UNKNOWN"
        assert "saved_model.pb" in status["status"]["error_message"]
        assert _served(server) == 1
        assert http(server, "/v1/models/shop/versions/3")[0] == 404


def test_removing_the_newest_version_goes_back_to_the_one_before(shop: Shop, tmp_path: Path):
    copy_version(shop, tmp_path / "shop", 1)
    with serving(shop, tmp_path / "shop", number=2) as server:
        assert _served(server) == 2
        shutil.rmtree(tmp_path / "shop" / "2")
        _until(lambda: _served(server) == 1)
        shutil.rmtree(tmp_path / "shop" / "1")
        time.sleep(0.3)
        # With nothing left, what is loaded is still better than no answer.
        assert _served(server) == 1
        address = f"http://127.0.0.1:{server.rest_port}"
        assert len(Client(address, "shop").recommend("u2", [], shop.as_of_s)) == 10


def test_a_version_that_is_copied_in_file_by_file_is_served_once_it_is_whole(
    shop: Shop, tmp_path: Path
):
    copy_version(shop, tmp_path / "shop", 1)
    versions = ModelVersions(tmp_path / "shop", "shop", poll_s=3600)
    slow = tmp_path / "shop" / "2"
    slow.mkdir()
    shutil.copy2(shop.version / "saved_model.pb", slow)
    versions.look()
    assert versions.get("shop").number == 1
    assert versions.status("shop", 2)[2].state == "END"
    # As rsync does, with the files' own times.
    for name in ("variables", "assets", "assets.extra"):
        if (shop.version / name).exists():
            shutil.copytree(shop.version / name, slow / name)
    versions.look()
    assert versions.get("shop").number == 2
    versions.close()


def _num_graphs() -> int:
    return sum(isinstance(thing, FuncGraph) for thing in gc.get_objects())


def test_what_does_not_load_is_given_back(shop: Shop, tmp_path: Path):
    """A graph is a hundred megabytes at times, which would stay with each try."""
    copy_version(shop, tmp_path / "shop", 1)
    versions = ModelVersions(tmp_path / "shop", "shop", poll_s=0.05)
    half = tmp_path / "shop" / "2"
    half.mkdir()
    # Without its variables.
    shutil.copy2(shop.version / "saved_model.pb", half)
    _until(lambda: 2 in versions._failed)
    settled_at = time.monotonic() + 1.5
    _until(lambda: time.monotonic() > settled_at)
    versions.close()
    before = _num_graphs()
    gc.collect()
    # Of the half that was loaded, 41 would be found here.
    assert before - _num_graphs() < 20


def test_the_watch_outlives_a_look_that_fails(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copy_version(shop, tmp_path / "shop", 1)
    versions = ModelVersions(tmp_path / "shop", "shop", poll_s=0.05)
    failed = threading.Event()

    def stale(_folder):
        failed.set()
        raise OSError("stale file handle")

    with monkeypatch.context() as patched:
        patched.setattr(server_versions, "_graph", stale)
        assert failed.wait(10)
    copy_version(shop, tmp_path / "shop", 2)
    _until(lambda: versions.get("shop").number == 2)
    versions.close()


def test_a_version_exported_again_under_its_number_takes_over(shop: Shop, tmp_path: Path):
    copy_version(shop, tmp_path / "shop", 1)
    versions = ModelVersions(tmp_path / "shop", "shop", poll_s=3600)
    first = versions.get("shop")
    versions.look()
    assert versions.get("shop") is first
    shutil.rmtree(tmp_path / "shop" / "1")
    versions.look()
    assert versions.get("shop") is first
    broken = tmp_path / "shop" / "1"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"not a graph")
    versions.look()
    assert versions.get("shop") is first
    assert versions.status("shop")[1].state == "AVAILABLE"
    assert "saved_model.pb" in versions.status("shop")[1].error
    shutil.rmtree(broken)
    copy_version(shop, tmp_path / "shop", 1)
    versions.look()
    assert versions.get("shop") is not first
    assert versions.status("shop")[1].state == "AVAILABLE"
    versions.close()


def test_requests_under_way_are_answered_when_the_server_stops(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # A long window, so that the requests are still waiting when the stop comes.
    settings = ServerSettings(rest_port=0, grpc_port=0, batch_window_s=2.0)
    found: list[int] = []
    queued: list[str] = []

    def ask(address: str) -> None:
        client = Client(address, "shop", retries=0)
        found.append(len(client.recommend("u2", [], shop.as_of_s)))

    with serving(shop, tmp_path / "shop", settings) as server:
        submit = server._batcher.submit

        def counted(version, signature, inputs, timeout_s):
            queued.append(signature)
            return submit(version, signature, inputs, timeout_s)

        monkeypatch.setattr(server._batcher, "submit", counted)
        addresses = [f"http://127.0.0.1:{server.rest_port}", f"grpc://127.0.0.1:{server.grpc_port}"]
        threads = [threading.Thread(target=ask, args=(address,)) for address in addresses]
        for thread in threads:
            thread.start()
        _until(lambda: len(queued) == 2)
    for thread in threads:
        thread.join()
    assert found == [10, 10]


def test_a_folder_without_a_version_is_an_error(tmp_path: Path):
    with pytest.raises(UsageError, match="there is none"):
        ModelVersions(tmp_path, "shop", SETTINGS.poll_s)
    with pytest.raises(UsageError, match="expected a folder of numbered versions, got .*missing"):
        ModelVersions(tmp_path / "missing", "shop", SETTINGS.poll_s)
