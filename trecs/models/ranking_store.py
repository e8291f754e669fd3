"""The rating head as one file, which says its own sizes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from trecs.errors import DataError
from trecs.features.items import ItemTable
from trecs.models.ranking import RatingHead, RatingSizes


def build_rating_head(sizes: RatingSizes, items: ItemTable) -> RatingHead:
    """A head with new weights for items with such features."""
    head = RatingHead(sizes, name="rating_head")
    names = ("id_index", "text", "categories", "release")
    head.build({name: (None, *getattr(items, name).shape[1:]) for name in names})
    return head


def save_rating_head(head: RatingHead, path: Path) -> None:
    """Write sizes and weights; the file appears whole or not at all."""
    temporary = path.with_name(f"part.{path.name}")
    sizes = np.array(json.dumps(asdict(head.sizes)))
    np.savez(temporary, *head.get_weights(), sizes=sizes)
    temporary.replace(path)


def load_rating_head(path: Path, items: ItemTable) -> RatingHead:
    """Read what `save_rating_head` wrote.

    Raises:
      DataError: the weights do not fit these items or this version of trecs.
    """
    with np.load(path) as stored:
        weights = [stored[f"arr_{i}"] for i in range(len(stored.files) - 1)]
        sizes = json.loads(str(stored["sizes"]))
    try:
        head = build_rating_head(RatingSizes(**sizes), items)
        head.set_weights(weights)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the rating head in {path} should fit the items beside it, but has other sizes"
            f" ({error}); delete the file and run the same `trecs train` command again"
        ) from error
    return head
