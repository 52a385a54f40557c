"""Provides what draws the portal's charts: the jars (`jars.py`), and the files unpacked of them.

python -m deploy.local.portal_jars               fetch what is missing, verify and unpack everything
python -m deploy.local.portal_jars --write-lock  rewrite portal.lock from `services/api/portal/libraries.py`
"""

import sys
import zipfile
from pathlib import Path

from deploy.local.jars import JarRefused, provide, write_lock
from services.api.portal.libraries import FOLDER, WEBJARS, WebJar

LOCK = Path(__file__).with_name("portal.lock")


def unpack(jars: Path, folder: Path) -> None:
    """Writes each library into the folder as it lies in its jar; one that is the same already is left alone.

    JarRefused for a jar without it.
    """
    for name, webjar in WEBJARS.items():
        content = _member(jars / webjar.filename, webjar)
        file = folder / name
        if not file.exists() or file.read_bytes() != content:
            partial = file.with_suffix(".partial")
            partial.write_bytes(content)
            partial.replace(file)


def _member(jar: Path, webjar: WebJar) -> bytes:
    with zipfile.ZipFile(jar) as archive:
        try:
            return archive.read(webjar.member)
        except KeyError as error:
            raise JarRefused(f"{jar}: holds no {webjar.member}") from error


def main() -> int:
    """The command: 0 when all is there, 1 with the reason when it cannot be."""
    jars = FOLDER / "jars"
    try:
        if "--write-lock" in sys.argv[1:]:
            coordinates = {webjar.coordinate for webjar in WEBJARS.values()}
            print(f"portal.lock: {write_lock(LOCK, coordinates, 'Portal')} jars pinned")
        fetched = provide(jars, LOCK, "Portal")
        unpack(jars, FOLDER)
    except (JarRefused, ConnectionError, OSError, ValueError, zipfile.BadZipFile) as trouble:
        print(f"the portal's charts: {trouble}", file=sys.stderr)
        return 1
    print(f"Portal: {len(WEBJARS)} files of charts verified against portal.lock, {fetched} jars fetched")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
