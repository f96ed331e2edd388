"""How the requests of this domain follow each other in ``docs/api.http``."""

from app.lib.openapi.collection import Steps

_MEMBER = {"token": "{{changePassword.response.body.access_token}}"}

STEPS = Steps(
    last=("closeRoom", "reopenRoom", "leaveRoom", "joinRoom"),
    repeats={"joinRoomToLeave": "joinRoom"},
    values={
        "joinRoom": _MEMBER,
        "joinRoomToLeave": _MEMBER,
        "leaveRoom": _MEMBER | {"room_id": "{{joinRoomToLeave.response.body.id}}"},
        "deleteRoomInvitation": {"user_id": "{{createRoomInvitation.response.body.user.id}}"},
        "deleteRoomMember": {"user_id": "{{createSecondUser.response.body.id}}"},
    },
    lacks={"streamEvents": "to be stopped: it has no end."},
)
