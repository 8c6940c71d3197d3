"""Torch as it starts: what another library or a notebook changed process-wide does not change a run.

Gradients switched off, another number type or device by default, autocast, coarser products, deterministic
modes: torch holds all of them for the whole process. What computes here is wrapped in `torch_defaults`, so that a
call comes to the same bits whatever it finds, and leaves all as it was.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple

import torch

CAST = ("cpu", "cuda")
FAMILIES = (("generic", "all"), ("cuda", "all"), ("mkldnn", "all"))
PRODUCTS = tuple((backend, kind) for backend in ("cuda", "mkldnn") for kind in ("matmul", "conv", "rnn"))

_tf32 = ContextVar("tf32", default=False)


class _Setting(NamedTuple):
    """A state of torch's: how it is read, how it is written, and what it is to be."""

    read: Callable[[], Any]
    write: Callable[[Any], object]
    wanted: Any

    def make(self, value: Any) -> None:
        """Write a value where another one is."""
        if self.read() != value:
            self.write(value)


@contextmanager
def torch_defaults(tf32: bool | None = None) -> Iterator[None]:
    """Compute within the block, or the function, as in a process where nobody changed torch, and repeatably.

    Parameters
    ----------
    tf32
        Whether products of float32 may be rounded to tf32, which only GPUs do; None leaves that to the block around
        this one, and without one they may not.

    Notes
    -----
    How many threads compute is left as it is: it is the user's to say, and is recorded with a run.

    Examples
    --------
    >>> with torch.no_grad(), torch_defaults():
    ...     torch.is_grad_enabled()
    True
    """
    tf32 = _tf32.get() if tf32 is None else tf32
    with ExitStack() as changed:
        changed.callback(_tf32.reset, _tf32.set(tf32))
        for setting in _settings():
            changed.callback(setting.make, setting.read())
            setting.make(setting.wanted)
        _settle_products("tf32" if tf32 else "ieee", changed)
        changed.enter_context(torch.inference_mode(False))
        changed.enter_context(torch.enable_grad())
        if torch.is_anomaly_enabled():
            changed.enter_context(torch.autograd.set_detect_anomaly(False))
        if torch.get_default_device() != torch.device("cpu"):
            changed.enter_context(torch.device("cpu"))
        yield


def _settings() -> list[_Setting]:
    """List the states that are read and written one by one."""
    cudnn, mkldnn = torch.backends.cudnn, torch.backends.mkldnn
    return [
        _Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        _Setting(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, 0),
        _Setting(lambda: sys.float_info.min / 2 == 0, torch.set_flush_denormal, False),
        _of(cudnn, "enabled", True),
        _of(cudnn, "benchmark", False),
        _of(cudnn, "deterministic", True),
        _of(mkldnn, "enabled", True),
        *(
            _Setting(
                partial(torch.is_autocast_enabled, kind), partial(torch.set_autocast_enabled, kind), False
            )
            for kind in CAST
        ),
    ]


def _of(owner: Any, name: str, wanted: object) -> _Setting:
    return _Setting(lambda: getattr(owner, name), lambda value: setattr(owner, name, value), wanted)


def _settle_products(precision: str, changed: ExitStack) -> None:
    """Settle how exactly products of float32 are computed, by both of the ways in which torch can be told.

    The older way is one word for all products and another for cuDNN, the newer a word for each backend and kind,
    which for "none" is that of its group. A product follows the newer; but torch refuses to say what the older is
    while they disagree, so the older is made to agree where it can be read.
    """
    groups, products = ([_product(*where, precision) for where in each] for each in (FAMILIES, PRODUCTS))
    for product in products:  # at the very end: cuDNN's yield to their group as long as nobody set them
        changed.callback(product.make, product.read())
    for group in groups:  # while they are "none", each product is read as it was set itself
        changed.callback(group.make, group.read())
        group.make("none")
    for product in products:
        changed.callback(product.make, product.read())
    tf32 = precision == "tf32"
    for older in (
        _Setting(
            torch.get_float32_matmul_precision,
            torch.set_float32_matmul_precision,
            "high" if tf32 else "highest",
        ),
        _of(torch.backends.cudnn, "allow_tf32", tf32),
    ):
        try:
            before = older.read()
        except RuntimeError:  # somebody told torch in the newer way: the older is not asked any more
            continue
        changed.callback(older.write, before)
        older.write(older.wanted)
    for product in products:
        product.make(product.wanted)


def _product(backend: str, kind: str, wanted: str) -> _Setting:
    return _Setting(
        lambda: torch._C._get_fp32_precision_getter(backend, kind),
        lambda precision: torch._C._set_fp32_precision_setter(backend, kind, precision),
        wanted,
    )
