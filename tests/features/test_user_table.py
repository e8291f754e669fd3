"""The user table: who has which row, and what profile vectors are centred and scaled by."""

import numpy as np
import pytest

from trecs.data.users import UserTexts
from trecs.features.users import build_user_table
from trecs.features.vocabulary import Vocabulary

VOCABULARY = Vocabulary(("b", "a", "no row"), ("i",), (3,), {}, 0.0, 0.0, False)
USERS = UserTexts(
    np.array(["new", "a", "b", "new without"], object), np.array(["x", "y", "z", ""], object)
)
VECTORS = np.array([[9, 9], [1, 2], [3, 4], [np.nan, np.nan]], np.float32)


def test_trained_users_come_first_then_those_with_a_profile_alone():
    table = build_user_table(VOCABULARY, USERS, VECTORS)
    assert table.user_ids == ("b", "a", "no row", "new")
    assert table.num_trained == 3


def test_profiles_are_centred_and_scaled_by_the_trained_users():
    # Of (1, 2) and (3, 4) the centre is (2, 3), and every deviation is 1.
    profile = build_user_table(VOCABULARY, USERS, VECTORS).profile
    expected = [[0, 0], [1, 1], [-1, -1], [0, 0], [7, 6]]
    np.testing.assert_allclose(profile, expected, atol=1e-4)
    assert profile.dtype == np.float32


def test_a_text_of_a_user_that_did_not_train_moves_no_other_row():
    before = build_user_table(VOCABULARY, USERS, VECTORS).profile
    changed = VECTORS.copy()
    changed[0] = -5
    after = build_user_table(VOCABULARY, USERS, changed).profile
    np.testing.assert_array_equal(after[:4], before[:4])
    assert not np.array_equal(after[4], before[4])


@pytest.mark.parametrize("users", [None, USERS], ids=["no file", "no BERT"])
def test_without_vectors_the_table_has_the_trained_users_and_no_columns(users):
    table = build_user_table(VOCABULARY, users, np.zeros((4 if users else 0, 0), np.float32))
    assert table.user_ids == VOCABULARY.user_ids
    assert table.profile.shape == (4, 0)
