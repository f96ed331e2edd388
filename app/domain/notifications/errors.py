from app.lib.errors import FieldCode, FieldError, NotFound, ValidationFailed


class NoSuchLink(NotFound):
    detail = "This link is incomplete or invalid."


class NotOneClick(ValidationFailed):
    """RFC 8058 section 3.2: mail programs send this pair, so that no other request unsubscribes by chance."""

    def __init__(self) -> None:
        detail = 'Must be "One-Click".'
        super().__init__([FieldError(pointer="/List-Unsubscribe", code=FieldCode.INVALID_CHOICE, detail=detail)])
