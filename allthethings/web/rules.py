"""How many requests of each kind are served at once, and how large they may be."""

from __future__ import annotations

from allthethings.hookdeck.signatures import SIGNATURE_HEADERS
from allthethings.web.errors import HEALTH, WEBHOOKS
from allthethings.web.login import MAX_WAITING
from allthethings.web.submission_form import MAX_FORM, UPLOADS
from allthethings.web.webhooks import MAX_BODY, RETRY_AFTER
from guardedserve import Rule

# The app itself refuses forms that are too large, in its own words; this is for larger ones.
SLACK = MAX_FORM

RULES = (
    # It tells the machine that watches the app how it is, also when people have to wait. More
    # threads than wrong passwords can hold.
    Rule("health", [HEALTH], threads=2 * MAX_WAITING, waiting=50, machines=True, max_body=0),
    # The gateway delivers 16 at a time. It tries again after RETRY_AFTER seconds.
    Rule(
        "callbacks",
        [WEBHOOKS],
        threads=12,
        waiting=64,
        patience=20.0,
        retry_after=RETRY_AFTER,
        max_body=MAX_BODY,
        signed_by=SIGNATURE_HEADERS,
        machines=True,
    ),
    # Each waits for a vector of the query and for the database.
    Rule("search", ["/search"], threads=12, waiting=64, max_body=MAX_FORM + SLACK),
    # Each waits for the servers of the URLs.
    Rule(
        "submissions",
        ["/process", "/check", "/look-again"],
        threads=12,
        waiting=64,
        patience=30.0,
        max_body=MAX_FORM * UPLOADS + SLACK,
    ),
    Rule("pages", [""], threads=12, waiting=64, max_body=MAX_FORM + SLACK),
)
