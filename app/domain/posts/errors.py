from app.lib.errors import Duplicate, FieldCode, FieldError, NotFound, NotVisible, PermissionDenied

_NOT_HERE = "There is no such post, or you may not see it."


class PostNotFound(NotFound):
    detail = _NOT_HERE


class PostNotVisible(NotVisible):
    """There is one, but the caller must not learn of it."""

    detail = _NOT_HERE


class NotYourPost(PermissionDenied):
    """The caller may read it. Changing it needs the permission, or to be its author."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"It is not your post; this needs the permission {permission}.")


class SlugTaken(Duplicate):
    detail = "Another post has this slug."

    def __init__(self) -> None:
        super().__init__(
            errors=[FieldError(pointer="/slug", code=FieldCode.NOT_UNIQUE, detail="Is taken by another post.")]
        )
