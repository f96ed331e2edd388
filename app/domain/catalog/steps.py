"""How the requests of this domain follow each other in ``docs/api.http``."""

from app.lib.openapi.collection import Steps

STEPS = Steps(
    repeats={"createProductToDelete": "createProduct"},
    values={"deleteProduct": {"product_id": "{{createProductToDelete.response.body.id}}"}},
)
