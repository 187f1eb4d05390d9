"""The small pictures of assets, and the drafts of their texts."""

from __future__ import annotations

from datetime import timedelta

from allthethings.assets.asset import AssetStatus
from allthethings.assets.facts import Facts, Picture
from allthethings.mongo import Database
from allthethings.store.asset_list import AssetFilter, PageRequest
from tests.allthethings.store.assets import insert

NOW = timedelta(0)


def test_a_list_has_the_size_of_a_picture_and_not_the_picture(database: Database) -> None:
    asset_id = insert(database)
    asset = database.assets.existing(asset_id)
    database.transitions.tell(asset, Facts(picture=Picture(b"RIFF", 40, 30)).told())
    for seen in (
        database.assets.existing(asset_id),
        database.assets.get(asset_id),
        database.assets.page(PageRequest(filter=AssetFilter())).assets[0],
    ):
        assert seen is not None
        assert seen.picture_size == (40, 30)
    assert database.assets.picture(asset_id) == b"RIFF"


def test_there_is_no_picture_of_what_has_none(database: Database) -> None:
    assert database.assets.picture(insert(database)) is None
    assert database.assets.picture("0" * 24) is None
    assert database.assets.picture("nothing") is None


def test_a_further_prediction_takes_the_place_of_the_first_once(database: Database) -> None:
    asset_id = insert(database, status="PROCESSING", replicate_process_id="read")
    asset = database.assets.existing(asset_id)
    follow = database.transitions.follow
    assert follow(asset, "read", "caption", NOW, "its text")
    assert not follow(asset, "read", "another", NOW, "its text")
    followed = database.assets.existing(asset_id)
    assert (followed.status, followed.draft) == (AssetStatus.PROCESSING, "its text")
    assert followed.awaits("caption")
    assert not followed.awaits("read")


def test_a_further_prediction_is_not_for_an_asset_that_began_again(database: Database) -> None:
    asset_id = insert(database, status="PROCESSING", replicate_process_id="read")
    asset = database.assets.existing(asset_id)
    assert database.transitions.follow(asset, "read", "caption", NOW, "its text")
    followed = database.assets.existing(asset_id)
    again = database.transitions.start_again(followed, AssetStatus.SUBMITTED, ["caption"])
    assert again is not None
    assert again.draft is None
    assert not database.transitions.follow(asset, "read", "late", NOW, "its text")
