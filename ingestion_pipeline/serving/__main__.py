"""`python -m ingestion_pipeline.serving CONFIG SOCKET READY LOCK`: how a run starts a model server.

READY and LOCK are file descriptors: one to write to when requests are answered, one to keep others from starting a
server meanwhile.
"""

import logging
import os
import sys
from pathlib import Path

from ingestion_pipeline.errors import IngestionError

from .config import ServerConfig


def main(config: str, socket: str, ready: str, lock: str) -> None:
    """Serve, until nobody has asked for anything for long."""
    from .server import serve
    from .service import Limits, Service
    from .startup import listening_on

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)

    def tell() -> None:
        try:
            os.write(int(ready), b"ready")
        except BrokenPipeError:
            logging.warning("Who started this server has gone.")
        os.close(int(ready))
        os.close(int(lock))

    serve(Service(ServerConfig.from_json(config), Limits()), listening_on(Path(socket)), tell)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (IngestionError, OSError, ImportError) as error:
        sys.exit(str(error))
