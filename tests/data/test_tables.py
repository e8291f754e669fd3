"""Tables are read from every format without changing a value."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from trecs.data.tables import column_names, read_table
from trecs.errors import DataError

TEXTS = {
    "t.csv": "id,name\n007,x\n8,\n",
    "t.tsv": "id\tname\n007\tx\n8\t\n",
    "t.txt": "id;name\n007;x\n8;\n",
    "t.psv": "id|name\n007|x\n8|\n",
    "t.jsonl": '{"id": "007", "name": "x"}\n{"id": "8", "name": ""}\n',
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", TEXTS)
def test_text_formats_keep_strings(name: str, packed: bool, tmp_path: Path) -> None:
    content = TEXTS[name].encode()
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(content) if packed else content)
    assert column_names(path) == ["id", "name"]
    frame = read_table(path)
    assert frame["id"].tolist() == ["007", "8"]
    assert frame["name"].tolist() == ["x", ""]


def test_gzip_is_told_by_the_content(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(gzip.compress(TEXTS["t.csv"].encode()))
    assert read_table(path)["id"].tolist() == ["007", "8"]


def test_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"id,name\n1,a\n") + gzip.compress(b"2,b\n"))
    assert read_table(path)["id"].tolist() == ["1", "2"]


def test_parquet_keeps_types_and_gaps(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"id": ["007", None], "n": pd.array([1, None], dtype="Int64")}).to_parquet(path)
    frame = read_table(path)
    assert frame["id"].tolist() == ["007", pd.NA]
    assert frame["n"].tolist() == [1, pd.NA]


def test_named_columns_come_in_the_order_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n1,2,3\n")
    assert read_table(path, ["c", "a"]).to_dict("list") == {"c": ["3"], "a": ["1"]}


def test_an_absent_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"has no column 'z'; its columns are 'a', 'b'"):
        read_table(path, ["z"])


def test_byte_order_mark_carriage_returns_and_quotes_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfid,"the name"\r\n1,"a, ""b""\nc"\r\n')
    assert read_table(path).to_dict("list") == {"id": ["1"], "the name": ['a, "b"\nc']}


def test_blanks_after_each_delimiter_are_no_part_of_the_cells(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user_id, item_id, timestamp, rating\nu 1, i1 , 10, 3\nu2, i2, 20, \n")
    frame = read_table(path, ["user_id", "item_id", "rating"])
    assert frame.to_numpy().tolist() == [["u 1", "i1", "3"], ["u2", "i2", ""]]
    # Where the header has none, they may be meant.
    path.write_text("user_id,item_id\nu1, i1\n")
    assert read_table(path, ["item_id"])["item_id"].tolist() == [" i1"]


def test_an_index_column_without_a_name_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(",id\n0,007\n")
    assert list(read_table(path)) == ["id"]


def test_header_only_is_a_table_without_rows(tmp_path: Path) -> None:
    for number, content in enumerate(["a,b", "a,b\n"]):
        path = tmp_path / f"{number}.csv"
        path.write_text(content)
        assert read_table(path).shape == (0, 2)


def test_json_strings_that_look_like_times_stay_strings(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": "2024-05-01"}\n{"id": "2024-05-02"}\n')
    assert read_table(path)["id"].tolist() == ["2024-05-01", "2024-05-02"]


def test_json_lines_may_lack_a_key_or_hold_a_list(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": "a", "tags": ["x", "y"]}\n\n{"id": "b", "n": 1}\n')
    frame = read_table(path)
    assert frame["n"].tolist() == [pd.NA, 1]
    assert list(frame["tags"].iloc[0]) == ["x", "y"]


def test_json_values_that_start_as_null_may_be_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": "a", "n": null}\n' * 1500 + '{"id": "b", "n": 1}\n')
    assert read_table(path)["n"].tolist()[-1] == 1


def test_texts_of_several_lines_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    texts = ["One line", "First, then\nsecond, and third\nlast", 'A "quoted", one\n\nand more\n']
    rows = [f'i{n},"{text.replace(chr(34), 2 * chr(34))}",x' for n, text in enumerate(texts)]
    path.write_text("\n".join(["item_id,description,genres", *rows]) + "\n", encoding="utf-8")

    assert read_table(path, ["description"])["description"].tolist() == texts


def test_bytes_of_a_column_that_is_not_read_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(b'item_id,title,note\na,"One\ntwo",\xe9t\xe9\nb,Three,x\n')

    assert read_table(path, ["title"])["title"].tolist() == ["One\ntwo", "Three"]


def test_texts_of_two_lines_with_commas_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,a,b,text\n1,x,y,"Sweet, soft\nand good, very"\n2,x,y,"One\ntwo, three"\n')
    assert read_table(path)["text"].tolist() == ["Sweet, soft\nand good, very", "One\ntwo, three"]


def test_json_keys_of_late_lines_are_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": "a"}\n' * 1500 + '{"id": "b", "rating": 4}\n')
    assert column_names(path) == ["id", "rating"]
    assert read_table(path)["rating"].tolist()[-1] == 4
    path.write_text('{"id": "a", "stars": 4}\n')
    assert column_names(path) == ["id", "stars"]


def test_json_values_of_a_key_that_is_not_read_may_change_their_type(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"id": "a", "n": 1, "l": ["x"], "meta": {"price": 1}}\n'
        '{"id": "b", "n": 2.5, "l": [], "meta": {"price": "1"}}\n{"id": "c", "meta": []}\n'
    )
    frame = read_table(path, ["id", "n", "l"])
    assert frame["id"].tolist() == ["a", "b", "c"]
    assert frame["n"].tolist()[:2] == [1, 2.5]
    assert [list(value) for value in frame["l"].tolist()[:2]] == [["x"], []]
    with pytest.raises(DataError, match="the values of 'meta' in .* change their type: line 1 has"):
        read_table(path)
