from tests.annotate.api.conftest import api as api
from tests.annotate.api.conftest import bundle_root as bundle_root
