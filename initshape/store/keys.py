"""Every Redis key: name, type and lifetime. No other module, script or test spells a key out.

All keys carry the hash tag `{initshape}`, so that they share one slot and scripts may derive one from another
(claim cannot know beforehand which job it will choose). "Active" means queued, running or cancelling; an active job
never expires. What is pinned, and what a pinned result needs, never expires either.

key                           type     holds                                                lifetime
-----------------------------------------------------------------------------------------------------------------------
job:{id}                      hash     the record (records.py) and the experiment           active: none; RECORD after
submitters:{id}               hash     user -> name, tags, notes, priority (JSON)           as the record
attempts:{id}                 list     ended attempts, oldest first (JSON)                  as the record
stream:{id}                   stream   status changes, progress and ends of attempts         active: none; STREAM after
result:{id}                   hash     the served result: document, etag, manifest, arrays  RESULT from the last read
upload:{id}:{fence}           hash     a result that waits for its fenced finish            UPLOAD
checkpoint:{id}               hash     where a job stood: bytes, identity, digest           active: none; goes after
saving:{id}:{fence}           hash     a checkpoint that waits for its fence                SAVING
dataset:{digest}              hash     arrays that many results share                       as its last read result
part:{digest}                 string   a large section of experiments                       PART from the last use
pins:{id}                     set      user:{user}, sweep:{id}: who keeps the result        none, empties
holders:{family}:{name}       set      pinned jobs that need a dataset, part or given       none, empties
given:{id}                    hash     an uploaded data set or initialization, its users    PART from the last use
uses:{id}                     set      experiments that name an upload                      as the upload
waiting:{queue}               zset     id -> order of arrival                               none, empties
lines:{queue}                 zset     "priority:user" -> whose turn it is                  none, empties
line:{queue}:{priority:user}  zset     id -> order of arrival                               none, empties
shares:{queue}                hash     tags of users and virtual time (library.lua)         none, one field a user
leases                        zset     id -> expiry of the lease, ms                        none, empties
index                         zset     id -> number; newest first in lists                  pruned with the records
owner:{user}, tag:{tag}       zset     the same for one submitter or one tag                pruned when read
status:{status}               zset     the same for one status                              pruned with the records
sweep:{id}                    hash     document, axes, cell ids, submission                 SWEEP from the last read
sweeps                        zset     id -> number; newest first                           pruned when read
workers:{queue}               zset     worker slot -> expiry of its presence, ms            none, members expire
worker:{name}                 hash     host, device, process id, of one worker              PRESENCE
hooks:{id}                    hash     user:{user} -> URL, sweep:{id}: who hears of the end       none, taken by the end
unsettled:{sweep}             set      cells of a sweep with a webhook that have not ended     none, empties
outbox                        zset     delivery -> when it is due, ms                       none, empties
delivery:{number}             hash     what to tell, whom and where; attempts so far        none, taken by the last
deliveries:{id}               list     attempts to tell of this id, newest last (JSON)      RECORD from the last
token:{sha256}                hash     user, role, label, creation, expiry, last use        none, or the token's expiry
bucket:{kind}:{user}          string   when a user's credit for requests will be full, ms   until then
active:{user}                 set      jobs that wait or run for a user                     none, empties
stored:{user}                 hash     key -> bytes of what is kept for a user, and total   none, goes with the results
tidied:{user}                 string   the two above were compared with the truth           10 s
denied:{who}                  string   a refusal was recorded lately                        1 s
audit                         stream   who did what (audit.py)                              bounded in length
tokens                        set      digests of all tokens                                none
idempotency:{digest}          string   digest of the body, and the id                       IDEMPOTENCY
numbers                       hash     counters: number, order, fence                       none
tallies                       hash     counters for /metrics, by name (tallies.py)          none, bounded by the names
format                        string   number of the format of all of this (format.py)      none
pace:{queue}:{shape}          string   recent milliseconds of a job; no shape: of any job  PACE from the last one
bell:{queue}                  list     wakes workers that have just run out of work         none, goes with waiting
pulse                         hash     last reap and end of the grace time, ms              none
rung:{queue}                  string   somebody rang lately                                 the ring period
events                        channel  JSON {id, kind, status} for whoever waits            -

Celery's own keys in the same database: one list a queue, named as in queues.py, `_kombu.binding*`, `unacked*`.
"""

from __future__ import annotations

ROOT = "{initshape}:"

DAY = 86_400
RESULT_SECONDS = 90 * DAY
RECORD_SECONDS = RESULT_SECONDS + 30 * DAY
PART_SECONDS = RECORD_SECONDS + 30 * DAY
SWEEP_SECONDS = RECORD_SECONDS
STREAM_SECONDS = DAY
UPLOAD_SECONDS = 3600
SAVING_SECONDS = 600
IDEMPOTENCY_SECONDS = DAY
PACE_SECONDS = 30 * DAY
USE_SECONDS = 60
"""The last use of a token is written at most so often."""
TOUCH_SECONDS = DAY
"""A read prolongs a lifetime only when this much of it has gone, so that reading seldom writes."""

FAMILIES = (
    "job", "submitters", "attempts", "stream", "result", "upload", "dataset", "part", "pins", "holders", "given",
    "uses", "waiting", "lines", "line", "shares", "owner", "tag", "status", "sweep", "workers", "worker", "token",
    "idempotency", "pace", "rung", "hooks", "unsettled", "delivery", "deliveries", "bucket", "active", "stored",
    "tidied", "denied", "checkpoint", "saving", "bell",
)  # fmt: skip
SINGLES = (
    "leases", "index", "sweeps", "tokens", "numbers", "tallies", "format", "pulse", "outbox", "events", "audit",
)  # fmt: skip

LEASES, INDEX, SWEEPS, TOKENS, NUMBERS, TALLIES, FORMAT, PULSE, OUTBOX, EVENTS, AUDIT = (
    ROOT + name for name in SINGLES
)

FORMAT_NUMBER = 2
"""Raised by every change that an older release would misread; `format.py` brings older data up to it."""


def key(family: str, *parts: str | int) -> str:
    """Name of one key of a family of the table above. Raises KeyError for an undeclared family."""
    if family not in FAMILIES:
        raise KeyError(family)
    return ROOT + ":".join([family, *map(str, parts)])


def job_keys(job_id: str) -> tuple[str, ...]:
    """The keys of one job that every life-cycle script declares."""
    return tuple(key(family, job_id) for family in ("job", "submitters", "attempts", "stream", "result"))


def lua_table() -> str:
    """The same names for the scripts: `K.job .. id`, `K.leases`; lifetimes as `T.result`; `T.format`."""
    names = [f'["{f}"]="{ROOT}{f}:"' for f in FAMILIES] + [f'["{s}"]="{ROOT}{s}"' for s in SINGLES]
    lifetimes = {
        "result": RESULT_SECONDS, "record": RECORD_SECONDS, "part": PART_SECONDS, "sweep": SWEEP_SECONDS,
        "stream": STREAM_SECONDS, "upload": UPLOAD_SECONDS, "touch": TOUCH_SECONDS,
        "pace": PACE_SECONDS, "format": FORMAT_NUMBER, "use": USE_SECONDS,
    }  # fmt: skip
    seconds = [f"{name}={value}" for name, value in lifetimes.items()]
    return f"local K={{{','.join(names)}}}\nlocal T={{{','.join(seconds)}}}\n"
