"""A sweep as rows: of plain Python, as a data frame, as a picture in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from initshape.client import display
from initshape.spec.problem import InitshapeError

if TYPE_CHECKING:
    from pandas import DataFrame


class MissingPackageError(InitshapeError):
    """Something needs a package that is not installed."""


@dataclass(frozen=True)
class Table:
    """A sweep as rows, one a cell in the order of the sweep; `axes` are the columns that were swept."""

    id: str
    axes: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]

    def to_frame(self) -> DataFrame:
        """One row a cell, also of those without a result: `status` and `error` say why, and their numbers are NaN.

        Errors: MissingPackageError without pandas.
        """
        try:
            import pandas
        except ImportError:
            raise MissingPackageError("Data frames need pandas: pip install 'initshape[frames]'.") from None
        frame = pandas.DataFrame(list(self.rows), columns=list(self.columns))
        # a column without any number is still one of numbers: all of its cells failed
        empty = [name for name in frame.columns if name not in _WORDS and frame[name].isna().all()]
        return frame.astype(dict.fromkeys(empty, float))

    def _repr_html_(self) -> str:
        return display.table(self.axes, self.rows)


_WORDS = ("id", "status", "outcome", "error", "exactness", "stopped_by", "regime")
