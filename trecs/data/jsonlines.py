"""JSON Lines: one object a line; strings stay strings, also those that look like times."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.json

from trecs.data.files import open_bytes
from trecs.errors import DataError

_BLOCK_BYTES = 1 << 24

# Arrow's types by the kinds of a key's values. Left to itself, Arrow reads strings such as
# "2024-05-01" as times, also where they are ids.
_TYPES = {
    frozenset(): pa.string(),
    frozenset({"string"}): pa.string(),
    frozenset({"integer"}): pa.int64(),
    frozenset({"number"}): pa.float64(),
    frozenset({"integer", "number"}): pa.float64(),
    frozenset({"list"}): pa.list_(pa.string()),
    frozenset({"list", "list of string"}): pa.list_(pa.string()),
    frozenset({"list", "list of integer"}): pa.list_(pa.int64()),
}


def json_names(path: Path) -> list[str]:
    """The keys of all lines, in order of appearance.

    Raises:
        DataError: if the file is no JSON Lines, with the first broken line.
    """
    return list(_kinds(path))


def read_json_lines(path: Path, columns: Sequence[str]) -> pa.Table:
    """The named columns; a key that a line lacks is null.

    Raises:
        DataError: if a line is no JSON object or a key's values change their type.
    """
    kinds = _kinds(path)
    known = {name: _TYPES[kinds[name]] for name in columns if kinds[name] in _TYPES}
    # Keys that nobody asked for may hold anything, if Arrow need not tell a type by itself.
    others = "ignore" if len(known) == len(set(columns)) else "infer"
    options = pa.json.ParseOptions(
        explicit_schema=pa.schema(list(known.items())), unexpected_field_behavior=others
    )
    try:
        with open_bytes(path) as file:
            table = pa.json.read_json(
                file,
                read_options=pa.json.ReadOptions(block_size=_BLOCK_BYTES),
                parse_options=options,
            )
        table.validate(full=True)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise DataError(_line_problem(path, str(error))) from error
    return table.select(list(columns))


def _kinds(path: Path) -> Mapping[str, frozenset[str]]:
    """The keys, each with the kinds of its values that are not null."""
    stat = path.stat()
    return _kinds_of(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _kinds_of(path: Path, *_: int) -> Mapping[str, frozenset[str]]:
    """The same, kept for a file that has not changed: names and columns are asked for in turn."""
    kinds: dict[str, set[str]] = {}
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                for key, value in _parse(path, number, line).items():
                    kinds.setdefault(key, set()).update(_kinds_in(value))
    if not kinds:
        raise DataError(f"{path} is empty; one JSON object a line is needed")
    return {key: frozenset(found) for key, found in kinds.items()}


def _kinds_in(value: object) -> set[str]:
    if isinstance(value, list):
        return {"list"} | {f"list of {kind}" for one in value for kind in _kinds_in(one)}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return {"integer beyond 64 bits"}
    return set() if value is None else {_json_name(type(value))}


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
    names = {int: "integer", float: "number", str: "string", bool: "boolean", list: "list"}
    return names.get(kind, "object")
