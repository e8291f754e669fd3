"""One item of an answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recommendation:
    """One recommended item; `title` is "" where the catalogue has none."""

    item_id: str
    title: str
    score: float
