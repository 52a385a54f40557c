"""One noun, one meaning: no two files define a class or a type by the same name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.house.sources import trees


def types_of(tree: ast.Module) -> Iterator[str]:
    """Names of classes and of type aliases (in CapWords) at the top of a file."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case _:
                names = []
        yield from (name for name in names if name[:1].isupper() and not name.isupper())


def test_every_type_has_a_name_of_its_own() -> None:
    found = defaultdict(list)
    for path, tree in trees():
        for name in types_of(tree):
            found[name].append(path)
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}
