"""What lies in files of archived months, beside the table: one view of all entries for who reads here."""

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

from spendmeter.verify.sql import SQL

BATCH_ROWS = 20_000
_BLOCK_BYTES = 1 << 20


async def put_beside(connection: Any, folder: Path | None) -> int:
    """From here on `entries` means the archived months too, on this connection; how many there are. Nothing
    is written but temporary tables. Raises ValueError where a month has no file, or another than was
    archived."""
    months = await connection.fetch(SQL["archived_months"])
    if not months:
        return 0
    if folder is None:
        names = ", ".join(f"{row['month']:%Y-%m}" for row in months)
        raise ValueError(
            f"{names}: archived, and no part of the book; name the folder of the files, --archive FOLDER"
        )
    await connection.execute(SQL["archived_table"])
    for row in months:
        path = _checked(folder, row["month"], row["file"], row["sha256"])
        before = await connection.fetchval(SQL["archived_count"])
        await _load(connection, path)
        if await connection.fetchval(SQL["archived_count"]) - before != row["entries"]:
            raise ValueError(f"{path} does not have the {row['entries']} entries that were archived")
    await connection.execute(SQL["all_entries"])
    return len(months)


def _checked(folder: Path, month: date, file: str, sha256: str) -> Path:
    path = folder / file
    noted = json.loads(path.with_suffix(".json").read_text("utf-8"))
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while block := opened.read(_BLOCK_BYTES):
            digest.update(block)
    if not digest.hexdigest() == noted["sha256"] == sha256 or noted["month"] != month.isoformat():
        raise ValueError(f"{path} is not the file into which {month:%Y-%m} was archived")
    return path


async def _load(connection: Any, path: Path) -> None:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            await connection.copy_records_to_table("archived_text", records=rows, columns=batch.schema.names)
    await connection.execute(SQL["archived_fill"])
