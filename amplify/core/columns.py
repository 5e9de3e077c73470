"""The first column of a file that people upload or paste: CSV or one value per line, in UTF-8."""

import csv
from collections.abc import Collection, Iterable, Iterator

from amplify.core.errors import Malformed
from amplify.core.i18n import lazy_gettext as _l


def first_column(lines: Iterable[str], headers: Collection[str] = ()) -> Iterator[tuple[int, str]]:
    """Line number and value; empty lines and a first line that is one of `headers` (in lower case) are passed over.

    Raises Malformed("file") for what is no CSV.
    """
    reader = csv.reader(lines)
    try:
        for row in reader:
            value = (row[0] if row else "").strip().strip("\ufeff").strip()
            if value and not (reader.line_num == 1 and value.lower() in headers):
                yield reader.line_num, value
    except (csv.Error, UnicodeDecodeError) as error:
        raise Malformed(
            _l("Line %(line)s cannot be read as CSV in UTF-8.", line=reader.line_num + 1), field="file", rule="csv"
        ) from error
