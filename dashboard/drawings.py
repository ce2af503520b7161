"""What has been drawn once is not drawn again: twenty browsers with one view cost the drawing of one."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Drawing = TypeVar("Drawing")
MOST = 400  # of some tens of kilobytes each


class Drawings:
    """The newest drawings by what they are drawn from; the longest unused goes first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._drawn: OrderedDict[Hashable, Any] = OrderedDict()
        self.made = 0

    def of(self, key: Hashable, draw: Callable[[], Drawing]) -> Drawing:
        """The drawing of this key, made by `draw` where there is none."""
        if key not in self._drawn:
            self.made += 1
            self._drawn[key] = draw()
            if len(self._drawn) > self._most:
                self._drawn.popitem(last=False)
        self._drawn.move_to_end(key)
        found: Drawing = self._drawn[key]
        return found

    def kept(self, key: Hashable) -> Any:  # noqa: ANN401 - whatever was kept under this key
        """What is there, or None."""
        return self._drawn.get(key)
