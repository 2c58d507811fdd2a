"""The probe prints what an issue needs to know of the API, and nothing secret."""

from __future__ import annotations

import gzip
import re
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug import Response

from sandbox import Fault, make_csv
from scripts.probe_api import paths
from tap_amazon_appstore.months import add_months
from tests.conftest import execute
from tests.data import SUBSCRIPTION, publish, sale

if TYPE_CHECKING:
    from sandbox import Account

PROBE = Path(__file__).parent.parent.parent / "scripts" / "probe_api.py"
HEADER = ",".join(sale())


@pytest.mark.unlimited
def test_it_prints_status_type_and_header_of_each_report(account: Account, tmp_path: Path) -> None:
    month = add_months(date.today().replace(day=1), -1)  # noqa: DTZ011 - as the probe
    publish(account, month)
    plain = Response(make_csv([sale(), sale()]).split("\n", 1)[1], content_type="text/csv")
    zipped = Response(gzip.compress(make_csv([SUBSCRIPTION]).encode()))
    account.put_report("subscription", month, make_csv([SUBSCRIPTION]))
    account.put_report("sales", date(2018, 1, 1), make_csv([sale()]))
    account.inject_fault(Fault("bucket", zipped), times=None, report="subscription")
    account.inject_fault(Fault("bucket", plain), times=None, report="sales", month=date(2018, 1, 1))

    run = execute(sys.executable, str(PROBE), env=account.environment, cwd=tmp_path)

    assert run.code == 0, run.stderr
    assert [line.split(":")[0] for line in run.stdout.splitlines() if line[0].isalpha()][1:] == (
        paths(date.today())  # noqa: DTZ011
    )
    assert f"sales/{month:%Y/%m}: HTTP 200, text/plain; charset=utf-8, a URL\n" in run.stdout
    assert "ZIP, Content-Length yes, ETag yes, Last-Modified yes\n" in run.stdout
    assert re.search(rf"  sales-.*csv, without BOM: {re.escape(HEADER)}\n", run.stdout)
    assert f"  gzip, without BOM: {','.join(SUBSCRIPTION)}\n" in run.stdout
    assert "  text, without BOM: the first line is no header (23 cells)\n" in run.stdout
    assert 'HTTP 400, text/plain, "Report not found"\n' in run.stdout
    output = run.stdout + run.stderr
    secret = [account.client_id, account.client_secret, account.number, sale()["Invoice Id"]]
    assert [text for text in secret if text in output] == []
    assert not re.search(r"Atc\||X-Amz-|://", output)


def test_a_refused_sign_in_is_a_sentence(account: Account, tmp_path: Path) -> None:
    account.inject_fault("lwa-invalid-scope", times=None)

    run = execute(sys.executable, str(PROBE), env=account.environment, cwd=tmp_path)

    assert run.code == 1
    assert "(invalid_scope). The security profile is not attached" in run.stderr
    assert "Traceback" not in run.stderr
