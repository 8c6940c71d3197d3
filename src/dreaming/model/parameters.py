"""What every group of parameters has in common: frozen, typed, and no unknown names."""

from typing import Annotated, Any

from annotated_types import Ge
from pydantic import BaseModel, ConfigDict, field_validator

Count = Annotated[int, Ge(1)]
"""A whole number, at least 1."""


class Parameters(BaseModel):
    """A frozen group of named parameters that refuses names it does not know.

    Examples
    --------
    >>> class Learning(Parameters):
    ...     rate: float = 0.1
    >>> Learning(rate=0.2)
    Learning(rate=0.2)
    """

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: Any) -> Any:
        """Refuse true and false where pydantic would read them as 1 and 0."""
        field = cls.model_fields.get(info.field_name or "")
        if isinstance(value, bool) and field is not None and field.annotation is not bool:
            raise ValueError(f"it is {str(value).lower()}, where no truth value is wanted")
        return value

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, use_attribute_docstrings=True
    )
