"""The users file: what it may look like, what is refused, and that a data set keeps it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trecs import api
from trecs.config import load_config
from trecs.data.dataset import Dataset, load_dataset, open_dataset, save_dataset
from trecs.data.fingerprint import fingerprint
from trecs.data.users import UserTexts, read_users
from trecs.errors import ConfigError, DataError

EVENTS = pd.DataFrame(
    {
        "user_id": ["7", "8", "7", "9"],
        "item_id": ["a", "b", "b", "a"],
        "timestamp": [893_286_600 + second for second in range(4)],
    }
)


def write(folder: Path, **columns: object) -> Path:
    path = folder / "users.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def load(folder: Path, users: Path) -> tuple[Dataset, list[str]]:
    EVENTS.to_csv(folder / "events.csv", index=False)
    return load_dataset(folder / "events.csv", users=users)


def test_ids_and_profiles_are_found_by_their_names(tmp_path: Path) -> None:
    path = write(tmp_path, customerId=["007", "8"], bio=["likes war films", None], city=["X", "Y"])
    users, lines = read_users(path)
    assert users.user_ids.tolist() == ["007", "8"]
    assert users.texts.tolist() == ["likes war films", ""]
    assert lines == [
        "2 users in the users file, 1 of them with text",
        "user columns: user_id from 'customerId'; text from 'bio'; left out 'city'",
    ]


def test_named_columns_are_joined_and_no_others_are_taken(tmp_path: Path) -> None:
    path = write(tmp_path, id=["7"], job=["student"], age=[24], bio=["left out"])
    users, _ = read_users(path, text_columns=["job", "age"])
    assert users.texts.tolist() == ["student. 24"]


def test_a_column_of_another_name_is_text_by_its_content(tmp_path: Path) -> None:
    words = ["a man of few words", "a lover of old films", "none but the brave"]
    path = tmp_path / "users.parquet"
    pd.DataFrame({"user_id": [7, 8, 9], "x": words, "sex": ["m", "f", "m"]}).to_parquet(path)
    users, _ = read_users(path)
    assert users.user_ids.tolist() == ["7", "8", "9"]
    assert users.texts.tolist() == words


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": ["7"], "bio": ["hi"]}, r"1\. no column looks like the user_id; the columns are 'x'"),
        (
            {"user_id": ["7", "8", "7"], "bio": ["a", "b", "c"]},
            r"1 of 3 rows repeat a user id in 'user_id' \(row 3: '7'\); keep one row a user",
        ),
        ({"user_id": ["7", None], "bio": ["a", "b"]}, "1 of 2 ids in 'user_id' are missing"),
        ({"user_id": ["7"], "age": [24]}, r"no text was found in it; .* data.user_text_columns"),
        ({"user_id": ["7", "8"], "bio": ["", ""]}, "no text was found in it"),
        ({"user_id": [], "bio": []}, "a header but no rows; one row a user"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(
    tmp_path: Path, columns: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_users(write(tmp_path, **columns))


def test_a_named_column_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    path = write(tmp_path, user_id=["7"], profile=["hi"])
    with pytest.raises(DataError, match=r"no column 'profil' \(did you mean 'profile'\?\)"):
        read_users(path, text_columns=["profil"])


def test_users_that_only_one_of_the_files_has_are_counted_and_kept(tmp_path: Path) -> None:
    path = write(tmp_path, user_id=["7", "later", "9"], profile=["one", "two", "three"])
    dataset, lines = load(tmp_path, path)
    assert dataset.users is not None
    assert dataset.users.user_ids.tolist() == ["7", "later", "9"]
    assert "1 user of the users file without an event: kept, they may come later" in lines
    assert "1 user of the log without a row in the users file: '8'" in lines


def test_a_file_of_other_users_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, user_id=["u7", "u8"], profile=["one", "two"])
    message = r"no user of the log is in the users file: the log has '7', .* users file 'u7', 'u8'"
    with pytest.raises(DataError, match=message):
        load(tmp_path, path)


def test_what_is_saved_is_opened_the_same_and_can_be_given_other_users(tmp_path: Path) -> None:
    dataset, _ = load(tmp_path, write(tmp_path, user_id=["7", "8"], profile=["one\ntwo", "Größe"]))
    save_dataset(dataset, tmp_path / "saved")
    again = open_dataset(tmp_path / "saved").users
    assert dataset.users is not None
    assert again is not None
    assert again.user_ids.tolist() == ["7", "8"]
    assert again.texts.tolist() == dataset.users.texts.tolist()
    other = load_dataset(tmp_path / "saved", users=write(tmp_path, user_id=["9"], profile=["x"]))[0]
    assert other.users is not None
    assert other.users.user_ids.tolist() == ["9"]
    save_dataset(replace(dataset, users=None), tmp_path / "saved")
    assert open_dataset(tmp_path / "saved").users is None


def test_the_fingerprint_holds_each_users_text(tmp_path: Path) -> None:
    dataset, _ = load(tmp_path, write(tmp_path, user_id=["7", "8"], profile=["one", "two"]))
    assert dataset.users is not None
    ids, texts = dataset.users.user_ids, dataset.users.texts
    others = [
        None,
        UserTexts(ids, texts[::-1]),
        UserTexts(ids[::-1], texts),
        UserTexts(ids, np.array(["one", "2"], object)),
    ]
    found = {fingerprint(replace(dataset, users=users)) for users in (dataset.users, *others)}
    assert len(found) == 5


def test_problems_of_the_users_file_and_of_the_log_come_together(tmp_path: Path) -> None:
    EVENTS.drop(columns="timestamp").to_csv(tmp_path / "events.csv", index=False)
    users = write(tmp_path, user_id=["7", "7"], profile=["one", "two"])
    with pytest.raises(DataError, match=r"(?s)repeat a user id.*no column looks like the time"):
        load_dataset(tmp_path / "events.csv", users=users)


def test_profiles_without_a_bert_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    dataset, _ = load(tmp_path, write(tmp_path, user_id=["7"], bio=["likes war films"]))
    config = load_config(overrides=["text.preset=none"])
    with pytest.raises(ConfigError, match="users' profile texts need a BERT, got a users file"):
        api.train(dataset, tmp_path / "run", config, verbose=0)
    assert not (tmp_path / "run").exists()
