"""The command `tap-amazon-appstore`."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from pathlib import Path

from singer_sdk.exceptions import SingerSDKError

from tap_amazon_appstore.tap import TapAmazonAppstore

_log = logging.getLogger(TapAmazonAppstore.name)


def main() -> None:
    """Run the command; whatever goes wrong becomes one sentence and exit code 1."""
    # At level DEBUG it would log the URLs of requests, and presigned ones are secret.
    logging.getLogger("urllib3").setLevel(logging.INFO)
    code = _run()
    try:
        sys.stdout.flush()
    except OSError:
        code = code or 1
    sys.stderr.flush()
    # Without waiting for downloads that are still under way: nobody reads them any more.
    os._exit(code)


def _run() -> int:
    try:
        TapAmazonAppstore.cli()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except SingerSDKError as error:
        _log.error("%s", error)
    except BrokenPipeError:
        _log.error("The target stopped reading; see its log for why")
    except OSError as error:
        _log.error("The machine failed the tap: %s", error.strerror or type(error).__name__)
    except Exception as error:  # noqa: BLE001 - nothing may end in a traceback
        _log.debug("%s", "".join(traceback.format_exception(error)))
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.error(
            "The tap failed by a mistake of its own (%s in %s, line %s of %s): please report this",
            type(error).__name__,
            place.name,
            place.lineno,
            Path(place.filename).name,
        )
    return 1


if __name__ == "__main__":
    main()
