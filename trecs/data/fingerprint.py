"""What a run is held to: the data that it was made from."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from trecs.data.dataset import Dataset


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 of a data set's events, catalogue and, where there are these, users' texts."""
    log, catalogue = dataset.log, dataset.catalogue
    digest = hashlib.sha256()
    for array in (log.user, log.item, log.timestamp_s, log.rating, catalogue.release_time_s):
        digest.update(b"none" if array is None else np.ascontiguousarray(array).data)
    for strings in (log.user_ids, log.item_ids, catalogue.titles, catalogue.texts):
        digest.update("\0".join(strings.tolist()).encode())
    digest.update(json.dumps(catalogue.categories, sort_keys=True).encode())
    if dataset.users is not None:
        for strings in (dataset.users.user_ids, dataset.users.texts):
            digest.update("\0".join(["", *strings.tolist()]).encode())
    return digest.hexdigest()
