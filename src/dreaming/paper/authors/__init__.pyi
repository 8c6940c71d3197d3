from . import checkpoint as checkpoint
from . import torch_file as torch_file
from .checkpoint import import_checkpoint as import_checkpoint
