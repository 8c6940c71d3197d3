"""What every group of parameters has in common: frozen, typed, and deaf to unknown names."""

from pydantic import BaseModel, ConfigDict


class Parameters(BaseModel):
    """A frozen group of named parameters that refuses names it does not know.

    Examples
    --------
    >>> class Learning(Parameters):
    ...     rate: float = 0.1
    >>> Learning(rate=0.2)
    Learning(rate=0.2)
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, use_attribute_docstrings=True
    )
