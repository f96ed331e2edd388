"""How the requests of this domain follow each other in ``docs/api.http``."""

from app.lib.openapi.collection import Steps

STEPS = Steps(lacks={"unsubscribe": "the token of a link in a mail."})
