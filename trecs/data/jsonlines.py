"""JSON Lines: one object a line; strings stay strings, also those that look like times."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.json

from trecs.data.files import open_bytes
from trecs.errors import DataError

_BLOCK_BYTES = 1 << 24
# Enough lines to see every usual key, and whether its values are strings.
_HEAD_LINES = 1000


def json_names(path: Path) -> list[str]:
    """The keys of the first lines, in order of appearance.

    Raises:
        DataError: if the file is no JSON Lines, with the first broken line.
    """
    return list(_head(path))


def read_json_lines(path: Path, columns: Sequence[str]) -> pa.Table:
    """The named columns; a key that a line lacks is null.

    Raises:
        DataError: if a line is no JSON object or a key's values change their type.
    """
    # Left to itself, Arrow reads strings such as "2024-05-01" as times, also where they are ids.
    text = [name for name, kinds in _head(path).items() if kinds == {str}]
    try:
        with open_bytes(path) as file:
            table = pa.json.read_json(
                file,
                read_options=pa.json.ReadOptions(block_size=_BLOCK_BYTES),
                parse_options=pa.json.ParseOptions(
                    explicit_schema=pa.schema([(name, pa.string()) for name in text])
                ),
            )
        table.validate(full=True)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise DataError(_line_problem(path, str(error))) from error
    return table.select(list(columns))


def _head(path: Path) -> dict[str, set[type]]:
    """The keys of the first lines, each with the types of its values there that are not null."""
    keys: dict[str, set[type]] = {}
    with open_bytes(path) as file:
        for number, line in enumerate(itertools.islice(file, _HEAD_LINES), start=1):
            if line.strip():
                for key, value in _parse(path, number, line).items():
                    keys.setdefault(key, set()).update({type(value)} - {type(None)})
    if not keys:
        raise DataError(f"{path} is empty; one JSON object a line is needed")
    return keys


def _parse(path: Path, number: int, line: bytes) -> dict[str, object]:
    text = line[:60].decode("utf-8", "replace").strip()
    if number == 1 and text.startswith("["):
        raise DataError(
            f"{path} is one JSON array (it starts with {text!r}), but one object a line is needed; "
            "convert it with: jq -c '.[]'"
        )
    try:
        value = json.loads(line.strip())
    except ValueError as error:
        raise DataError(
            f"line {number} of {path} is no JSON object ({error}): {text!r}; "
            "write one object a line, in UTF-8"
        ) from error
    if not isinstance(value, dict):
        raise DataError(
            f"line {number} of {path} is a JSON {type(value).__name__}, not an object: {text!r}; "
            'write one object a line, such as {"user_id": "u1", "item_id": "i1"}'
        )
    return value


def _line_problem(path: Path, message: str) -> str:
    """Finds the line at fault; the slow look is for a broken file only."""
    kinds: dict[str, tuple[type, int]] = {}
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = _parse(path, number, line)
            except DataError as error:
                return str(error)
            for key, value in record.items():
                kind = float if type(value) is int else type(value)
                first, first_number = kinds.setdefault(key, (kind, number))
                if value is not None and kind is not first and first is not type(None):
                    return (
                        f"the values of '{key}' in {path} change their type: line {first_number} "
                        f"has a {_json_name(first)}, line {number} a {_json_name(kind)} "
                        f"({value!r}); write all of them alike, ids as strings"
                    )
                if first is type(None):
                    kinds[key] = (kind, number)
    return f"{path} cannot be parsed as JSON Lines: {message}"


def _json_name(kind: type) -> str:
    names = {float: "number", str: "string", bool: "boolean", list: "list", dict: "object"}
    return names.get(kind, kind.__name__)
