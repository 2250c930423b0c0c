"""`initshape token`: make, list and revoke tokens, over HTTP as an admin, or with --direct on the server's machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initshape.cli import show
from initshape.cli.exits import Exit, Group, complain

if TYPE_CHECKING:
    from initshape.client import Client
    from initshape.store.tokens import Identity

app = typer.Typer(cls=Group, no_args_is_help=True, help=__doc__)

Url = Annotated[str | None, typer.Option(help="Server; default INITSHAPE_URL, else the one of the data directory.")]
DataDir = Annotated[Path | None, typer.Option(help="Data directory of a server on this machine.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for scripts.")]
Direct = Annotated[bool, typer.Option("--direct", help="In the store of this machine: needs no token and no API.")]
DAY = 86_400


@app.command()
def create(
    user: Annotated[str, typer.Argument(help="For whom.", show_default=False)],
    role: Annotated[str, typer.Option(help="reader, member or admin.")] = "member",
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    days: Annotated[float | None, typer.Option(min=0.001, help="Until it ends; default never.")] = None,
    direct: Direct = False,
    as_json: Json = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Make a token; it is shown this once. All tokens lost: `initshape token create NAME --role admin --direct`."""
    seconds = None if days is None else max(1, round(days * DAY))
    if direct:
        token = _create_direct(user, role, label, seconds, data_dir)
        show.as_json({"token": token, "user": user, "role": role, "label": label}) if as_json else print(token)
        return
    with _client(url, data_dir) as client:
        made = client.create_token(user, role=role, label=label, expires_seconds=seconds)
    show.as_json(made) if as_json else print(made["token"])


@app.command("list")
def list_(direct: Direct = False, as_json: Json = False, url: Url = None, data_dir: DataDir = None) -> None:
    """Tokens that hold: whose, what for, until when, last used. Never the tokens themselves."""
    if direct:
        found = _list_direct(data_dir)
    else:
        with _client(url, data_dir) as client:
            found = client.tokens()
    if as_json:
        show.as_json(found)
        return
    names = ("id", "user", "role", "label", "created", "expires", "last_used")
    print(show.grid(names, ([one[name] for name in names] for one in found)))


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="Id as `initshape token list` shows it.", show_default=False)],
    direct: Direct = False,
    url: Url = None,
    data_dir: DataDir = None,
) -> None:
    """Revoke a token: it is refused from now on."""
    if not direct:
        with _client(url, data_dir) as client:
            client.revoke_token(token_id)
    elif not _revoke_direct(token_id, data_dir):
        complain(f"No token has the id {token_id}.")
        raise typer.Exit(Exit.bad_input)
    print(f"{token_id} revoked")


def _client(url: str | None, data_dir: Path | None) -> Client:
    from initshape.client import connect

    return connect(url, data_dir=data_dir, patience=3.0)


def _create_direct(user: str, role: str, label: str, seconds: int | None, data_dir: Path | None) -> str:
    from initshape.store import tokens
    from initshape.supervisor.direct import direct_store
    from initshape.supervisor.place import Place, default_data_dir, write_private

    if role not in list(tokens.Role):
        complain(f"There is no role {role!r}: reader, member or admin.")
        raise typer.Exit(Exit.bad_input)
    if not tokens.is_user(user):
        complain(f"{user!r} cannot be a user: letters, digits and . _ @ + -, at most 100, not a sign first.")
        raise typer.Exit(Exit.bad_input)
    directory = data_dir or default_data_dir()
    with direct_store(directory) as store:
        token = store.run(tokens.create(user, tokens.Role(role), label, seconds, _actor()))
    if role == "admin" and seconds is None and directory.is_dir():
        write_private(Place(directory).token, token + "\n")
        show.note(f"Commands with this data directory use it from now on ({Place(directory).token}).")
    return token


def _list_direct(data_dir: Path | None) -> list[dict[str, Any]]:
    from initshape.store import tokens
    from initshape.supervisor.direct import direct_store
    from initshape.supervisor.place import default_data_dir

    with direct_store(data_dir or default_data_dir()) as store:
        return [_row(one) for one in store.run(tokens.listing())]


def _revoke_direct(token_id: str, data_dir: Path | None) -> bool:
    from initshape.store import tokens
    from initshape.supervisor.direct import direct_store
    from initshape.supervisor.place import default_data_dir

    with direct_store(data_dir or default_data_dir()) as store:
        names = store.run(tokens.named(token_id)) if len(token_id) == tokens.ID_LENGTH else []
        return any(store.run(tokens.revoke(name, _actor())) for name in names)


def _row(one: Identity) -> dict[str, Any]:
    from initshape.store.tokens import ID_LENGTH

    times = {"expires": one.expires, "last_used": one.used}
    shown = {name: at and at.isoformat(timespec="seconds").replace("+00:00", "Z") for name, at in times.items()}
    return {"id": one.digest[:ID_LENGTH], "user": one.user, "role": one.role.value, "label": one.label,
            "created": one.created, **shown}  # fmt: skip


def _actor() -> str:
    """Whoever can read the data directory is a user of this machine, not one of the server."""
    import getpass

    from initshape.store.audit import actor

    return actor(100_000, getpass.getuser(), "on the server's machine", "")
