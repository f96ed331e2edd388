"""SQL functions that the two databases spell differently: a class for each, whose arguments are those of the call."""

from typing import Any, ClassVar, TypeVar

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

T = TypeVar("T")


class DialectFunction(FunctionElement[T]):
    """A subclass has the SQL of each database, in which ``{0}`` is the first argument and ``{all}`` are all of them."""

    postgresql: ClassVar[str]
    sqlite: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.inherit_cache = True  # SQLAlchemy asks each class itself
        super().__init_subclass__()


@compiles(DialectFunction)
def _spelled(element: Any, compiler: Any, **options: Any) -> str:
    sql: str = getattr(element, compiler.dialect.name)
    # Where it has none of them they must not be compiled, for that would number their parameters.
    arguments = [compiler.process(each, **options) for each in element.clauses] if "{" in sql else ()
    return sql.format(*arguments, all=", ".join(arguments))
