"""The same tables through Spark, on this machine: for data that outgrow it, on a cluster.

A session that is there already (``SparkSession.builder`` of the user's own, in Python) is taken; otherwise
one is started on two local threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evenhand.errors import EnvironmentProblem, MissingExtra
from evenhand.frames.frame import Frame, readable
from evenhand.frames.headers import header_of


def opened_in_spark(name: str, paths: Sequence[Path]) -> Frame:
    """A frame of parquet or CSV files, read by Spark.

    Raises:
        MissingExtra: PySpark is not installed.
        EnvironmentProblem: Spark cannot be started, for want of Java most often.
    """
    try:
        import ibis
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtra(error.name or "pyspark", "spark", "Auditing through Spark") from None
    try:
        session = SparkSession.getActiveSession() or (
            SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "4")
            .config("spark.sql.session.timeZone", "UTC")
            .getOrCreate()
        )
        made = ibis.pyspark.connect(session)
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        raise EnvironmentProblem(f"Spark cannot be started: {said}.", mend="Install Java 17.") from error
    first = header_of(paths[0])
    with readable(name):
        places = [str(path.resolve()) for path in paths]
        if first.parquet:
            read = session.read.parquet(*places)
        else:
            read = session.read.csv(
                places, header=True, inferSchema=False, sep=first.separator, mode="FAILFAST"
            )
        view = f"evenhand_{abs(hash(tuple(places)))}"
        read.createOrReplaceTempView(view)
        return Frame(made.table(view), f"spark:{name}", as_text=not first.parquet)
