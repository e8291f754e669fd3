"""Names of columns: which column of a file holds the user, the item, the time, the text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trecs.errors import DataError, Problems

USER_ID = "user_id"
ITEM_ID = "item_id"
TIMESTAMP = "timestamp"
RATING = "rating"

NO_COLUMN = "none"
"""As the name of an optional column: take none, although one could be found."""

# Each string is a tier: a column of an earlier tier is preferred to those of later ones. Names are
# compared without case, signs and RecBole's type suffix: userId, user_id, USER-ID:token agree.
_EVENT_ALIASES: dict[str, tuple[str, ...]] = {
    USER_ID: (
        "userid",
        "user uid customerid customer cust custid memberid member reviewerid accountid clientid "
        "visitorid playerid listenerid readerid viewerid shopperid userkey",
        "username",
        "householdid householdkey personid profileid deviceid cookieid sessionid session basketid",
    ),
    ITEM_ID: (
        "itemid",
        "item iid productid product movieid movie filmid parentasin videoid newsid businessid "
        "articleid songid trackid bookid gameid appid recipeid poiid venueid contentid docid "
        "offerid listingid postid showid itemkey",
        "isbn sku gtin",
        "asin artistid albumid placeid locationid courseid stockcode",
    ),
    TIMESTAMP: (
        "timestamp",
        "time ts unixtime unixtimestamp epoch timestamps timestampms unixreviewtime datetime "
        "eventtime eventtimestamp eventts createdat",
        "date reviewtime reviewdate transactiontimestamp transactiontime transactiondate "
        "purchasetime purchasedate orderdate invoicedate clicktime viewtime listenedat ratedat "
        "eventdate creationtime createdtime",
    ),
    RATING: ("rating", "ratings stars score overall reviewrating userrating", "weight"),
}
# In a file of one row an item or user, its "id" is meant before its "sku" or "username".
_ITEM_ALIASES = (*_EVENT_ALIASES[ITEM_ID][:2], "id", *_EVENT_ALIASES[ITEM_ID][2:])
_USER_ALIASES = (*_EVENT_ALIASES[USER_ID][:2], "id", *_EVENT_ALIASES[USER_ID][2:])
_PROFILE_NAMES = (
    "profile profiletext userprofile about aboutme bio biography description text summary interests"
)
_TITLE_NAMES = (
    "title name itemname itemtitle productname producttitle movietitle movie film headline "
    "booktitle songtitle trackname videotitle articletitle"
)
_TEXT_NAMES = (
    "text description abstract summary subtitle features overview plot synopsis body details "
    "shortdescription longdescription itemdescription productdescription content"
)
_CATEGORY_NAMES = (
    "genres genre class category categories subcategory maincategory productcategory topic topics "
    "categoryname producttype type brand manufacturer department author artist publisher language "
    "tags keywords section"
)
_RELEASE_NAMES = (
    "releaseyear year releasedate released releasetime releasetimes publicationdate "
    "publicationyear yearofpublication publishedat publishdate"
)


@dataclass(frozen=True)
class EventColumns:
    """Names of an event log's columns; `rating` is None where the log has no ratings."""

    user: str
    item: str
    timestamp: str
    rating: str | None


@dataclass(frozen=True)
class ItemColumns:
    """Names of an items file's columns; `other` are those whose content must decide."""

    item: str
    title: str | None
    texts: tuple[str, ...]
    categories: tuple[str, ...]
    release: str | None
    other: tuple[str, ...]


def find_columns(
    names: Sequence[str], overrides: Mapping[str, str | None] | None = None
) -> EventColumns:
    """The columns of an event log, by the names given or else by their usual names.

    Args:
        names: the column names of the file.
        overrides: by role (USER_ID, ITEM_ID, TIMESTAMP, RATING), the column to take; None or "" is
            found by its usual names; "none" for RATING takes no rating.

    Raises:
        DataError: with all problems, if a column is missing, ambiguous or taken twice.

    Example:
        >>> find_columns(["userId", "movieId", "rating", "time"])
        EventColumns(user='userId', item='movieId', timestamp='time', rating='rating')
    """
    problems = Problems()
    found = match_columns(names, overrides or {}, problems)
    problems.raise_if_any(DataError, "the columns of the event log cannot be told")
    return EventColumns(
        found[USER_ID] or "", found[ITEM_ID] or "", found[TIMESTAMP] or "", found[RATING]
    )


def find_history_columns(names: Sequence[str], rated: bool) -> dict[str, str | None]:
    """The item and the time column, by role, of a file that holds one user's events.

    And the rating column where `rated`, None if there is none.

    Raises:
        DataError: with all problems, if one is missing or ambiguous.
    """
    problems = Problems()
    found = {
        role: _find(names, role, _EVENT_ALIASES[role], None, role != RATING, problems)
        for role in (ITEM_ID, TIMESTAMP, *([RATING] if rated else []))
    }
    problems.raise_if_any(DataError, "the columns of the history cannot be told")
    return found


def match_columns(
    names: Sequence[str], overrides: Mapping[str, str | None], problems: Problems
) -> dict[str, str | None]:
    """Like `find_columns`, by role, with the problems collected and None where there is one."""
    found = {}
    for role, tiers in _EVENT_ALIASES.items():
        required = role != RATING
        found[role] = _find(names, role, tiers, overrides.get(role), required, problems)
    taken = [name for name in found.values() if name is not None]
    for name in sorted({name for name in taken if taken.count(name) > 1}):
        roles = " and ".join(role for role, column in found.items() if column == name)
        problems.add(
            f"the column '{name}' was taken for {roles}; name another column for one of them."
        )
    if all(found[role] is None for role in (USER_ID, ITEM_ID, TIMESTAMP)) and _looks_like_data(
        names
    ):
        problems.add(
            f"the first line, {_listed(names)}, looks like data, not like a header; "
            "put a line such as user_id,item_id,timestamp with the file's own delimiter above it."
        )
    return found


