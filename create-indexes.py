"""Create or update the indexes in MongoDB, among them `vector_index` and `search_index`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pymongo.errors import PyMongoError

from allthethings.errors import IndexingError
from allthethings.mongo import Database
from allthethings.processors import about, kind_of
from allthethings.store.indexes import create_indexes
from allthethings.store.tutorial import ASIDE
from config import DEFAULT_ENV_FILE, MongoSettings, SettingsError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env-file", type=Path, default=DEFAULT_ENV_FILE)
    parser.add_argument(
        "--move-tutorial",
        action="store_true",
        help="move the documents of the tutorial's app from the collection assets to "
        f"{ASIDE}, and drop the search indexes of assets",
    )
    given = parser.parse_args()
    try:
        settings = MongoSettings.from_env(given.env_file)
        database = Database(settings.uri, settings.name).database
        for line in create_indexes(
            database,
            kind_of,
            lambda asset: about(asset, asset.title),
            move_tutorial=given.move_tutorial,
        ):
            print(line)
    except (SettingsError, IndexingError, PyMongoError) as error:
        print(str(error).partition(", full error")[0], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
