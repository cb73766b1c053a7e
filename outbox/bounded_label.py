"""Labels whose values come from outside, such as the name of a carrier: they must not make series without end."""

OTHER = "other"


class BoundedLabel:
    """A label that takes the first `values_max` values that come. All others share the label `other`."""

    def __init__(self, values_max: int) -> None:
        self._values_max = values_max
        self._values: set[str] = set()

    def of(self, value: str) -> str:
        """Return the label for this value."""
        if len(self._values) < self._values_max:
            self._values.add(value)
        return value if value in self._values else OTHER
