"""Divide the service area into cells, so that errors can be told by where trips begin."""

from dataclasses import dataclass, field

import numpy as np

from domain.entities.trips import Floats, Shorts
from domain.quality import ServiceArea

STEP_DEGREES = 0.05  # 5.6 km north to south; in New York 4.2 km east to west
OUTSIDE = -1


@dataclass(frozen=True, slots=True)
class AreaGrid:
    """Cells are numbered row by row from the south-west corner, from 0."""

    area: ServiceArea = field(default_factory=ServiceArea)
    step_degrees: float = STEP_DEGREES

    @property
    def columns(self) -> int:
        """Cells from west to east."""
        return max(1, int(np.ceil(round((self.area.east - self.area.west) / self.step_degrees, 6))))

    def of(self, latitude: Floats, longitude: Floats) -> Shorts:
        """The cell of each place, shape (n,); OUTSIDE for places beyond the borders."""
        row = np.floor((latitude - self.area.south) / self.step_degrees)
        column = np.minimum(np.floor((longitude - self.area.west) / self.step_degrees), self.columns - 1)
        inside = self.area.contains(latitude, longitude)
        return np.where(inside, row * self.columns + column, OUTSIDE).astype(np.int16)

    @property
    def rows(self) -> int:
        """Cells from south to north, with those that the northern border itself lies in."""
        return int(np.floor(round((self.area.north - self.area.south) / self.step_degrees, 6))) + 1

    def box(self, cell: int) -> tuple[float, float, float, float]:
        """South, north, west and east of a cell; south and west belong to it."""
        row, column = divmod(cell, self.columns)
        south, west = self.area.south + row * self.step_degrees, self.area.west + column * self.step_degrees
        return south, south + self.step_degrees, west, west + self.step_degrees

    def name(self, cell: int) -> str:
        """The cell's centre, as latitude and longitude."""
        if cell == OUTSIDE:
            return "outside"
        row, column = divmod(cell, self.columns)
        return (
            f"{self.area.south + (row + 0.5) * self.step_degrees:.3f},{self.area.west + (column + 0.5) * self.step_degrees:.3f}"
        )
