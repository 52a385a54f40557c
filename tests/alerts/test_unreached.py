"""Why a receiver was not reached is said in a sentence, whole, and in no library's words."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from subprocess import run

import pytest

from services.alerts.notify.http import HttpDoor


def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def told(url: str, *, allow_private: bool = True) -> str:
    async with HttpDoor(allow_private=allow_private) as door:
        return (await door.post(url, b"{}")).trouble


async def test_a_certificate_that_nobody_knows(tmp_path: Path) -> None:
    files = f"-keyout {tmp_path}/key -out {tmp_path}/pem".split()
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()
    run([*made, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem", tmp_path / "key")
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        said = await told(f"https://localhost:{port}/x")
    assert said == "the certificate of localhost is not accepted: self-signed certificate"


async def test_a_receiver_that_is_not_there_or_hangs_up() -> None:
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await told(f"http://127.0.0.1:{port}/x") == "it hung up without an answer"
    assert (
        await told(f"http://127.0.0.1:{port}/x") == f"no connection to 127.0.0.1:{port}: Connection refused"
    )
    assert await told("http://no.such.invalid/x") == "no.such.invalid is not a name that leads anywhere"


@pytest.mark.parametrize("url", ["https://127.0.0.1/x", "https://localhost/x"])
async def test_an_address_that_must_not_be_called_says_which_setting_allows_it(url: str) -> None:
    said = await told(url, allow_private=False)
    assert "is not a public address (SPENDMETER_WEBHOOK_ALLOW_PRIVATE=true" in said
    assert "Error" not in said
