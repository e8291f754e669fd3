"""What a training batch knows where windows are long, and where rows are repeated to divide."""

from types import SimpleNamespace

import numpy as np

from trecs.features.batches import _MAX_OWN, _own_events, _pad_rows
from trecs.features.spec import PAD_ROW


def test_a_long_window_knows_all_its_own_items_and_the_newest_before():
    # 2,000 events, each of an item that is never had again.
    events = SimpleNamespace(occurrences=SimpleNamespace(next_index=np.full(2000, 2000)))
    assert _own_events(events, 0, 0, 1000).tolist() == list(range(999))
    assert _own_events(events, 0, 900, 1000).tolist() == list(range(900 - _MAX_OWN, 1899))


def test_repeated_rows_count_for_nothing():
    batch = {
        "user_row": np.arange(3),
        "weight": np.ones((3, 2)),
        "target_row": np.full((3, 2), 7),
    }
    padded = _pad_rows(batch, 4)
    assert padded["weight"][3].tolist() == [0, 0]
    assert padded["target_row"][3].tolist() == [PAD_ROW, PAD_ROW]
    assert padded["target_row"][:3].tolist() == batch["target_row"].tolist()
