"""A service held against its own description: schemathesis asks every operation what its schema allows, and what
it does not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SECONDS_MAX = 60
"""How long a service is asked in `make test`; more by hand: `schemathesis run URL/openapi.json`."""
EXAMPLES = 12
"""Of each operation and way of making them up."""


async def held_against_its_description(
    url: str, key: str, folder: Path, *, seconds: float = SECONDS_MAX, refused: tuple[str, ...] = ()
) -> None:
    """Fails with what schemathesis found: an answer that is no error of the caller's, or none that the description
    has. `refused`: operations that are not asked, by path."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json",
        "--header", f"Authorization: Bearer {key}", "--checks", CHECKS, "--max-examples", str(EXAMPLES),
        "--seed", "1", "--no-shrink", "--max-time", str(seconds), "--phases", "examples,coverage,fuzzing",
        "--request-timeout", "20", "--suppress-health-check", "all", "--generation-database", "none",
        "--warnings", "off", "--no-color", "--continue-on-failure",
    ]  # fmt: skip
    for path in refused:
        command += ["--exclude-path", path]
    async with httpx.AsyncClient(
        timeout=300
    ) as client:  # made once, and on a busy machine not in ten seconds
        made = await client.get(f"{url}/openapi.json", headers={"Authorization": f"Bearer {key}"})
        made.raise_for_status()
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    said = output.decode()
    assert process.returncode == 0, said[-30_000:]
    assert " passed" in said or "tested" in said, said[-3_000:]
