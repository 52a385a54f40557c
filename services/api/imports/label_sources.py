"""Where a bill's labels come from: `team=tag:CostCenter`, `project=SubAccountName`. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.api.imports.focus import COLUMNS, alike
from spendmeter.contracts.events import LABELS

TAG = "tag:"
SOURCES_MAX = 16
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_COLUMNS = {alike(column): column for column in COLUMNS}


class SourceError(ValueError):
    """What is written where a label's source should be is none; the text says why."""


@dataclass(frozen=True, kw_only=True)
class LabelSource:
    """A label, and what a row says it in: a column, or a tag."""

    label: str
    column: str = ""
    tag: str = ""

    @property
    def written(self) -> str:
        """As people write it, without the label."""
        return self.column or f"{TAG}{self.tag}"


def label_sources(written: Iterable[str]) -> tuple[LabelSource, ...]:
    """Read LABEL=tag:KEY and LABEL=COLUMN; of one label the first source that says something counts. Raises
    SourceError."""
    found = tuple(map(_source, written))
    if len(found) > SOURCES_MAX:
        raise SourceError(f"at most {SOURCES_MAX} labels are mapped")
    return found


def own_labels(sources: Iterable[LabelSource]) -> set[str]:
    """The labels that only a tenant of its own may have."""
    return {source.label for source in sources} - set(LABELS)


def labels_of(
    row: Mapping[str, str], tags: Mapping[str, str], sources: Iterable[LabelSource]
) -> dict[str, str]:
    """What a row says of whose spend it is. Of a tag that is written in another case, that one counts where
    none is written so."""
    found: dict[str, str] = {}
    folded = {name.strip().casefold(): value for name, value in tags.items()}
    for source in sources:
        said = row.get(source.column, "") if source.column else _tag(tags, folded, source.tag)
        if said and source.label not in found:
            found[source.label] = said
    return found


def _tag(tags: Mapping[str, str], folded: Mapping[str, str], name: str) -> str:
    return tags.get(name) or folded.get(name.casefold(), "")


def _source(written: str) -> LabelSource:
    label, equals, source = (part.strip() for part in written.partition("="))
    if not equals or not source:
        raise SourceError("a label is mapped by LABEL=tag:KEY, or by LABEL=COLUMN")
    if label == "user":
        raise SourceError("user: whose use it is is a pseudonym, and no bill says it")
    if not _NAME.fullmatch(label):
        raise SourceError("the name of a label has small letters, digits and _ alone")
    if source.startswith(TAG):
        return LabelSource(label=label, tag=source[len(TAG) :].strip())
    column = _COLUMNS.get(alike(source))
    if column is None:
        raise SourceError(f"{label}: no such column is read; a tag is written {TAG}KEY")
    return LabelSource(label=label, column=column)
