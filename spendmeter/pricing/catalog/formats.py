"""How each format of a price file spells tables: TOML, YAML, JSON Lines, CSV, and other vendors' JSON."""

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

import msgspec

from spendmeter.pricing.catalog import litellm, openrouter, spreadsheet
from spendmeter.pricing.catalog.files import KINDS, PriceTable
from spendmeter.pricing.conditions import CatalogError

FILE_BYTES_MAX = 10 * 1024 * 1024
YAML_DEPTH_MAX = 16
TOML_DOTS_MAX = 100
"""In one line: tomllib takes the square of a dotted key's length."""


class PriceFile(NamedTuple):
    """A file taken apart: tables are read, and refused, one by one."""

    header: dict[str, Any]
    tables: Iterable[PriceTable]
    strict: bool = True
    """Whether numbers and booleans are such, and not text."""
    kinds: Collection[str] = ()
    """The tables that may stand beside the header's fields."""
    not_taken: Mapping[str, tuple[str, ...]] = {}
    """By model, the fields of another vendor's file that are not taken over; filled while tables are read."""


def parse(name: str, raw: bytes) -> PriceFile:
    """The file by its name's ending. Raises CatalogError with the rule; RecursionError."""
    if len(raw) > FILE_BYTES_MAX:
        raise CatalogError(f"a price file has at most {FILE_BYTES_MAX:,} bytes, this one {len(raw):,}")
    parser = _PARSERS.get(PurePath(name).suffix.lower())
    if parser is None:
        raise CatalogError(f"is of no known format; known are {', '.join(_PARSERS)}")
    try:
        return parser(raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        raise CatalogError(str(error)) from None


def is_public_release(name: str, raw: bytes) -> bool:
    """Whether a file is what genai-prices publishes, whose prices are the public catalog."""
    return PurePath(name).suffix.lower() == ".json" and raw.lstrip().startswith(b"[")


def toml_document(text: str) -> dict[str, Any]:
    """A TOML file's tables. Raises tomllib.TOMLDecodeError; CatalogError for what would take too long."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > TOML_DOTS_MAX:
            raise CatalogError(f"line {number}: has more than {TOML_DOTS_MAX} dots")
    return tomllib.loads(text)


def _toml(text: str) -> PriceFile:
    return _document(toml_document(text), strict=True)


def _yaml(text: str) -> PriceFile:
    import yaml  # type: ignore[import-untyped]  # only who reads YAML waits for it

    class Loader(yaml.CBaseLoader):  # type: ignore[misc]  # every scalar stays the text that it is
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value]
            if len(keys) != len({*map(str, keys)}):
                raise CatalogError(f"line {node.start_mark.line + 1}: a key stands twice in one table")
            return super().construct_mapping(node, deep)

    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CBaseLoader):
            opens = isinstance(event, yaml.CollectionStartEvent)
            depth += opens - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > YAML_DEPTH_MAX:
                what = "is nested too deep" if opens else "aliases are not read"
                raise CatalogError(f"line {event.start_mark.line + 1}: {what}")
        return _document(yaml.load(text, Loader=Loader), strict=False)  # noqa: S506 - texts, lists and maps
    except yaml.YAMLError as error:
        raise CatalogError(" ".join(str(error).split())) from None


def _document(document: Any, *, strict: bool) -> PriceFile:
    if not isinstance(document, dict):
        raise CatalogError("is not a table of fields and lists of tables")
    header = {name: value for name, value in document.items() if name not in KINDS}
    return PriceFile(header, _listed(document), strict, kinds=sorted(KINDS))


def _listed(document: dict[str, Any]) -> Iterator[PriceTable]:
    for kind in [name for name in document if name in KINDS]:
        listed = document[kind]
        if not isinstance(listed, list) or not all(isinstance(table, dict) for table in listed):
            raise CatalogError(f"{kind} is not a list of tables")
        for number, table in enumerate(listed):
            yield f"{kind}[{number}]", kind, table


def _jsonl(text: str) -> PriceFile:
    first, *rest = text.rstrip("\n").split("\n")
    return PriceFile(msgspec.json.decode(first, type=dict[str, Any]), _lines(rest))


def _lines(lines: Iterable[str]) -> Iterator[PriceTable]:
    for number, line in enumerate(lines, start=2):
        try:
            table = msgspec.json.decode(line, type=dict[str, Any])
            kind = table.pop("type", None)
        except msgspec.DecodeError as error:
            raise CatalogError(f"line {number}: {error}") from None
        if kind not in KINDS:
            raise CatalogError(f"line {number}: unknown type {kind!r}; known are {', '.join(sorted(KINDS))}")
        yield f"line {number}", kind, table


def _csv(text: str) -> PriceFile:
    return PriceFile({}, spreadsheet.tables(text), strict=False)


def _json(text: str) -> PriceFile:
    """Of a vendor of price lists, told apart by shape. Raises CatalogError for one of none of them."""
    not_taken: dict[str, tuple[str, ...]] = {}
    if text.lstrip().startswith("["):
        from spendmeter.pricing.catalog import genai  # only who imports its data waits for it

        return PriceFile({}, genai.tables(genai.published(text, not_taken)), not_taken=not_taken)
    raw = litellm.decoded(text)
    if openrouter.is_list_of_models(raw):
        return PriceFile({}, openrouter.tables(openrouter.models(raw), not_taken), not_taken=not_taken)
    if "data" in raw or not all(isinstance(model, dict) for model in raw.values()):
        raise CatalogError(f"is JSON of no known price list; known are {', '.join(_LISTS)}")
    return PriceFile({}, litellm.tables(raw, not_taken), not_taken=not_taken)


_LISTS = (
    "genai-prices' (a list of providers)",
    "LiteLLM's (a table of models, each with its litellm_provider)",
    "OpenRouter's (`data`, a list of models, each with its pricing)",
)
_PARSERS = {".toml": _toml, ".yaml": _yaml, ".yml": _yaml, ".csv": _csv, ".json": _json, ".jsonl": _jsonl}
