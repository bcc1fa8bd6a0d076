"""Queries that are asked for nearly every request: their SQL is made once.

Django makes the SQL of a query set anew each time, which takes ten times as long as having a database answer a question
for one row.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Field, Model, QuerySet, UUIDField

M = TypeVar("M", bound=Model)
Row = tuple[Any, ...]

_IDS: "UUIDField[UUID, UUID]" = UUIDField()


class Prepared:
    """A query whose only parameters are lists of ids; `ask` makes it as a query set of `values_list`.

    The SQL is kept for each number of ids, and these are powers of two: an id is repeated where some are missing.
    """

    def __init__(self, ask: Callable[..., "QuerySet[Any, Row]"]) -> None:
        self._ask = ask
        self._statements: dict[tuple[str, tuple[int, ...]], _Statement] = {}

    def __call__(self, *lists: Collection[UUID]) -> list[Row]:
        """The rows for these ids; none when one of the lists is empty."""
        if not all(lists):
            return []
        filled = [_filled(list(one)) for one in lists]
        key = connection.vendor, tuple(len(one) for one in filled)
        statement = self._statements.get(key)
        if statement is None:
            statement = self._statements[key] = _made(self._ask, key[1])
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, statement.parameters(filled))
            return [statement.converted(row) for row in cursor.fetchall()]


class PreparedBulk(Generic[M]):
    """`in_bulk` of a model by its id."""

    def __init__(self, model: type[M]) -> None:
        self._model = model

    @cached_property
    def _names(self) -> list[str]:
        return [field.attname for field in self._model._meta.concrete_fields]

    @cached_property
    def _prepared(self) -> Prepared:
        rows = self._model._default_manager.order_by()
        return Prepared(lambda ids: rows.filter(pk__in=ids).values_list(*self._names))

    def __call__(self, ids: Collection[UUID]) -> dict[UUID, M]:
        """The instances there are, by id."""
        rows = self._prepared(ids)
        return {one.pk: one for one in (self._model.from_db(DEFAULT_DB_ALIAS, self._names, row) for row in rows)}


class PreparedInsert(Generic[M]):
    """`bulk_create` of instances that are whole: nothing of theirs is left to the database to fill in."""

    def __init__(self, model: type[M]) -> None:
        self._model = model

    def __call__(self, rows: Sequence[M]) -> None:
        """Store them. Raises IntegrityError; call it in a transaction, or some may be stored."""
        with connection.cursor() as cursor:
            cursor.executemany(self._sql, [[self._given(field, row) for field in self._fields] for row in rows])

    @cached_property
    def _fields(self) -> list["Field[Any, Any]"]:
        return list(self._model._meta.concrete_fields)

    @property
    def _sql(self) -> str:
        quoted = connection.ops.quote_name
        columns = ", ".join(quoted(str(field.column)) for field in self._fields)
        places = ", ".join("%s" for _ in self._fields)
        return f"INSERT INTO {quoted(self._model._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608 - names

    def _given(self, field: "Field[Any, Any]", row: M) -> Any:
        return field.get_db_prep_save(getattr(row, field.attname), connection)


@dataclass(frozen=True, slots=True)
class _Statement:
    """`sources` says which parameters are ids, and from which place in which list; the others are constants."""

    sql: str
    constants: Sequence[Any]
    sources: dict[int, tuple[int, int]]
    converters: dict[int, tuple[list[Callable[..., Any]], Any]]

    def parameters(self, lists: Sequence[Sequence[UUID]]) -> list[Any]:
        """The parameters for these ids, as the database takes them."""
        given = list(self.constants)
        for number, (which, place) in self.sources.items():
            given[number] = _adapted(lists[which][place])
        return given

    def converted(self, row: Row) -> Row:
        """A row as Django's fields have it."""
        values = list(row)
        for position, (converters, column) in self.converters.items():
            for convert in converters:
                values[position] = convert(values[position], column, connection)
        return tuple(values)


def _made(ask: Callable[..., "QuerySet[Any, Row]"], sizes: Sequence[int]) -> _Statement:
    """Make the SQL with ids of nobody, and see where they end up."""
    nobody = [[uuid4() for _ in range(size)] for size in sizes]
    compiler = ask(*nobody).query.get_compiler(DEFAULT_DB_ALIAS)
    sql, parameters = compiler.as_sql()
    places = {_adapted(one): (which, place) for which, ids in enumerate(nobody) for place, one in enumerate(ids)}
    sources = {number: places[value] for number, value in enumerate(parameters) if value in places}
    converters = compiler.get_converters([column for column, _, _ in compiler.select])
    return _Statement(sql, parameters, sources, converters)


def _adapted(one: UUID) -> Any:
    return _IDS.get_db_prep_value(one, connection)


def _filled(ids: list[UUID]) -> list[UUID]:
    """At least as many, and a power of two."""
    return ids + ids[-1:] * ((1 << (len(ids) - 1).bit_length()) - len(ids))
