"""The paper's model and nothing else: networks, losses, phases, and the cycle of wake and sleep they make.

Read `cycle` first, then `phases`, `losses`, `networks`, `cortex` and `occlusion`: a training step enters no other
module but those of the hippocampus and of plasticity, and `layers` with `tiling`, where the one convolution is made
fast.
Nothing here knows of files or configs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
