"""`trecs refresh` and `trecs export --items`: paths to standard output, news to standard error."""

from __future__ import annotations

from pathlib import Path

import pytest
from serving_process import copy_version
from serving_shop import Shop
from shop_world import shop_items

from trecs.cli import main


def test_refresh_prints_the_version_and_says_what_is_new(shop: Shop, tmp_path: Path, capsys):
    model, events = copy_version(shop, tmp_path / "shop", 1).parent, tmp_path / "events.csv"
    events.write_text(
        "user_id,item_id,timestamp\nu1,i2,2021-03-01T10:00:00Z\nv,brand,2021-03-02T00:00:00Z\n"
    )
    command = ["refresh", str(model), "--events", str(events)]

    assert main([*command, "--at", "2021-03-02T00:00:00Z"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{model / '2'}\n"
    assert "1 new event, 0 new items, 0 items no longer offered" in said.err
    assert "trend as of 2021-03-02T00:00:00Z" in said.err
    assert main([*command, "--at", "2021-03-02T00:00:00Z", "--keep", "1"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{model / '2'}\n"
    assert "version 1 is removed: 1 stay" in said.err
    assert not (model / "1").exists()
    assert "all events are known already: version 2 stays the newest" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "a refresh needs newer events or an items file, but neither came"),
        (["--events", "nowhere.csv"], 1, "nowhere.csv"),
        (["--events", "nowhere.csv", "--keep", "0"], 2, "--keep must be 1 or more versions, got 0"),
        (["--events", "nowhere.csv", "--at", "soon"], 2, "a time must be ISO 8601"),
    ],
)
def test_bad_usage_is_told_with_its_exit_code(
    shop: Shop, tmp_path: Path, capsys, arguments: list[str], code: int, message: str
):
    model = copy_version(shop, tmp_path / "shop", 1).parent
    assert main(["refresh", str(model), *arguments]) == code
    assert message in capsys.readouterr().err


def test_export_takes_the_catalogue_as_it_is_now(shop: Shop, tmp_path: Path, capsys):
    items = tmp_path / "items.csv"
    shop_items().iloc[1:].to_csv(items, index=False)
    command = ["export", str(shop.run.directory), "--to", str(tmp_path / "m"), "-k", "5"]

    assert main([*command, "--items", str(items)]) == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'm' / '1'}\n"
    assert "0 new events, 0 new items, 1 item no longer offered" in said.err
