"""The paper's figures and tables, made again: what to train and measure, what to draw, what to say of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
