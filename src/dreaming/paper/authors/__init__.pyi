from . import checkpoint as checkpoint
from .checkpoint import import_checkpoint as import_checkpoint
