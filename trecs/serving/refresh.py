"""A new version from the one before: newer events and items, the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trecs.data.joining import same_catalogues
from trecs.data.timestamps import iso
from trecs.errors import NoEventsError, UsageError
from trecs.serving.deployment import Deployment
from trecs.serving.export import add_version, versions, write_extras
from trecs.serving.pruning import remove_older
from trecs.serving.refresh_data import (
    DAY_S,
    Say,
    changes,
    check_offer,
    extend,
    read_newer_events,
    read_newer_items,
)
from trecs.serving.refresh_state import load_state, save_state
from trecs.serving.writing import only_writer


def write_deployment(deployment: Deployment, directory: Path, version: int | None) -> Path:
    """Write a version and what its refresh needs; the caller is the directory's `only_writer`."""
    module = deployment.module()

    def extras(folder: Path) -> None:
        tables = deployment.titles(), deployment.histories()
        write_extras(folder, deployment.metadata() | {"index": module.index.describe()}, *tables)
        save_state(deployment, folder)

    return add_version(module, directory, version, extras)


def refresh(
    model: str | Path,
    events: str | Path | None = None,
    items: str | Path | None = None,
    at_s: int | None = None,
    say: Say | None = None,
    keep: int | None = None,
) -> Path:
    """Write the next version of a model folder from newer files, whole or not at all.

    The weights stay. The trend, the neighbour tables and the known histories are those of all
    events, known and new; an event is known if its user, item and second are. Items that did not
    train get their vector from text, categories and release time. One refresh runs at a time; the
    next waits, and goes on from the version that the one before wrote.

    Args:
      model: folder with numbered versions; the newest is gone on from.
      events: path of newer events, which may repeat known ones; columns as in training.
      items: path of the whole catalogue as it is now. Only its items are recommended from then on;
        others are still understood in histories.
      at_s: UTC epoch seconds: the state as of then; events from then on are left out, also where
        they are of the future. None: just after the last event.
      say: takes lines of news; None for nobody.
      keep: how many versions stay, the newest ones; older ones are removed once the new one is
        whole. None: all stay.

    Returns:
      The new version's folder; the newest one's if there was nothing new.

    Raises:
      UsageError: no file is given, `keep` is less than 1, there is no version, or it cannot be
        refreshed.
      DataError: a file is not usable.
      ConfigError: new texts need a BERT that cannot be had.
    """
    directory, say = Path(model), say or _say_nothing
    if events is None and items is None:
        raise UsageError("a refresh needs newer events or an items file, but neither came")
    if keep is not None and keep < 1:
        raise UsageError(f"--keep must be 1 or more versions, got {keep}")
    if not directory.is_dir() or not versions(directory):
        raise UsageError(
            f"expected a model folder with numbered versions, got {directory};"
            " `trecs export RUN --to DIR` makes one"
        )
    with only_writer(directory):
        written = _next_version(directory, events, items, at_s, say)
        for number in remove_older(directory, keep) if keep is not None else ():
            say(f"version {number} is removed: {keep} stay")
    return written


def _next_version(
    directory: Path,
    events: str | Path | None,
    items: str | Path | None,
    at_s: int | None,
    say: Say,
) -> Path:
    newest = directory / str(versions(directory)[-1])
    before = load_state(newest)
    after = _read_and_extend(before, events, items, at_s, say)
    check_offer(before, after)
    if _is_same(before, after):
        known = "events are" if items is None else "events and items are"
        say(f"all {known} known already: version {newest.name} stays the newest")
        return newest
    for line in changes(before, after):
        say(line)
    return write_deployment(after, directory, None)


def _read_and_extend(
    before: Deployment,
    events: str | Path | None,
    items: str | Path | None,
    at_s: int | None,
    say: Say,
) -> Deployment:
    log = catalogue = None
    lines: list[str] = []
    if events is not None:
        with_rating = before.dataset.log.rating is not None
        try:
            log, lines = read_newer_events(Path(events), before.config, with_rating, at_s)
        except NoEventsError:
            # A quiet hour's file; the items may have changed all the same.
            lines = [f"{events} has no events" + ("" if at_s is None else f" before {iso(at_s)}")]
    if items is not None:
        with_text = before.text_vectors.shape[1] > 0
        columns = before.dataset.catalogue.columns
        catalogue, more = read_newer_items(
            Path(items), before.config, before.vocabulary, columns, with_text
        )
        lines += more
    for line in lines:
        say(line)
    return extend(before, log, catalogue, at_s)


def _is_same(before: Deployment, after: Deployment) -> bool:
    """Whether no event or rating is new, and the items and the trend's day are as they were."""
    same_day = before.as_of_s // DAY_S == after.as_of_s // DAY_S
    logs = before.dataset.log, after.dataset.log
    ratings = [len(log.rated(np.arange(log.num_events))[0]) for log in logs]
    same_events = logs[0].num_events == logs[1].num_events and ratings[0] == ratings[1]
    same_offer = np.array_equal(before.offered, after.offered)
    catalogues = before.dataset.catalogue, after.dataset.catalogue
    return same_day and same_events and same_offer and same_catalogues(*catalogues)


def _say_nothing(line: str) -> None:
    pass
