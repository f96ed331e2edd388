"""Spelling of injected dependencies."""

from typing import TypeAlias, TypeVar

from litestar.di import NamedDependency
from litestar.params import SkipValidation

T = TypeVar("T")

Injected: TypeAlias = NamedDependency[SkipValidation[T]]
"""A dependency by its parameter's name, taken as it is: our own objects need no validation."""
