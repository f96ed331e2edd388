"""How the requests of this domain follow each other in ``docs/api.http``."""

from app.lib.openapi.collection import Steps

STEPS = Steps(
    last=("deactivateUser", "activateUser"),
    repeats={"createSecondUser": "createUser"},
    values={
        "createRole": {"name": "created{{$timestamp}}"},
        "updateRole": {"name": "updated{{$timestamp}}"},
        "setUserRoles": {
            "user_id": "{{createServiceAccount.response.body.id}}",
            "roles": ["{{createRole.response.body.name}}"],
        },
        "findProfiles": {"username": "{{createUser.response.body.username}}"},
    },
)
