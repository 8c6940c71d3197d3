from . import cifar10 as cifar10
from . import digits as digits
from . import folder as folder
from . import house_digits as house_digits
from . import parquet as parquet
from . import pictures as pictures
from . import svhn as svhn
