"""I6 and I7: what the book counted, against the rows, the broker's own offsets, and Kafka's group."""

from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition

from spendmeter.verify.extent import Extent
from spendmeter.verify.judge import Judge
from spendmeter.verify.lines import STATUSES
from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL

SET_ASIDE = ("duplicate", "conflict", "rejected")


class CountsCheck:
    """Compares counts, partition by partition."""

    def __init__(self, connection: Any, strays: Mapping[int, int], report: Report) -> None:
        self._connection, self._strays, self._report = connection, strays, report

    async def check_partition(self, extent: Extent, judge: Judge) -> None:
        """What was tallied on a walk over the whole partition, against what the book says of it."""
        report, row, named = self._report, extent.position, f"partition {extent.partition}"
        report.check("I6")
        if row is None:
            if extent.end:
                report.find("I6", f"{extent.end} events in flight: the book has never seen it", named)
            return
        report.pass_over("I1", "offsets that the broker no longer has", min(extent.start, extent.passed))
        if extent.passed < extent.end:
            in_flight = f"{extent.end - extent.passed} events in flight, from {extent.passed} on"
            report.find("I6", in_flight, named)
        self._check_totals(row, judge, named)
        self._check_holes(extent, row, judge.delivered, named)
        await self._check_tenants(extent.partition, judge)

    def _check_totals(self, row: Mapping[str, Any], judge: Judge, named: str) -> None:
        counted = dict.fromkeys(("booked", *SET_ASIDE), 0)
        for (_, name), count in judge.tally.items():
            counted[name if name in SET_ASIDE else "booked"] += count
        accounted = sum(counted.values()) + row["holes"]
        for name, rows in (*counted.items(), ("stray", self._strays.get(judge.partition, 0))):
            if row[name] != rows:
                self._report.find("I6", f"{name} is {row[name]}, there are {rows} rows", named)
        if accounted != row["next_origin"]:
            what = f"{row['next_origin']} offsets passed, {accounted} accounted for"
            self._report.find("I6", what, named)

    def _check_holes(self, extent: Extent, row: Mapping[str, Any], delivered: int, named: str) -> None:
        """A hole is an offset that the broker does not deliver, nothing else."""
        if extent.start:
            self._report.pass_over("I6", "partitions whose holes can no longer be counted")
            return
        holes = extent.passed - delivered
        if holes != row["holes"]:
            self._report.find("I6", f"holes is {row['holes']}, the broker leaves out {holes}", named)

    async def _check_tenants(self, partition: int, judge: Judge) -> None:
        accounts: dict[tuple[str, str], int] = {}
        for account in await self._connection.fetch(SQL["accounting"], partition):
            for name in (*STATUSES, *SET_ASIDE):
                accounts[account["tenant"], name] = account[name]
        for tenant, name in accounts.keys() | judge.tally.keys():
            self._report.check("I6")
            said, rows = accounts.get((tenant, name), 0), judge.tally[tenant, name]
            if said != rows:
                what = f"{name} is {said}, there are {rows} rows"
                self._report.find("I6", what, f"accounting of tenant {tenant!r}, partition {partition}")


def check_positions(
    positions: Mapping[int, Mapping[str, Any]],
    ids: Mapping[str, str],
    rated: str,
    committed: Mapping[TopicPartition, int],
    report: Report,
) -> None:
    """I7, and that the book speaks of the topics that are there now. `ids`: of usage.events, usage.rated."""
    for partition, row in positions.items():
        named = f"partition {partition}"
        report.check("I7")
        offset = committed.get(TopicPartition(rated, partition))
        if offset is not None and offset > row["position"]:
            report.find("I7", f"Kafka's group stands at {offset}, the book at {row['position']}", named)
        for column, topic_id in zip(("origin_topic", "rated_topic"), ids.values(), strict=True):
            if row[column] != topic_id:
                what = f"{column} is {row[column]}, the broker's is {topic_id}: it was created anew"
                report.find("I6", what, named)


async def check_stopped(connection: Any, report: Report) -> None:
    """Lines that stand still, as the book says it."""
    for partition, reason in await connection.fetch(SQL["stopped"]):
        report.find("I6", f"the line stands still: {reason}", f"partition {partition}")
