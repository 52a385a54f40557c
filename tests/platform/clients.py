"""Usual HTTP clients, each as people use it: `by_x(url, body, headers)` posts and gives status and text."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp
from types import MappingProxyType

import aiohttp
import httpx
import pytest
import requests

NODE = """
const [url, size] = process.argv.slice(1)
const request = require('http').request(url, {method: 'POST', headers: {'Content-Length': size}}, answer => {
  let text = ''
  answer.on('data', piece => text += piece)
  answer.on('end', () => console.log(answer.statusCode + ' ' + text))
})
request.end(Buffer.alloc(Number(size)))
"""
JAVA = """
import java.net.URI; import java.net.http.*;
class Post { public static void main(String[] a) throws Exception {
  var request = HttpRequest.newBuilder(URI.create(a[0]))
    .POST(HttpRequest.BodyPublishers.ofByteArray(new byte[Integer.parseInt(a[1])])).build();
  var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
  System.out.println(answer.statusCode() + " " + answer.body()); } }
"""
NONE: Mapping[str, str] = MappingProxyType({})
Answer = tuple[int, str]
Client = Callable[..., Answer]


def by_urllib(url: str, body: bytes, headers: Mapping[str, str] = NONE) -> Answer:
    try:
        request = urllib.request.Request(url, data=body, headers=dict(headers))
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()


def by_httpx(url: str, body: bytes, headers: Mapping[str, str] = NONE) -> Answer:
    answer = httpx.post(url, content=body, headers=headers, timeout=20)
    return answer.status_code, answer.text


def by_httpx_in_chunks(url: str, body: bytes, headers: Mapping[str, str] = NONE) -> Answer:
    pieces = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    answer = httpx.post(url, content=pieces, headers=headers, timeout=20)
    return answer.status_code, answer.text


def by_requests(url: str, body: bytes, headers: Mapping[str, str] = NONE) -> Answer:
    answer = requests.post(url, data=body, headers=headers, timeout=20)
    return answer.status_code, answer.text


def by_aiohttp(url: str, body: bytes, headers: Mapping[str, str] = NONE) -> Answer:
    async def post() -> Answer:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    return asyncio.run(post())


def by_command(*command: str) -> Answer:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on the PATH")
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    status, _, text = done.stdout.decode().partition(" ")
    return int(status), text


def by_node(url: str, body: bytes) -> Answer:
    return by_command("node", "-e", NODE, url, str(len(body)))


def by_java(url: str, body: bytes, folder: Path) -> Answer:
    (folder / "Post.java").write_text(JAVA)
    return by_command("java", str(folder / "Post.java"), url, str(len(body)))


def by_curl(url: str, body: bytes, headers: Mapping[str, str] = NONE) -> Answer:
    sent = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    with NamedTemporaryFile() as file:
        Path(file.name).write_bytes(body)
        shown = ("-w", "%{stderr}%{http_code}")
        command = ["curl", "-sS", *shown, *sent, "--data-binary", f"@{file.name}", url]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return int(done.stderr), done.stdout.decode()


@lru_cache
def _go_client() -> Path:
    """Built once a process; skips where there is no Go."""
    go = shutil.which("go") or "/usr/local/go/bin/go"
    if not Path(go).exists():
        pytest.skip("no go on the PATH")
    built = Path(mkdtemp(prefix="spendmeter-go-")) / "post"
    source = Path(__file__).with_name("post.go")
    done = subprocess.run([go, "build", "-o", built, source], capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return built


def by_go(url: str, body: bytes, headers: Mapping[str, str] = NONE) -> Answer:
    with NamedTemporaryFile() as file:
        Path(file.name).write_bytes(body)
        sent = [f"{name}={value}" for name, value in headers.items()]
        return by_command(str(_go_client()), url, file.name, *sent)


CLIENTS: list[Client] = [by_urllib, by_httpx, by_httpx_in_chunks, by_requests, by_aiohttp]
