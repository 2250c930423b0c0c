"""`initshape token`: over HTTP as an admin, and in the store itself when no token is left."""

from __future__ import annotations

import json
from pathlib import Path

from initshape.store.server import RedisServer
from initshape.supervisor.place import Place
from tests.cli.conftest import Run


def test_create_list_revoke(initshape: Run) -> None:
    done = initshape("token", "create", "mia", "--label", "night", "--days", "2", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["user"], made["role"], made["label"]) == ("mia", "member", "night")
    assert made["expires"] > made["created"]
    own = {"INITSHAPE_TOKEN": made["token"]}
    assert initshape("list", **own).returncode == 0
    assert initshape("token", "list", **own).returncode == 2  # for admins only
    listed = initshape("token", "list")
    assert made["token"] not in listed.stdout
    assert any(line.split()[:3] == [made["id"], "mia", "member"] for line in listed.stdout.splitlines())
    assert initshape("token", "revoke", made["id"]).returncode == 0
    assert initshape("list", **own).returncode == 2
    assert initshape("token", "revoke", made["id"]).returncode == 2


def test_wrong_input_is_told(initshape: Run) -> None:
    for arguments in (("token", "create", "mia", "--role", "king"), ("token", "create", "m ia"),
                      ("token", "create", "mia", "--role", "king", "--direct"),
                      ("token", "create", "m ia", "--direct"), ("token", "revoke", "0" * 16, "--direct")):  # fmt: skip
        done = initshape(*arguments)
        assert done.returncode == 2, arguments
        assert "Traceback" not in done.stderr


def test_direct_with_a_running_server_and_every_token_lost(initshape: Run, data_dir: Path) -> None:
    kept = Place(data_dir).token.read_text()
    Place(data_dir).token.unlink()
    try:
        assert initshape("token", "list").returncode == 2  # nobody to ask as
        done = initshape("token", "create", "root", "--role", "admin", "--direct")
        assert done.returncode == 0, done.stderr
        assert Place(data_dir).token.read_text() == done.stdout
        listed = json.loads(initshape("token", "list", "--json").stdout)
        (own,) = [one for one in listed if one["user"] == "root"]
        assert initshape("token", "revoke", own["id"], "--direct").returncode == 0
        assert initshape("token", "list").returncode == 2
    finally:
        Place(data_dir).token.write_text(kept)


def test_direct_without_a_server(initshape: Run, tmp_path: Path) -> None:
    where = tmp_path / "stopped"
    assert initshape("token", "list", "--direct", "--data-dir", str(where)).returncode == 2
    with RedisServer(where):
        pass
    done = initshape("token", "create", "root", "--role", "admin", "--direct", "--data-dir", str(where))
    assert done.returncode == 0, done.stderr
    listed = initshape("token", "list", "--direct", "--json", "--data-dir", str(where))
    assert [one["user"] for one in json.loads(listed.stdout)] == ["root"]
