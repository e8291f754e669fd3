"""Files before their content: does the path exist, which format is it, is it packed by gzip."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from trecs.errors import DataError

DELIMITED = ("csv", "tsv", "psv", "txt", "dat", "data", "inter", "item")
JSON_LINES = ("jsonl", "ndjson", "json")
PARQUET = ("parquet", "pq")

_GZIP_MAGIC = b"\x1f\x8b"
_PARQUET_MAGIC = b"PAR1"
_WAY_OUT = "write CSV, TSV, JSON Lines (each also .gz) or Parquet"


def file_format(path: Path) -> str:
    """The format by the name's ending: "delimited", "json lines" or "parquet".

    Raises:
        DataError: if there is no such file, it is empty, or its ending is unknown.
    """
    _require_file(path)
    endings = path.name.lower().split(".")[1:]
    packed = endings[-1:] == ["gz"]
    ending = (endings[:-1] if packed else endings)[-1:] or [""]
    for name, known in (("delimited", DELIMITED), ("json lines", JSON_LINES), ("parquet", PARQUET)):
        if ending[0] in known:
            if packed and name == "parquet":
                raise DataError(
                    f"{path} is a Parquet file inside gzip; unpack it with gunzip first "
                    "(Parquet compresses its own columns)"
                )
            return name
    raise DataError(
        f"the format of {path} cannot be told by its ending '{path.suffix}'; {_WAY_OUT}, with an "
        f"ending among {', '.join('.' + known for known in DELIMITED + JSON_LINES + PARQUET)}"
    )


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked where its content is gzip.

    Raises:
        DataError: inside the `with` block too, if the file cannot be read, its name says gzip but
            its content does not, or the gzip stream is broken.
    """
    try:
        with path.open("rb") as head:
            magic = head.read(4)
        if magic == _PARQUET_MAGIC:
            raise DataError(f"{path} is a Parquet file; rename it to {path.stem}.parquet")
        packed = magic.startswith(_GZIP_MAGIC)
        if path.suffix.lower() == ".gz" and not packed:
            raise DataError(
                f"{path} is named .gz but is not gzip (it starts with the bytes "
                f"{magic.hex(' ')}); remove .gz from its name or pack it with gzip"
            )
        with cast("IO[bytes]", gzip.open(path) if packed else path.open("rb")) as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path} is a broken gzip file ({error}); download or pack it again"
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); check its permissions") from error


def _require_file(path: Path) -> None:
    if path.is_dir():
        inside = sorted(entry.name for entry in path.iterdir())
        raise DataError(
            f"{path} is a directory, but a file is needed; name one file inside it "
            f"({', '.join(inside[:5]) or 'it is empty'})"
        )
    if not path.exists():
        near = path.parent
        while not near.is_dir():
            near = near.parent
        raise DataError(
            f"there is no file {path}; the nearest directory that exists is {near.resolve()}: "
            "check the spelling and where the command runs"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); a header line and rows are needed")
