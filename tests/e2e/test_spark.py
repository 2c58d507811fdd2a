"""Spark reads the Parquet files of batches."""

from __future__ import annotations

import json
import subprocess
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from sandbox import make_csv
from tests.cli.test_batches import TWO_MONTHS, batch_config, files, local
from tests.data import MONTH, NEXT_MONTH, sale, sales
from tests.e2e.environments import command, on_spark, spark_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Tap

SPARK_READS = """
import json, sys
from pyspark.sql import SparkSession, functions

session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
session.conf.set("spark.sql.session.timeZone", "UTC")
rows = session.read.parquet(*sys.argv[1:])
totals = rows.agg(
    functions.count("*"),
    functions.countDistinct("line_id"),
    functions.sum("units"),
    functions.sum("sales_price").cast("string"),
    functions.min("transaction_at").cast("string"),
    functions.max("report_month").cast("string"),
)
print(json.dumps({"types": dict(rows.dtypes), "totals": list(totals.first())}))
"""


@pytest.mark.slow
@on_spark
def test_spark_reads_the_same_totals(
    request: pytest.FixtureRequest, tap: Tap, tmp_path: Path
) -> None:
    odd = sale(Transaction_Id="9", Units="many", Transaction_Time="", Adjustment="Yes")
    tap.account.put_report("sales", MONTH, make_csv([*sales(5), odd]))
    tap.account.put_report("sales", NEXT_MONTH, make_csv(sales(3)))
    tap.settings = TWO_MONTHS
    batches = tap.read(batch_config=batch_config(tmp_path.as_uri(), "parquet"))

    python = command(spark_environment(request), "python")
    paths = [str(local(url)) for url in files(batches)]
    done = subprocess.run(
        [python, "-c", SPARK_READS, *paths], cwd=tmp_path, stdout=subprocess.PIPE, check=True
    )

    read = json.loads(done.stdout)
    records = tap.read().records()
    assert read["totals"] == [
        len(records),
        len({record["line_id"] for record in records}),
        sum(record["units"] or 0 for record in records),
        f"{sum(Decimal(record['sales_price']) for record in records):.18f}",
        min(r["transaction_at"] for r in records if r["transaction_at"])[:19].replace("T", " "),
        NEXT_MONTH.isoformat(),
    ]
    assert read["types"]["sales_price"] == "decimal(38,18)"
    assert read["types"]["report_month"] == "date"
    assert read["types"]["transaction_at"] == "timestamp"
