from app.lib.errors import FieldCode, FieldError, NotFound, ValidationFailed


class NoSuchLink(NotFound):
    detail = "This link is not complete, or not one of ours."


class NotOneClick(ValidationFailed):
    """RFC 8058 section 3.2 has mail programs send this very pair, so that nothing else ends up here by chance."""

    def __init__(self) -> None:
        detail = 'Must be "One-Click".'
        super().__init__([FieldError(pointer="/List-Unsubscribe", code=FieldCode.INVALID_CHOICE, detail=detail)])
