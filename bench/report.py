"""Prints a table that a person can read and a pull request can quote."""

from collections.abc import Sequence


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns right-aligned but for the first; floats with a sensible number of digits."""
    texts = [[_text(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns), *texts]) for i in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join([first, *rest])

    print(f"\n{title}\n{line(columns)}\n{'-' * (sum(widths) + 2 * len(widths) - 2)}")
    for cells in texts:
        print(line(cells))
    print(flush=True)


def _text(value: object) -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
