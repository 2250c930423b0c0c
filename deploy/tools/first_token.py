"""Makes the first admin token and prints it; says so and exits 1 where any token exists. For the server that is reached
by INITSHAPE_REDIS_URL; `initshape serve` does this by itself.
"""

from __future__ import annotations

import sys

from initshape.store import Store, StoreError, StoreSettings, tokens


def main() -> int:
    """Exit code 0: the token is on stdout, for the only time; 1: there is one already; 3: Redis does not answer."""
    store = Store(StoreSettings.from_environment())
    try:
        token = store.run(tokens.create_admin())
    except StoreError as error:
        print(f"first_token: {error}", file=sys.stderr)
        return 3
    finally:
        store.close()
    if token is None:
        print("first_token: this server has tokens already; only their hashes are stored", file=sys.stderr)
        return 1
    print(token)
    return 0


if __name__ == "__main__":
    sys.exit(main())
