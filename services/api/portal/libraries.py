"""What draws the portal's charts: which files of which jars, and where they lie once they are installed.

`deploy/local/portal_jars.py` fetches them as Kafka's jars are fetched, and pins each jar by SHA-256. A
version is a part of the name: a file of a name never changes, and a browser keeps it for a year.
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / ".spendmeter" / "portal"


@dataclass(frozen=True, kw_only=True)
class WebJar:
    """A package of npm as a jar: `META-INF/resources/webjars/ARTIFACT/VERSION/` holds its files."""

    artifact: str
    version: str
    file: str

    @property
    def coordinate(self) -> str:
        return f"org.webjars.npm:{self.artifact}:{self.version}"

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def member(self) -> str:
        return f"META-INF/resources/webjars/{self.artifact}/{self.version}/{self.file}"


WEBJARS = {
    "uplot-1.6.30.js": WebJar(artifact="uplot", version="1.6.30", file="dist/uPlot.iife.min.js"),
    "uplot-1.6.30.css": WebJar(artifact="uplot", version="1.6.30", file="dist/uPlot.min.css"),
    "echarts-5.3.1.js": WebJar(artifact="echarts", version="5.3.1", file="dist/echarts.min.js"),
}
"""Name in the portal: where it comes from."""
