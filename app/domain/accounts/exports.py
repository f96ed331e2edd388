from app.domain.accounts.models import Profile, Role, User, UsernameHold, UserRole
from app.lib.export import export

EXPORTS = (
    export(
        "user",
        User.id,
        User.email,
        User.username,
        User.name,
        User.locale,
        User.is_active,
        User.is_verified,
        User.is_superuser,
        User.metadata_.label("metadata"),
        User.created_at,
        User.updated_at,
        of=User.id,
        by=[User.id],
    ),
    export(
        "profile",
        Profile.id,
        Profile.first_name,
        Profile.last_name,
        Profile.bio,
        Profile.avatar_url,
        Profile.created_at,
        Profile.updated_at,
        of=Profile.user_id,
        by=[Profile.id],
    ),
    export("usernames", UsernameHold.username_key, of=UsernameHold.user_id, by=[UsernameHold.username_key]),
    export("roles", Role.id, Role.name, of=UserRole.user_id, by=[Role.id], where=[UserRole.role_id == Role.id]),
)
