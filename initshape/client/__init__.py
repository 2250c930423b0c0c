"""Clients: `Client` and `AsyncClient` for a server, `Local` with the same methods in this process.

`connect` and `connect_async` find the server at hand.
"""

from initshape.client.arrays import Arrays as Arrays
from initshape.client.async_client import AsyncClient as AsyncClient
from initshape.client.client import Client as Client
from initshape.client.connect import connect as connect
from initshape.client.connect import connect_async as connect_async
from initshape.client.errors import ApiError as ApiError
from initshape.client.errors import ClientError as ClientError
from initshape.client.errors import ExpiredError as ExpiredError
from initshape.client.errors import InUseError as InUseError
from initshape.client.errors import NoResultError as NoResultError
from initshape.client.errors import NoServerError as NoServerError
from initshape.client.errors import NotPermittedError as NotPermittedError
from initshape.client.errors import RejectedError as RejectedError
from initshape.client.errors import ServerError as ServerError
from initshape.client.errors import UnknownIdError as UnknownIdError
from initshape.client.errors import UnreachableError as UnreachableError
from initshape.client.errors import WaitTimeoutError as WaitTimeoutError
from initshape.client.job import Job as Job
from initshape.client.job import ResultDocument as ResultDocument
from initshape.client.job import is_over as is_over
from initshape.client.local import Local as Local
from initshape.client.places import is_sweep as is_sweep
from initshape.client.table import MissingPackageError as MissingPackageError
from initshape.client.table import Table as Table
