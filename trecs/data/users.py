"""The users file: what users have said of themselves before any request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trecs.columns import match_user_columns
from trecs.data.ids import unique_ids
from trecs.data.item_content import guess, join_texts, to_objects, to_texts
from trecs.data.log import EventLog
from trecs.data.rows import ROWS_NOTE, count, first_of
from trecs.data.tables import read_table
from trecs.errors import DataError, Problems


@dataclass(frozen=True, eq=False)
class UserTexts:
    """P users with their profile texts.

    A text has no time: it counts as known at every request of its user.

    Attributes:
        user_ids: object [P] of str, each once; not all need have events.
        texts: object [P] of str, all text columns joined by ". "; "" where there is none.
    """

    user_ids: NDArray[np.object_]
    texts: NDArray[np.object_]


def read_users(
    path: str | Path,
    *,
    user_column: str | None = None,
    text_columns: Sequence[str] | None = None,
) -> tuple[UserTexts, list[str]]:
    """Reads and validates a users file of any format that `read_table` knows.

    Args:
        path: the file, one row a user.
        user_column: None or "" finds it by its usual names.
        text_columns: None or () takes the columns with usual names for profiles, and those of other
            names whose content is text.

    Returns:
        The users, and lines for the user: what was taken as what.

    Raises:
        DataError: with all problems of the file.
    """
    frame, heading, problems = read_table(path), f"{path} is no usable users file", Problems()
    user, texts, other = match_user_columns(
        list(frame.columns), problems, user_column=user_column, text_columns=text_columns
    )
    if len(frame) == 0:
        problems.add("it has a header but no rows; one row a user is needed.")
        problems.raise_if_any(DataError, heading)
    ids = unique_ids(frame, user, "a user", problems)
    if not text_columns:
        texts += tuple(name for name in other if guess(frame[name]) == "text")
    joined = join_texts([to_texts(frame[name], problems) for name in texts], len(frame))
    if not any(joined):
        problems.add(
            f"no text was found in it; its columns are {first_of(list(frame.columns), 20)}: name"
            " those of the profile's text with user_text_columns (--set data.user_text_columns=A,B)"
        )
    problems.raise_if_any(DataError, f"{heading} ({ROWS_NOTE})")
    left_out = [name for name in other if name not in texts]
    return UserTexts(to_objects(ids), joined), [
        f"{count(len(frame), 'user')} in the users file, {int((joined != '').sum()):,} of them with"
        " text",
        f"user columns: user_id from '{user}'; text from {first_of(texts, 20)}"
        + (f"; left out {first_of(left_out, 20)}" if left_out else ""),
    ]


def match_users(log: EventLog, users: UserTexts, problems: Problems) -> list[str]:
    """Lines on users that only the log or only the file has; a problem if they share none."""
    of_log, of_file = pd.Index(log.user_ids), pd.Index(users.user_ids)
    shared = of_log.isin(of_file)
    if not shared.any():
        problems.add(
            f"no user of the log is in the users file: the log has {first_of(list(of_log))}, the"
            f" users file {first_of(list(of_file))}; name the user column of both files"
            " (--user-column), or give the right users file."
        )
        return []
    lines = []
    if alone := int((~of_file.isin(of_log)).sum()):
        lines.append(
            f"{count(alone, 'user')} of the users file without an event: kept, they may come later"
        )
    if not shared.all():
        without = first_of(list(of_log[~shared]))
        lines.append(
            f"{count(int((~shared).sum()), 'user')} of the log without a row in the users file:"
            f" {without}"
        )
    return lines
