#!/usr/bin/env python3
"""Tokens in logs that a Spark cluster can read: `tokenvet scan` on its executors.

    spark-submit contrib/spark/tokenvet_scan.py --parquet hdfs:///logs/2026 --name host --order time,sequence \
        --text message --part logs.part
    spark-submit contrib/spark/tokenvet_scan.py --files 'hdfs:///logs/*.gz' --part logs.part
    tokenvet merge logs.part

Rows of one name, in their order, are the lines of one text. All of a text is scanned by one task, so that tokens which are
wrapped over lines are found and lines count as in a file. Tasks and executors may be lost and repeated: the report is the
same. The module tokenvet has to be installed where executors run.
"""

from __future__ import annotations

import argparse
import itertools
import operator
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pyarrow
import tokenvet
from pyspark.sql import DataFrame, SparkSession, functions

Batches = Iterator[pyarrow.RecordBatch]


def rows_of(spark: SparkSession, given: argparse.Namespace) -> DataFrame:
    """The rows of tables as `name` and `text`, and what they are ordered by."""
    table = spark.read.parquet(*given.parquet)
    keys = [table[column].alias(f"key{number}") for number, column in enumerate(given.order.split(","))]
    name = functions.coalesce(table[given.name].cast("string"), functions.lit(""))
    return table.select(name.alias("name"), table[given.text].alias("text"), *keys)


def together(rows: DataFrame, partitions: int) -> DataFrame:
    """All rows of a name in one partition, in their order."""
    keys = [column for column in rows.columns if column.startswith("key")]
    # Rows that nothing else tells apart are the same in any order.
    return rows.repartition(partitions, "name").sortWithinPartitions("name", *keys, "text").select("name", "text")


def scan_rows(scan: tokenvet.DistributedScan, batches: Batches) -> Batches:
    """The rows of a partition as one part."""

    def rows() -> Iterator[tuple[str, Any]]:
        for batch in batches:
            yield from zip(batch.column("name").to_pylist(), batch.column("text").to_pylist())

    texts = itertools.groupby(rows(), key=operator.itemgetter(0))
    yield from one_part(scan, [scan.lines(name, (text for _, text in lines)) for name, lines in texts])


def scan_files(scan: tokenvet.DistributedScan, base: str, batches: Batches) -> Batches:
    """The files of a partition as one part."""
    parts = []
    for batch in batches:
        for path, content in zip(batch.column("path").to_pylist(), batch.column("content").to_pylist()):
            parts.append(scan.file(path.removeprefix(base), content))
    yield from one_part(scan, parts)


def one_part(scan: tokenvet.DistributedScan, parts: list[bytes]) -> Batches:
    if parts:
        yield pyarrow.RecordBatch.from_pydict({"part": [scan.merge(parts)]})


def merged(scan: tokenvet.DistributedScan, rows: DataFrame, work: Callable[[Batches], Batches]) -> bytes:
    """All parts of a table as one, merged on the executors as far as that goes."""
    parts = rows.mapInArrow(work, "part binary").rdd.map(lambda row: bytes(row[0]))
    whole: bytes = parts.treeReduce(lambda one, other: scan.merge([one, other]))
    return whole


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tokens in logs that a Spark cluster can read")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--parquet", nargs="+", metavar="PATH", help="tables whose rows are lines")
    source.add_argument("--files", nargs="+", metavar="PATH", help="plain or compressed files, below 2 GiB each")
    parser.add_argument("--name", metavar="COLUMN", help="what the rows of one text have in common: file, host and day, …")
    parser.add_argument("--order", metavar="COLUMN,…", default="", help="columns that rows of one name are ordered by")
    parser.add_argument("--text", metavar="COLUMN", default="value", help="the lines [default: value]")
    parser.add_argument("--base", metavar="PREFIX", default="", help="beginning of paths that reports leave out")
    parser.add_argument("--now", metavar="RFC3339", type=instant, help="judge as if this were now")
    parser.add_argument("--part", metavar="FILE", required=True, help="the shard report, for `tokenvet merge`")
    given = parser.parse_args()
    if given.parquet and not (given.name and given.order):
        parser.error("--parquet needs --name and --order: without an order rows have no line numbers")
    return given


def instant(text: str) -> datetime:
    now = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if now.tzinfo is None:
        raise ValueError("write a zone")
    return now


def run(spark: SparkSession, given: argparse.Namespace) -> bytes | None:
    """The part of everything; `None` when there is nothing to scan."""
    if given.files:
        # A batch holds whole files.
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 1)
        files = spark.read.format("binaryFile").load(given.files)
        names = [row[0].removeprefix(given.base) for row in files.select("path").collect()]
    else:
        rows = rows_of(spark, given)
        names = [row[0] for row in rows.select("name").distinct().collect()]
    if not names:
        return None
    scan = tokenvet.DistributedScan(names, now=given.now)
    if given.files:
        return merged(scan, files.select("path", "content"), lambda batches: scan_files(scan, given.base, batches))
    partitions = int(spark.conf.get("spark.sql.shuffle.partitions") or 200)
    return merged(scan, together(rows, partitions), lambda batches: scan_rows(scan, batches))


def write(path: str, part: bytes) -> None:
    """The file appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path) or ".", prefix=".tokenvet-") as scratch:
        new = os.path.join(scratch, "part")
        with open(new, "wb") as file:
            file.write(part)
        os.replace(new, path)


def main() -> int:
    given = arguments()
    spark = SparkSession.builder.appName("tokenvet scan").getOrCreate()
    try:
        part = run(spark, given)
    finally:
        spark.stop()
    if part is None:
        print("tokenvet: there is nothing to scan", file=sys.stderr)
        return 3
    write(given.part, part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
