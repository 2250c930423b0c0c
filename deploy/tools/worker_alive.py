"""Exit code 0 where a worker of this host has renewed its presence within the last seconds: the health check of worker
containers. It asks Redis, so it also fails while Redis is away; nothing restarts for that alone.
"""

from __future__ import annotations

import platform
import sys

from initshape.store import Store, StoreError, StoreSettings, presence


def main() -> int:
    """0 alive, 1 not, 3 Redis does not answer."""
    store = Store(StoreSettings.from_environment())
    try:
        workers = store.run(presence.workers())
    except StoreError as error:
        print(f"worker_alive: {error}", file=sys.stderr)
        return 3
    finally:
        store.close()
    return 0 if any(worker.info.get("host") == platform.node() for worker in workers) else 1


if __name__ == "__main__":
    sys.exit(main())
