"""What operators do: backup, restore, doctor."""

from __future__ import annotations

import os
from pathlib import Path

from initshape.cli import show
from initshape.cli.exits import Exit, complain


def back_up(destination: Path, data_dir: Path, redis_url: str | None, *, as_json: bool) -> int:
    """Exit code 3 where no server runs. Errors: BackupError, ServerError."""
    from initshape.backup.make import backup
    from initshape.backup.manifest import DUMP
    from initshape.store import StoreSettings, StoreUnavailableError
    from initshape.store.nearby import settings_of
    from initshape.supervisor.place import Place

    if redis_url is None:
        settings = settings_of(data_dir.absolute())
    else:
        settings = StoreSettings.from_environment({**os.environ, "INITSHAPE_REDIS_URL": redis_url})
    if settings is None:
        complain(f"No server runs on {data_dir}: start it, or name a Redis with --redis-url.")
        return Exit.unreachable
    token = Place(data_dir.absolute()).token if redis_url is None else None
    try:
        made = backup(settings, destination, token)
    except StoreUnavailableError as error:
        complain(str(error))
        return Exit.unreachable
    if redis_url is None:  # what the server wrote before it sent it; an append-only server never reads it
        (data_dir / "redis" / DUMP).unlink(missing_ok=True)
    size = sum(file.bytes for file in made.files.values())
    if as_json:
        show.as_json(made.model_dump(mode="json"))
    else:
        print(f"{destination}: {made.total} keys, {size} bytes, read back and counted ({made.server})")
    return Exit.done


def bring_back(source: Path, data_dir: Path, *, force: bool, as_json: bool) -> int:
    """Errors: BackupError, ServerError, StoreFormatError."""
    from initshape.backup.restore import restore

    found, aside = restore(source, data_dir, force=force)
    if as_json:
        show.as_json({"backup": found.model_dump(mode="json"), "replaced": None if aside is None else str(aside)})
        return Exit.done
    print(f"{data_dir} holds the backup of {found.created}: {found.total} keys. Start it with "
          f"`initshape serve --data-dir {data_dir}`.")  # fmt: skip
    if aside is not None:
        show.note(f"What was there lies in {aside}; remove it when all is well.")
    return Exit.done


def examine_all(data_dir: Path, redis_url: str | None, *, as_json: bool) -> int:
    """Exit code 1 where a finding is `fail`."""
    from dataclasses import asdict

    from initshape.doctor.examine import examine
    from initshape.doctor.finding import State

    findings = examine(data_dir, redis_url, os.environ)
    if as_json:
        show.as_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{finding.state.value:4}  {finding.name}: {finding.detail}")
            if finding.mend:
                print(f"      mend: {finding.mend}")
    return Exit.job_failed if any(finding.state is State.fail for finding in findings) else Exit.done
