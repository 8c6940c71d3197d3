import dreaming.model.pixels

from . import arrays as arrays
from . import batches as batches
from . import contents as contents
from . import dataset as dataset
from . import download as download
from . import known as known
from . import loading as loading
from . import readers as readers
from . import resizing as resizing
from . import sources as sources
from . import weights as weights
from .batches import epoch_order as epoch_order
from .contents import Split as Split
from .dataset import Dataset as Dataset
from .download.fetching import fetch as fetch
from .known import names as names
from .loading import DatasetInfo as DatasetInfo
from .loading import check as check
from .loading import dataset_info as dataset_info
from .loading import load_dataset as load_dataset
from .sources import FileCheck as FileCheck

to_activity = dreaming.model.pixels.to_activity
