"""From values of seeds to a judgement: summaries, paired tests, equivalence, and tables that compare runs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
