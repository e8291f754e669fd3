"""Newer events and items beside what a version was made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trecs.columns import ITEM_ID, NO_COLUMN, RATING, TIMESTAMP, USER_ID, base_name
from trecs.config import Config
from trecs.data.catalogue import Catalogue, CatalogueColumns, read_catalogue
from trecs.data.dataset import align, shared_column
from trecs.data.joining import join_catalogues, join_logs
from trecs.data.log import EventLog, read_log_of
from trecs.data.rows import count, first_of
from trecs.data.tables import column_names
from trecs.data.timestamps import iso
from trecs.errors import DataError, Problems, UsageError
from trecs.features.vocabulary import Vocabulary
from trecs.serving.deployment import Deployment
from trecs.serving.text_export import checked_bert
from trecs.text.bert import encode_texts

DAY_S = 86_400
Say = Callable[[str], None]
# An items file that takes more of the offer away is more often cut short than meant.
_MOST_GONE = 0.5


def read_newer_events(
    path: Path, config: Config, with_rating: bool, until_s: int | None = None
) -> tuple[EventLog, list[str]]:
    """Read events by the columns that the run was trained with.

    Args:
      path: of any format that `trecs.data.tables` reads.
      config: of the run.
      with_rating: whether ratings are looked for; they need not be there.
      until_s: epoch seconds from which on events do not count; None counts all.

    Returns:
      The events, and lines that say what was taken.

    Raises:
      DataError: the file is not usable.
    """
    settings = config.data
    rating = NO_COLUMN
    if with_rating:
        named = settings.rating_column
        rating = named and (shared_column(path, named) or NO_COLUMN)
    columns = {
        # Either may have been named for the other file of the training alone.
        USER_ID: shared_column(path, settings.user_column),
        ITEM_ID: shared_column(path, settings.item_column),
        TIMESTAMP: settings.timestamp_column or None,
        RATING: rating or None,
    }
    return read_log_of(path, columns, settings.timestamp_unit or None, until_s=until_s)


def read_newer_items(
    path: Path,
    config: Config,
    vocabulary: Vocabulary,
    columns: CatalogueColumns | None,
    with_text: bool,
) -> tuple[Catalogue, list[str]]:
    """Read an items file, which must have what the model was trained with, as that was read.

    Args:
      path: of any format that `trecs.data.tables` reads.
      config, vocabulary: of the run.
      columns: as which the known items were read; None finds them.
      with_text: whether the model reads text.

    Raises:
      DataError: the file is not usable, or lacks columns.
    """
    settings = config.data
    problems = Problems()
    texts, categories, separators = settings.text_columns, settings.category_columns, {}
    if columns is not None:
        separators = columns.separators
        names = {base_name(name) for name in column_names(path)}
        known = tuple(name for name in columns.texts if base_name(name) in names)
        for name in sorted({*columns.texts} - {*known} - {*texts}):
            problems.add(f"no column is the text '{name}', which the model was trained with.")
        texts = texts or known or (NO_COLUMN,)
        known = tuple(name for name in separators if name in names)
        categories = categories or known or (NO_COLUMN,)
    catalogue, lines = read_catalogue(
        path,
        item_column=shared_column(path, settings.item_column),
        text_columns=texts or None,
        category_columns=categories or None,
        separators=separators,
    )
    for name, known_values in vocabulary.category_values.items():
        if name not in catalogue.categories:
            problems.add(f"no column of categories is '{name}', which the model was trained with.")
            continue
        values = {value for row in catalogue.categories[name] for value in row}
        strange = sorted(values - set(known_values))
        if known_values and values and len(strange) == len(values):
            problems.add(
                f"no value of '{name}' is one that the model was trained with: it has"
                f" {first_of(strange)}, and the model knows {first_of(list(known_values))}; write"
                " them as in training."
            )
        elif strange:
            lines.append(
                f"{count(len(strange), 'value')} of '{name}' are new to the model, and say nothing"
                f" to it: {first_of(strange)}"
            )
    if vocabulary.release_std_s > 0 and catalogue.release_time_s is None:
        problems.add("no column is the release time, which the model was trained with.")
    if with_text and not any(catalogue.texts):
        problems.add("no item has a text, which the model was trained with.")
    problems.raise_if_any(
        DataError,
        f"{path} lacks what the items file of the training had; what was found is: "
        + "; ".join(lines),
    )
    return catalogue, lines


def extend(
    before: Deployment,
    events: EventLog | None,
    items: Catalogue | None,
    before_s: int | None = None,
) -> Deployment:
    """The deployment with newer events and items; weights and vocabulary stay.

    Args:
      before: the deployment of a run, or of the version before.
      events: newer ones; those already known do not count again.
      items: the new whole catalogue: its items are offered, and no others. None: what was offered
        stays so, and items that appear in the events are offered too.
      before_s: UTC epoch seconds of the state, which does not go back: events from then on are
        left out. None: just after the last event.

    Raises:
      UsageError: known events are of a day and more after `before_s`.
      DataError: the items file has none of the items that have events.
      ConfigError: the BERT of new texts cannot be had, or is not what it was.
    """
    known = before.dataset
    if before_s is not None:
        _check_moment(known.log, before_s)
    if before_s is not None and events is not None:
        events = events.select(events.timestamp_s < before_s)
    if events is not None:
        _check_events(before, events, items)
    log = known.log if events is None else join_logs(known.log, events)
    catalogue = known.catalogue if items is None else join_catalogues(known.catalogue, items)
    dataset = align(log, catalogue)
    item_ids = pd.Index(dataset.catalogue.item_ids)
    if items is not None:
        _check_match(log, items)
        offered = item_ids.isin(items.item_ids)
    else:
        offered = ~item_ids.isin(known.catalogue.item_ids[~before.offered])
    end_s = int(log.timestamp_s[-1]) + 1 if before_s is None else before_s
    return replace(
        before,
        dataset=replace(dataset, listed=np.ones(dataset.num_items, bool)),
        offered=offered,
        text_vectors=_text_vectors(before, dataset.catalogue.texts),
        as_of_s=max(before.as_of_s, end_s),
    )


def changes(before: Deployment, after: Deployment) -> list[str]:
    """What is new, in lines for the user."""
    was, now = _offers(before, after)
    num_events = after.dataset.log.num_events - before.dataset.log.num_events
    return [
        f"{count(num_events, 'new event')}, {count(len(now.difference(was)), 'new item')}, "
        f"{count(len(was.difference(now)), 'item')} no longer offered",
        f"trend as of {iso(after.as_of_s)}",
    ]


def check_offer(before: Deployment, after: Deployment) -> None:
    """Refuse to take most of the offer away, as an items file that was cut short would.

    Raises:
      DataError: more than half of the items offered would be no longer.
    """
    was, now = _offers(before, after)
    gone = was.difference(now)
    if len(gone) > _MOST_GONE * len(was):
        raise DataError(
            f"the items file must be the whole catalogue of now, but {len(gone)} of the {len(was)}"
            f" items offered so far are not in it, such as {first_of(list(gone))}; if they are all"
            " gone indeed, export the run anew: `trecs export RUN --to DIR --items FILE`"
        )


def _offers(before: Deployment, after: Deployment) -> tuple[pd.Index, pd.Index]:
    was, now = (pd.Index(d.dataset.catalogue.item_ids[d.offered]) for d in (before, after))
    return was, now


def _check_moment(known: EventLog, before_s: int) -> None:
    # An event of a clock that ran ahead, let in before, must not stop every refresh until then.
    if known.timestamp_s[-1] >= before_s + DAY_S:
        raise UsageError(
            f"the time of a refresh must not be a day and more before the last event that the model"
            f" knows, of {iso(int(known.timestamp_s[-1]))}, got {iso(before_s)}"
        )


def _check_events(before: Deployment, events: EventLog, items: Catalogue | None) -> None:
    known = before.dataset
    ids = pd.Index(known.catalogue.item_ids)
    if items is not None:
        ids = ids.append(pd.Index(items.item_ids))
    new_items = not pd.Index(events.item_ids).isin(ids).any()
    new_users = not pd.Index(events.user_ids).isin(known.log.user_ids).any()
    if events.num_events and new_items and new_users:
        raise DataError(
            f"no user and no item of the newer events is known: {_ids_of(events)}, while the model"
            f" knows {_ids_of(known.log)}; write the ids as in training"
        )


def _ids_of(log: EventLog) -> str:
    return f"users {first_of(list(log.user_ids))}, items {first_of(list(log.item_ids))}"


def _check_match(log: EventLog, items: Catalogue) -> None:
    used = log.item_ids[np.unique(log.item)]
    if not pd.Index(used).isin(items.item_ids).any():
        raise DataError(
            f"none of the items that have events is in the items file: {first_of(list(used))},"
            f" while the items file has {first_of(list(items.item_ids))}; name the column of the"
            " item id in both files as in training"
        )


def _text_vectors(before: Deployment, texts: NDArray[np.object_]) -> NDArray[np.float32]:
    """float32 [len(texts), H]: known vectors for known texts, the BERT's for others."""
    known, vectors = before.dataset.catalogue.texts, before.text_vectors
    if not vectors.shape[1]:
        return np.zeros((len(texts), 0), np.float32)
    first = ~pd.Index(known).duplicated()
    vectors, index = vectors[first], pd.Index(known[first])
    new = pd.unique(texts[~pd.Index(texts).isin(index) & (texts != "")])
    if len(new):
        settings = before.config.text
        bert = checked_bert(settings, before.bert, known.tolist(), before.text_vectors)
        vectors = np.concatenate([vectors, encode_texts(bert, new.tolist(), settings.max_tokens)])
        index = index.append(pd.Index(new))
    place = index.get_indexer(pd.Index(texts))
    # The empty text has no vector, and need not have been known.
    return np.where((texts == "")[:, None], np.nan, vectors[place]).astype(np.float32)
