"""The command `tap-amazon-appstore`."""

from __future__ import annotations

import logging
import os
import sys

from singer_sdk.exceptions import ConfigurationError, SingerSDKError

from tap_amazon_appstore.errors import describe_unexpected_error
from tap_amazon_appstore.output.messages import TARGET_STOPPED
from tap_amazon_appstore.tap import TapAmazonAppstore

_log = logging.getLogger(TapAmazonAppstore.name)


def main() -> None:
    """Run the command; any failure becomes a sentence and exit code 1."""
    code = _run()
    logging.shutdown()
    # Without waiting for downloads that are still under way: nothing reads them any more.
    os._exit(code)


def _run() -> int:
    try:
        code = _run_command()
        if code == 0 and sys.stdout is not None:
            sys.stdout.flush()
    except SingerSDKError as error:
        for sentence in str(error).splitlines():
            _log.error("%s", sentence)
    except BrokenPipeError:
        _log.error(TARGET_STOPPED)
    except Exception as error:  # noqa: BLE001 - nothing may end in a traceback
        _log.error("%s", describe_unexpected_error(error))
    else:
        return code
    return 1


def _run_command() -> int:
    if not os.environ.get("LOGLEVEL"):
        os.environ.pop("LOGLEVEL", None)  # the SDK fails at an empty one
    try:
        command = TapAmazonAppstore.cli  # configures the log
    except Exception as error:  # noqa: BLE001 - any that a YAML file can cause
        reason = str(error) if isinstance(error, ValueError) else type(error).__name__
        message = (
            f"The log could not be configured ({reason.splitlines()[0]}). Check LOGLEVEL and "
            "TAP_AMAZON_APPSTORE_LOGLEVEL (DEBUG, INFO, WARNING or ERROR), and "
            "SINGER_SDK_LOG_CONFIG."
        )
        raise ConfigurationError(message) from None
    try:
        command()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    main()
