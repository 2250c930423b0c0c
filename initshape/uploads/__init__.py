"""Files that users send, read without trusting a byte of them: npz and CSV to arrays, arrays to an `Upload`."""

from initshape.uploads.content import dataset_upload as dataset_upload
from initshape.uploads.content import init_upload as init_upload
from initshape.uploads.files import read_dataset as read_dataset
from initshape.uploads.files import read_init as read_init
from initshape.uploads.npz import to_npz as to_npz