def match_item_columns(
    names: Sequence[str],
    problems: Problems,
    *,
    item_column: str | None = None,
    text_columns: Sequence[str] | None = None,
    category_columns: Sequence[str] | None = None,
) -> ItemColumns:
    """The columns of an items file, by the names given or else by their usual names.

    Args:
        names: the column names of the file.
        problems: collects a missing or ambiguous item column and named columns that are absent.
        item_column: the column of the item id; None or "" is found by its usual names.
        text_columns: columns to take as text; None or () finds them; ("none",) takes none.
        category_columns: likewise for categories.
    """
    item = _find(names, ITEM_ID, _ITEM_ALIASES, item_column, True, problems) or ""
    free = [name for name in names if name != item]
    texts = _named(free, "text_columns", text_columns, problems)
    categories = _named(free, "category_columns", category_columns, problems)
    release = next(iter(_known(free, _RELEASE_NAMES)), None)
    titles = _known(free, _TITLE_NAMES)
    free = [name for name in free if name not in {release, *(texts or ()), *(categories or ())}]
    # A file of categories alone may call them anything, so what was named is not searched again.
    if texts is None:
        texts = tuple(_known(free, f"{_TITLE_NAMES} {_TEXT_NAMES}"))
        free = [name for name in free if name not in texts]
    if categories is None:
        categories = tuple(_known(free, _CATEGORY_NAMES))
        free = [name for name in free if name not in categories]
    return ItemColumns(
        item=item,
        title=titles[0] if titles else next(iter(texts), None),
        texts=texts,
        categories=categories,
        release=release,
        other=tuple(free),
    )


def match_user_columns(
    names: Sequence[str],
    problems: Problems,
    *,
    user_column: str | None = None,
    text_columns: Sequence[str] | None = None,
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The columns of a users file: the user id, the texts, and those whose content must decide.

    Where the texts are named, no content decides.
    """
    user = _find(names, USER_ID, _USER_ALIASES, user_column, True, problems) or ""
    free = [name for name in names if name != user]
    named = _named(free, "user_text_columns", text_columns, problems)
    texts = tuple(_known(free, _PROFILE_NAMES)) if named is None else named
    return user, texts, tuple(name for name in free if name not in texts)


def base_name(name: str) -> str:
    """The name without RecBole's type suffix: `item_id:token` is `item_id`."""
    return re.sub(r":(token|token_seq|float|float_seq)$", "", name)


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", base_name(name).lower())


def _known(names: Sequence[str], tier: str) -> list[str]:
    """The names that are among the tier's aliases, in the aliases' order."""
    aliases = tier.split()
    matches = [(aliases.index(_key(name)), name) for name in names if _key(name) in aliases]
    return [name for _, name in sorted(matches, key=lambda match: match[0])]


def _find(
    names: Sequence[str],
    role: str,
    tiers: Sequence[str],
    override: str | None,
    required: bool,
    problems: Problems,
) -> str | None:
    option = _option(role)
    if override and not (override == NO_COLUMN and not required and override not in names):
        return _exact(names, override, option, problems)
    if override:
        return None
    for tier in tiers:
        matches = _known(names, tier)
        if role in matches:
            return role
        if len(matches) > 1:
            listed = ", ".join(f"'{name}'" for name in matches)
            problems.add(
                f"{listed} could each be the {role}; "
                f"say which with {option}, or call it '{role}' in the file."
            )
            return None
        if matches:
            return matches[0]
    if required:
        problems.add(
            f"no column looks like the {role}; the columns are {_listed(names)}; "
            f"name the right one with {option}, or call it '{role}' in the file."
        )
    return None


def _exact(names: Sequence[str], wanted: str, option: str, problems: Problems) -> str | None:
    matches = [name for name in names if wanted in (name, base_name(name))]
    if matches:
        return wanted if wanted in matches else matches[0]
    close = difflib.get_close_matches(wanted, names, n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    problems.add(
        f"there is no column '{wanted}'{hint}, which {option} names; "
        f"the columns are {_listed(names)}."
    )
    return None


def _named(
    names: Sequence[str], setting: str, wanted: Sequence[str] | None, problems: Problems
) -> tuple[str, ...] | None:
    """The columns that a setting names; None where it names nothing and they must be found."""
    if not wanted:
        return None
    if list(wanted) == [NO_COLUMN] and NO_COLUMN not in names:
        return ()
    found = [_exact(names, name, setting, problems) for name in wanted]
    return tuple(name for name in found if name is not None)


def _option(role: str) -> str:
    setting = "timestamp_column" if role == TIMESTAMP else f"{role.removesuffix('_id')}_column"
    return f"{setting} (--{setting.replace('_', '-')})"


def _listed(names: Sequence[str], limit: int = 20) -> str:
    # A file without a header has values for names, long texts among them.
    short = (name if len(name) <= 40 else f"{name[:37]}..." for name in names[:limit])
    shown = ", ".join(f"'{name}'" for name in short)
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _looks_like_data(names: Sequence[str]) -> bool:
    return any(re.fullmatch(r"[-+]?\d+(\.\d+)?", name) for name in names)
