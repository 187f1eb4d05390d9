# SPDX-License-Identifier: GPL-2.0-only
"""SecantusDB with a better query planner, a program of its own.

The code in this folder is loaded into SecantusDB, a GPL-2.0 program, and is distributed under
GPL-2.0 with it: see LICENSE beside this file. The rest of the repository is MIT. It starts this
program as a process (`python -m localcloud.secantus`), talks to it over a socket and never imports
it. The folder is apart from `localcloud/atlas` so that the border of the license is a folder too.

Read it in this order: filters (what a filter asks of each field), keys (how values lie in an
index), plans (which stretches of which index answer a filter), entries (reading those stretches),
queries (finding, counting and candidates for writes), catalog (the indexes there are), writes (the
entries that an update changes), retries (writes that are sent again), streams (waiting for
changes), upkeep (what is read at a start, and to shorten the oplog), patches (where SecantusDB
calls them).
"""
