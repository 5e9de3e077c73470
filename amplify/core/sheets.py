"""CSV and XLSX for people who open them in a spreadsheet: a cell can never become a formula."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response

from amplify.core import xlsx

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: Any) -> Any:
    """A text that a spreadsheet would calculate is quoted with an apostrophe (OWASP, CSV Injection); numbers stay."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def csv_response(name: str, header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Response:
    """A download `name`.csv, UTF-8 with a byte order mark, which Excel needs to see that it is UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([str(cell) for cell in header])
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    response = Response("\ufeff" + text.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def xlsx_response(name: str, header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Response:
    """A download `name`.xlsx. Its texts are texts, and guarded all the same: somebody may save them as CSV."""
    cells = [[str(cell) for cell in header], *([safe_cell(cell) for cell in row] for row in rows)]
    response = Response(xlsx.workbook(cells), content_type=xlsx.CONTENT_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.xlsx"'
    return response
