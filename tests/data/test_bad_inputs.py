"""Every file that cannot be used says what was expected, what came and the way out."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trecs.data.dataset import load_dataset
from trecs.errors import DataError

HEADER = "user_id,item_id,timestamp,rating\n"
GOOD = HEADER + "u1,i1,893286600,4\nu2,i2,893286700,3\nu1,i2,893286800,5\n"
GOOD_ITEMS = "item_id,title\ni1,One\ni2,Two\n"


@dataclass(frozen=True)
class Case:
    """One bad input: the bytes of the events file and, where it matters, of the items file."""

    name: str
    expected: tuple[str, ...]
    events: str | bytes | None = GOOD
    file: str = "events.csv"
    items: str | bytes | None = None
    items_file: str = "items.csv"
    options: dict[str, object] = field(default_factory=dict)


def rows(*lines: str) -> str:
    return HEADER + "\n".join(lines) + "\n"


def parquet(**columns: object) -> bytes:
    return bytes(pd.DataFrame(columns).to_parquet(index=False))


EVENT_CASES = [
    # Columns
    Case(
        "missing columns are all named with their options",
        (
            r"1\. no column looks like the user_id; the columns are 'who', 'what', 'when'; "
            r"name the right one with user_column \(--user-column\), or call it 'user_id'",
            r"2\. no column looks like the item_id; .* item_column \(--item-column\), or call",
            r"3\. no column looks like the timestamp; .* \(--timestamp-column\), or call it",
        ),
        events="who,what,when\nu1,i1,893286600\n",
    ),
    Case(
        "ambiguous columns",
        (
            r"'product_id', 'movie_id' could each be the item_id; "
            r"say which with item_column \(--item-column\), or call it 'item_id'",
        ),
        events="user_id,product_id,movie_id,timestamp\nu1,i1,m1,893286600\n",
    ),
    Case(
        "a named column that is not there, with the nearest name",
        (
            r"there is no column 'user_idd' \(did you mean 'user_id'\?\), "
            r"which user_column \(--user-column\) names; the columns are 'user_id', 'item_id'",
        ),
        options={"user_column": "user_idd"},
    ),
    Case(
        "one column for two roles",
        (r"the column 'item_id' was taken for user_id and item_id; name another column",),
        options={"user_column": "item_id"},
    ),
    Case(
        "a first line of data",
        (
            r"the first line, '196', '242', '3', '881250949', looks like data, "
            "not like a header; put",
        ),
        events="196\t242\t3\t881250949\n186\t302\t3\t891717742\n",
        file="u.data",
    ),
    Case(
        "a first line of data with a long text",
        (r"'7', 'It does what it is supposed to; it wo\.\.\.', '1393545600', looks like data",),
        events='u1,7,"It does what it is supposed to; it works, and it is cheap",1393545600\n',
    ),
    Case(
        "duplicated header names",
        (r"the header of .*events\.csv names 'item_id' more than once; rename the others",),
        events="user_id,item_id,item_id,timestamp\nu1,i1,i1,893286600\n",
    ),
    # Missing and broken values
    Case(
        "empty user ids, with the first rows and the count",
        (
            r"rows are counted from 1, without the header",
            r"4 of 5 ids in 'user_id' are missing "
            r"\(row 1: '', row 2: '', row 4: 'nan' and 1 more\); remove these rows or give",
        ),
        events=rows(",i1,1e9,1", ",i2,1e9,1", "u1,i1,1e9,1", "nan,i1,1e9,1", "None,i1,1e9,1"),
    ),
    Case(
        "null item ids in Parquet",
        (r"1 of 2 ids in 'item_id' are missing \(row 2: None\)",),
        events=parquet(user_id=["u", "v"], item_id=["i", None], timestamp=[893286600, 893286601]),
        file="events.parquet",
    ),
    Case(
        "missing times",
        (r"1 of 2 times in 'timestamp' are missing \(row 2: ''\); remove these rows",),
        events=rows("u1,i1,893286600,1", "u2,i1,,1"),
    ),
    Case(
        "problems of several columns are reported together",
        (
            r"1\. 1 of 2 ids in 'user_id' are missing \(row 1: ''\)",
            r"2\. 1 of 2 times in 'timestamp' cannot be read \(row 2: 'soon'\)",
            r"3\. 1 of 2 ratings in 'rating' are not numbers \(row 1: 'good'\)",
        ),
        events=rows(",i1,893286600,good", "u2,i1,soon,1"),
    ),
    Case(
        "a missing column does not hide the problems of the others",
        (r"1\. no column looks like the item_id", r"2\. 1 of 2 ids in 'user_id' are missing"),
        events="user_id,thing,timestamp\n,a,893286600\nu2,b,893286601\n",
    ),
    Case(
        "fractional ids",
        (
            r"1 of 2 ids in 'user_id' are not whole numbers below 2\^53 \(row 2: 1\.5\); "
            r"floating-point ids lose digits, write them as strings or whole numbers",
        ),
        events=parquet(user_id=[1.0, 1.5], item_id=["i", "j"], timestamp=[893286600, 893286601]),
        file="events.parquet",
    ),
    Case(
        "long ids that JSON numbers have already rounded",
        (r"2 of 2 ids in 'user_id' are not whole numbers below 2\^53 \(row 1: 1\.84",),
        events='{"user_id": 18446744073709551615, "item_id": "i", "timestamp": 893286600}\n' * 2,
        file="events.jsonl",
    ),
    Case(
        "ids of a type that names nothing",
        (r"the ids in 'item_id' are of type bool, not strings or whole numbers; convert",),
        events=parquet(user_id=["u", "v"], item_id=[True, False], timestamp=[893286600, 893286601]),
        file="events.parquet",
    ),
    Case(
        "an opening quote that swallows rows",
        (r"1 cell of .* seem to hold whole rows \(row 2, 'user_id': .*never closed",),
        events='user_id,item_id,timestamp\nu1,i1,893286600\n"u2,i1,893286601\nu3",i2,893286602\n',
    ),
    Case(
        "stray quotes in a column of two rows",
        (r"1 cell of .* seem to hold whole rows \(row 1, 'query': 'cheap phone,89.*never closed",),
        events='user_id,item_id,query,timestamp\nu1,i1,"cheap phone,893286600\n'
        'u2,i2,"cheap phone,893286999\nu3,i3,x,893286602\n',
    ),
    Case(
        "an id of two lines",
        (r"1 of 2 ids in 'user_id' hold a line break \(row 2: .*never closed",),
        events='user_id,item_id,timestamp\nu1,i1,893286600\n"u 2\nu3",i2,893286602\n',
    ),
    Case(
        "ids of 32-bit floats",
        (r"1 of 2 ids in 'user_id' are not whole numbers below 2\^24 \(row 2: ",),
        events=parquet(
            user_id=np.array([7, 16_777_217], np.float32),
            item_id=["a", "b"],
            timestamp=[893286600, 893286601],
        ),
        file="events.parquet",
    ),
    Case(
        "times of 32-bit floats",
        (r"the times in 'timestamp' are floats of 32 bits, which are minutes off",),
        events=parquet(
            user_id=["u", "v"],
            item_id=["a", "b"],
            timestamp=np.array([1_700_000_050, 1_700_000_060], np.float32),
        ),
        file="events.parquet",
    ),
    Case(
        "a quote in a column that is not read",
        (
            r"1 cell of .* seem to hold whole rows \(row 2, 'query': 'cheap phone\\nu3\\ti1.*never "
            r"closed; write a quote inside a cell as two",
        ),
        events="user_id\titem_id\ttimestamp\tquery\nu1\ti1\t893286600\tq\n"
        'u2\ti1\t893286601\t"cheap phone\nu3\ti1\t893286602\tq\nu3\ti2\t893286603\tq\n',
        file="events.tsv",
    ),
    Case(
        "two quotes that swallow the rows between",
        (r"1 cell of .* seem to hold whole rows \(row 1, 'query': 'tv",),
        events="user_id,query,item_id,timestamp\n"
        'u1,"tv,i1,893286600\nu2,q,i1,893286601\nu3,q,i2,893286602\nu3,",i3,893286603\n',
    ),
    Case(
        "times that are dates written as numbers",
        (r"look like YYYYMMDDhhmm \(row 1: 202301011200.*write ISO 8601",),
        events=rows("u1,i1,202301011200,1", "u1,i2,202301021200,1", "u2,i1,202302011200,1"),
    ),
    # Times
    Case(
        "unparsable times",
        (
            r"2 of 3 times in 'timestamp' cannot be read "
            r"\(row 1: 'yesterday', row 3: '13/01/2020'\); "
            r"write epoch numbers or ISO 8601 such as 2024-05-01T12:00:00Z",
        ),
        events=rows("u1,i1,yesterday,1", "u1,i2,2020-01-13,1", "u2,i1,13/01/2020,1"),
    ),
    Case(
        "numbers and dates in one column",
        (
            r"the times in 'timestamp' mix 1 numbers \(row 1: '893286600'\) and 1 dates "
            r"\(row 2: '2020-01-13'\); write all of them in one way",
        ),
        events=rows("u1,i1,893286600,1", "u1,i2,2020-01-13,1"),
    ),
    Case(
        "mixed units",
        (
            r"the times in 'timestamp' mix units: "
            r"2 look like s \(row 1: 893286600, row 3: 893286602\), "
            r"1 look like ms \(row 2: 893286601000\); convert them to one unit",
        ),
        events=rows("u1,i1,893286600,1", "u1,i2,893286601000,1", "u2,i1,893286602,1"),
    ),
    Case(
        "negative times",
        (r"1 of 2 times in 'timestamp' are before 1970 \(row 2: -5\); remove these rows",),
        events=rows("u1,i1,893286600,1", "u1,i2,-5,1"),
    ),
    Case(
        "dates before 1970",
        (r"1 of 2 times in 'timestamp' are before 1970 \(row 2: '1969-12-31'\)",),
        events=rows("u1,i1,1998-04-01,1", "u1,i2,1969-12-31,1"),
    ),
    Case(
        "far-future times",
        (
            r"1 of 2 times in 'timestamp' are in the future \(row 2: 4102444800\); "
            r"read in s they reach 2100-01-01T00:00:00Z; correct them",
        ),
        events=rows("u1,i1,893286600,1", "u1,i2,4102444800,1"),
    ),
    Case(
        "far-future dates",
        (r"1 of 2 times in 'timestamp' are in the future \(row 1: '2100-01-01T00:00:00Z'\)",),
        events=rows("u1,i1,2100-01-01T00:00:00Z,1", "u1,i2,1998-04-01,1"),
    ),
    Case(
        "times beyond all bounds",
        (r"1 of 2 times in 'timestamp' are in the future \(row 1: 1e\+29\)",),
        events=rows(f"u1,i1,1{29 * '0'},1", "u1,i2,893286600,1"),
    ),
    Case(
        "milliseconds called seconds",
        (
            r"2 of 2 times in 'timestamp' are in the future \(row 1: 893286600000, .*"
            r"set timestamp_unit \(--timestamp-unit\) if the unit is another",
        ),
        events=rows("u1,i1,893286600000,1", "u1,i2,893286601000,1"),
        options={"timestamp_unit": "s"},
    ),
    Case(
        "zero as a time among others",
        (r"1 of 2 times in 'timestamp' are before 1971 if they are s like the others \(row 2: 0",),
        events=rows("u1,i1,893286600,1", "u1,i2,0,1"),
    ),
    Case(
        "a unit that cannot be told shows the range",
        (
            r"the unit of the times in 'timestamp' cannot be told: they run from 3 to 20240101, "
            r"which lies between 1971 and now in none of s, ms, us, ns; set timestamp_unit",
        ),
        events=rows("u1,i1,20240101,1", "u1,i2,3,1"),
    ),
    Case(
        "a unit of an unknown name",
        (r"the unit of the times must be one of s, ms, us, ns, but 'minutes' came; set",),
        options={"timestamp_unit": "minutes"},
    ),
    Case(
        "infinite times",
        (r"1 of 2 times in 'timestamp' are infinite \(row 2: inf\)",),
        events=parquet(user_id=["u", "v"], item_id=["i", "j"], timestamp=[893286600, float("inf")]),
        file="events.parquet",
    ),
    Case(
        "times of a type that is no time",
        (r"the times in 'timestamp' are of type bool; write epoch numbers or ISO 8601",),
        events=parquet(user_id=["u", "v"], item_id=["i", "j"], timestamp=[True, False]),
        file="events.parquet",
    ),
    Case(
        "ids of blanks",
        (r"1 of 2 ids in 'item_id' are missing \(row 2: '  '\)",),
        events=rows("u1,i1,893286600,1", "u1,  ,893286601,2"),
    ),
    # Ratings
    Case(
        "infinite ratings",
        (
            r"1 of 2 ratings in 'rating' are infinite \(row 2: 'inf'\); correct them, or take no "
            r"rating with rating_column \(--rating-column\) none",
        ),
        events=rows("u1,i1,893286600,1", "u1,i2,893286601,inf"),
    ),
    Case(
        "text ratings",
        (r"1 of 2 ratings in 'rating' are not numbers \(row 1: 'five stars'\)",),
        events=rows("u1,i1,893286600,five stars", "u1,i2,893286601,2"),
    ),
    # Files
    Case(
        "a missing path",
        (r"there is no file .*events\.csv; the nearest directory that exists is .*check",),
        events=None,
    ),
    Case(
        "an empty file", (r"events\.csv is empty \(0 bytes\); a header line and rows",), events=""
    ),
    Case(
        "blank lines only",
        (r"the first line of .*events\.csv is empty, but must be",),
        events="\n\n",
    ),
    Case(
        "a header without rows",
        (r"events\.csv is no usable event log:\n  1\. it has a header but no rows; one row",),
        events=HEADER,
    ),
    Case(
        "the delimiter ::",
        (
            r"events\.dat is delimited by '::' \(its first line is '1::1193::5::978300760'\), "
            r"but one character of comma, tab, ; or \| is needed; convert it with: sed",
        ),
        events="1::1193::5::978300760\n1::661::3::978302109\n",
        file="events.dat",
    ),
    Case(
        "columns separated by spaces",
        (r"'user_id item_id timestamp', holds none of the delimiters comma, tab, ; and \|",),
        events="user_id item_id timestamp\nu1 i1 893286600\n",
    ),
    Case(
        "rows delimited otherwise than the header",
        (r"2 rows of .* without the 3 cells of its header \(row 1 has 1, row 2 has 1;",),
        events="user_id,item_id,timestamp\nu1;i1;893286600\nu2;i1;893286601\n",
    ),
    Case(
        "ragged rows",
        (
            r"2 rows of .*events\.csv without the 4 cells of its header "
            r"\(row 2 has 5, row 3 has 2; rows are counted from 1, without the header\); "
            r"quote the cells that hold the delimiter ',', and close every quote",
        ),
        events=rows("u1,i1,893286600,1", "u1,i,2,893286601,2", "u1,i1"),
    ),
    Case(
        "an opening quote that swallows the whole file",
        (r"events\.csv cannot be parsed .*; look for a quote that is never closed",),
        events=HEADER + '"u1,i1,1,1\n' + "u1,i1,893286600,1\n" * 10_000,
    ),
    Case(
        "Latin-1 bytes",
        (
            r"events\.csv is not UTF-8: byte 0xe9 at place 4 of line 3, after 'caf'; "
            r"convert it, for example with: iconv -f latin1 -t utf-8",
        ),
        events=rows("u1,i1,893286600,1").encode() + b"caf\xe9,i1,893286600,1\n",
    ),
    Case(
        "Latin-1 bytes in the header",
        (r"events\.csv is not UTF-8: byte 0xe9 at place 5 of line 1, after 'usag'",),
        events=b"usag\xe9r,item_id,timestamp\nu1,i1,893286600\n",
    ),
    Case(
        "Latin-1 bytes in a ragged row",
        (r"events\.csv is not UTF-8: byte 0xe9 at place 4 of line 2",),
        events=HEADER.encode() + b"caf\xe9,i1\n",
    ),
    Case(
        "a packed file under the name of CSV",
        (r"events\.csv is no UTF-8 text: its first line, b'PK.*', holds zero bytes; unpack it",),
        events=b"PK\x03\x04\x14\x00\x00\x00\n",
    ),
    Case(
        "lines that end by carriage returns alone",
        (r"events\.csv ends its lines by carriage returns alone \(its first line is 'user_id,",),
        events=GOOD.replace("\n", "\r"),
    ),
    Case(
        "UTF-16",
        (r"events\.csv is no UTF-8 text: .* holds zero bytes; .*iconv -f utf-16 -t utf-8",),
        events=GOOD.encode("utf-16"),
    ),
    Case(
        "a name that says gzip and a content that does not",
        (r"events\.csv\.gz is named \.gz but is not gzip \(it starts with the bytes 75 73 65 72",),
        file="events.csv.gz",
    ),
    Case(
        "a truncated gzip file",
        (r"events\.csv\.gz is a broken gzip file \(Compressed file ended before .*download",),
        events=gzip.compress(GOOD.encode())[:-12],
        file="events.csv.gz",
    ),
    Case(
        "Parquet under the name of CSV",
        (r"events\.csv is a Parquet file; rename it to events\.parquet",),
        events=parquet(user_id=["u"], item_id=["i"], timestamp=[893286600]),
    ),
    Case(
        "CSV under the name of Parquet",
        (r"events\.parquet cannot be read as Parquet \(.*give it the ending of its real format",),
        file="events.parquet",
    ),
    Case(
        "corrupt Parquet",
        (r"events\.parquet cannot be read as Parquet \(.*download or write it again",),
        events=parquet(user_id=["u"], item_id=["i"], timestamp=[893286600])[:-60],
        file="events.parquet",
    ),
    Case(
        "Parquet inside gzip",
        (r"events\.parquet\.gz is a Parquet file inside gzip; unpack it with gunzip",),
        file="events.parquet.gz",
    ),
    Case(
        "an unknown ending",
        (r"the format of .*events\.xlsx cannot be told by its ending '\.xlsx'; write CSV, TSV",),
        file="events.xlsx",
    ),
    Case(
        "a broken JSON line",
        (r"line 2 of .*events\.jsonl is no JSON object \(.*\): '\{\"user_id\": \"u2\",'; write",),
        events='{"user_id": "u1", "item_id": "i1", "timestamp": 893286600}\n{"user_id": "u2", \n',
        file="events.jsonl",
    ),
    Case(
        "a broken JSON line far from the head",
        (r"line 2001 of .*events\.jsonl is no JSON object .*: 'oops'; write one object a line",),
        events='{"user_id": "u1", "item_id": "i1", "timestamp": 893286600}\n' * 2000 + "oops\n",
        file="events.jsonl",
    ),
    Case(
        "a JSON array instead of lines",
        (r"events\.json is one JSON array \(it starts with .*\), but one object a line .*jq -c",),
        events=json.dumps([{"user_id": "u1", "item_id": "i1", "timestamp": 893286600}]),
        file="events.json",
    ),
    Case(
        "JSON lines that are no objects",
        (r"line 1 of .*events\.jsonl is a JSON int, not an object: '12'; write one object a line",),
        events="12\n13\n",
        file="events.jsonl",
    ),
    Case(
        "JSON ids that are now strings, now numbers",
        (
            r"the values of 'user_id' in .* change their type: line 1 has a string, "
            r"line 2 a number \(7\); write all of them alike, ids as strings",
        ),
        events='{"user_id": "007", "item_id": "i1", "timestamp": 893286600}\n'
        '{"user_id": 7, "item_id": "i1", "timestamp": 893286600}\n',
        file="events.jsonl",
    ),
    # Too little
    Case(
        "one event of one user",
        (
            r"1\. its 1 event has 1 user, but 2 at least are needed; use a longer log",
            r"2\. its 1 event has 1 item, but",
            r"3\. its 1 event has 1 different time, but",
        ),
        events=rows("u1,i1,893286600,1"),
    ),
    Case(
        "one user only",
        (r"its 2 events have 1 user, but 2 at least are needed; use a longer log, or check",),
        events=rows("u1,i1,893286600,1", "u1,i2,893286601,1"),
    ),
]

ITEM_CASES = [
    Case(
        "an items file without an id column",
        (r"items\.csv is no usable items file.*\n  1\. no column looks like the item_id",),
        items="name,colour\nOne,red\nTwo,blue\n",
    ),
    Case(
        "duplicate item ids",
        (r"1 of 3 rows repeat an item id in 'item_id' \(row 3: 'i1'\); keep one row an item",),
        items="item_id,title\ni1,One\ni2,Two\ni1,Three\n",
    ),
    Case(
        "an item without an id",
        (r"1 of 2 ids in 'item_id' are missing \(row 2: ''\)",),
        items="item_id,title\ni1,One\n,Two\n",
    ),
    Case(
        "items without rows for most events",
        (
            r"100\.0% of the events are of items without a row in the items file: 'i1', 'i2', "
            r"while the items file has '1', '2'; name the item column of both files",
        ),
        items="item_id,title\n1,One\n2,Two\n",
    ),
    Case(
        "a named text column that is absent",
        (r"there is no column 'plot', which text_columns names; the columns are 'title'",),
        items=GOOD_ITEMS,
        options={"text_columns": ["plot"]},
    ),
    Case(
        "a named category column that is absent",
        (r"there is no column 'genre', which category_columns names",),
        items=GOOD_ITEMS,
        options={"category_columns": ["genre"]},
    ),
    Case(
        "an items file without rows",
        (r"it has a header but no rows; one row an item",),
        items="item_id,title\n",
    ),
    Case(
        "an items file that is not there",
        (r"there is no file .*elsewhere\.csv",),
        options={"items": "elsewhere.csv"},
    ),
    Case(
        "problems of both files are reported together",
        (
            r"events\.csv is no usable event log .*\n  1\. 1 of 1 ids in 'user_id' are missing",
            r"items\.csv is no usable items file .*\n  1\. 1 of 2 rows repeat an item id",
        ),
        events=rows(",i1,893286600,1"),
        items="item_id,title\ni1,One\ni1,Two\n",
    ),
]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("case", EVENT_CASES + ITEM_CASES, ids=lambda case: case.name)
def test_bad_input_is_explained(case: Case, tmp_path: Path) -> None:
    if case.events is not None:
        write(tmp_path / case.file, case.events)
    options = dict(case.options)
    if case.items is not None:
        options["items"] = write(tmp_path / case.items_file, case.items)
    with pytest.raises(DataError, match=case.expected[0]) as caught:
        load_dataset(tmp_path / case.file, **options)
    for message in case.expected[1:]:
        assert re.search(message, str(caught.value))


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    write(tmp_path / "ratings.csv", GOOD)
    with pytest.raises(
        DataError, match=r"is a directory, but a file is needed; .*\(ratings\.csv\)"
    ):
        load_dataset(tmp_path)


def test_the_good_input_is_good(tmp_path: Path) -> None:
    events, items = write(tmp_path / "events.csv", GOOD), write(tmp_path / "items.csv", GOOD_ITEMS)
    dataset, _ = load_dataset(events, items)
    assert dataset.log.num_events == 3
    assert dataset.listed.all()
