"""Files and functions stay small enough to be read at once."""

from __future__ import annotations

import ast
from statistics import median, quantiles

from tests.house.sources import sources, trees

FILE_LINES_MAX = 400
FUNCTION_LINES_MEDIAN_MAX = 8
FUNCTION_LINES_P95_MAX = 27


def test_no_file_is_too_long_to_be_read() -> None:
    assert [path for path, text in sources() if len(text.splitlines()) > FILE_LINES_MAX] == []


def test_functions_are_short() -> None:
    lines = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert median(lines) <= FUNCTION_LINES_MEDIAN_MAX
    assert quantiles(lines, n=20)[-1] <= FUNCTION_LINES_P95_MAX
