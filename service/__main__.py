"""`python -m service [--host H] [--port P] [--no-auth]`: the API alone, in the foreground."""

from __future__ import annotations

import argparse
import gc
import logging
import sys

from pydantic import ValidationError

from initshape import logs
from initshape.store.tls import plaintext_remark
from service.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Runs until SIGINT or SIGTERM. Exit code 2 for settings that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    parser.add_argument("--host", help="address to bind (default: INITSHAPE_HOST, else 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to bind (default: INITSHAPE_PORT, else 8000)")
    parser.add_argument("--no-auth", action="store_const", const=False, dest="auth",
                        help="everyone is an admin; loopback only")  # fmt: skip
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            where = ".".join(map(str, problem["loc"]))
            print(f"initshape: {where + ': ' if where else ''}{problem['msg']}", file=sys.stderr)
        return 2
    logging.captureWarnings(True)
    logs.configure(settings.log_level, settings.log_format)
    logging.getLogger("service").info("settings", extra={"settings": settings.redacted()})
    if remark := plaintext_remark(settings.redis_url, settings.redis_plaintext):
        logging.getLogger("service").warning("%s", remark)
    from service.server import Server  # after the settings: a refusal need not wait for the imports

    server = Server(settings)
    # Modules and schemas, 100,000 objects, live for ever. Looking at them again in every full collection would stop the
    # event loop for 60 ms each time, whatever the request.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)  # a request makes hundreds of objects and leaves none: not after every second one
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
