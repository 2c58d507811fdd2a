"""The command `tap-amazon-appstore`."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from pathlib import Path

from singer_sdk.exceptions import SingerSDKError

from tap_amazon_appstore.output.messages import TARGET_STOPPED
from tap_amazon_appstore.tap import TapAmazonAppstore

_log = logging.getLogger(TapAmazonAppstore.name)


def main() -> None:
    """Run the command; whatever goes wrong becomes one sentence and exit code 1."""
    _silence_urllib3()
    # The SDK says this after the sentences that say what is wrong, and without settings.
    _log.addFilter(lambda record: record.msg != "Config validation failed")
    code = _run()
    logging.shutdown()
    # Without waiting for downloads that are still under way: nobody reads them any more.
    os._exit(code)


def _silence_urllib3() -> None:
    """Keep out what would log the URLs of requests: presigned ones are secret.

    A filter, unlike a level, stays whatever `SINGER_SDK_LOG_CONFIG` sets.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("urllib3"):
            logging.getLogger(name).addFilter(lambda _: False)


def _run() -> int:
    try:
        code = _exit_code_of_command()
        if code == 0:
            sys.stdout.flush()
    except SingerSDKError as error:
        _log.error("%s", error)
    except BrokenPipeError:
        _log.error(TARGET_STOPPED)
    except OSError as error:
        _log.error(
            "The operating system reported an error: %s", error.strerror or type(error).__name__
        )
    except Exception as error:  # noqa: BLE001 - nothing may end in a traceback
        # Where, but not what: the messages of exceptions can hold anything, secrets included.
        _log.debug("%s", "".join(traceback.format_tb(error.__traceback__)))
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.error(
            "The tap failed by a mistake of its own (%s in %s, line %s of %s): please report this",
            type(error).__name__,
            place.name,
            place.lineno,
            Path(place.filename).name,
        )
    else:
        return code
    return 1


def _exit_code_of_command() -> int:
    try:
        TapAmazonAppstore.cli()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    main()
