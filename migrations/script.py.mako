<%!
import re


def quoted(message):
    return message.replace("\\", "\\\\").replace('"', '\\"')


def without_remarks(code):
    return re.sub(r"^ *# ###.*\n?", "", code, flags=re.MULTILINE).strip()
%>"""${quoted(message)}"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${without_remarks(upgrades) if upgrades else "pass"}


def downgrade() -> None:
    ${without_remarks(downgrades) if downgrades else "pass"}
