"""A name becomes a frame: a file, several files, a pattern, a database's table, a data frame.

====================================== =======================================================
name                                    what it is
====================================== =======================================================
``people.csv``, ``people.csv.gz``       delimited text (comma, tab, semicolon, bar), also packed
``people.parquet``, ``part-*.parquet``  parquet, one file or all that fit the pattern
``duckdb:file.db#table``                a table of a DuckDB file, ``#schema.table`` in another schema
``postgres://user@host/base#table``     a table of PostgreSQL, likewise
``spark:part-*.parquet``                the same files through Spark, on this machine
====================================== =======================================================
"""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.errors import BadData, EnvironmentProblem, MissingExtra, UnknownName, UsageError, near_names
from evenhand.files import expanded
from evenhand.frames.frame import IN_MEMORY, Frame, readable
from evenhand.frames.headers import Header, header_of
from evenhand.frames.memory import as_arrow
from evenhand.frames.spilling import spill_folder
from evenhand.frames.values import clean

if TYPE_CHECKING:
    import ibis.expr.types as ir

Source = Any  # a path, several, a name of the table above, a pandas or pyarrow table, an Ibis expression
MEMORY = "512MB"  # of DuckDB, beyond which it works out of core
_NAME = "Name a CSV or parquet file, or a pattern in quotes."
_PATTERN = frozenset("*?[")
_PASSWORD = re.compile(r"(?<=[^/:]):[^/@]*(?=@)|(?<=[?&])password=[^&#]*&?")
_DATABASES = ("duckdb:", "postgres://", "postgresql://")
_SPARK = "spark:"
# A server may be told to write dates as in Germany, and numbers with fewer digits than they have.
_PLAINLY = "set datestyle to 'ISO'; set extra_float_digits to 1; set bytea_output to 'hex'"
_AS_TEXT = ("interval", "unknown", "uuid", "json", "inet", "macaddr")  # types, as Ibis calls them


def opened(source: Source, *, skip_broken: bool = False) -> Frame:
    """The frame of a source; nothing but headers is read.

    With `skip_broken`, files of a pattern that cannot be read are left out, and a note names them; all files
    are read through for that. Of what is no files it changes nothing.

    Raises:
        BadData: there is no such file, or one cannot be read as a table.
        MissingExtra: Ibis, or what the kind of source needs, is not installed.
        UnknownName: a database has no such table.
    """
    if isinstance(source, Frame):
        return source
    require_ibis()
    return _plain(_opened(source, skip_broken=skip_broken))


def _opened(source: Source, *, skip_broken: bool) -> Frame:
    if isinstance(source, str) and source.startswith(_DATABASES):
        return _database(source)
    if not of_files(source):
        return _from_memory(source)
    names = [source] if isinstance(source, str | Path) else list(source)
    in_spark = isinstance(source, str) and source.startswith(_SPARK)
    paths = [path for one in names for path in _files(str(one).removeprefix(_SPARK) if in_spark else one)]
    headers, left_out = _sound(paths, skip_broken=skip_broken)
    name = ", ".join(map(str, names))
    if in_spark:
        from evenhand.frames.spark import opened_in_spark

        frame = opened_in_spark(name, headers)
    else:
        complete = frozenset.intersection(*(one.complete for one in headers))
        frame = Frame(_read(headers), name, as_text=not headers[0].parquet, complete=complete)
    frame.notes += left_out
    return frame


def of_files(source: Source) -> bool:
    """Whether a source is files, and neither a table of a database nor one in memory."""
    if isinstance(source, str | Path):
        return not str(source).startswith(_DATABASES)
    return (
        isinstance(source, Sequence) and bool(source) and all(isinstance(one, str | Path) for one in source)
    )


def _plain(frame: Frame) -> Frame:
    """The frame with types as text that arrow lacks, or that engines do not compare."""
    kinds = frame.table.schema().items()
    odd = [name for name, kind in kinds if any(getattr(kind, f"is_{one}")() for one in _AS_TEXT)]
    if not odd:
        return frame
    texts = {name: frame.table[name].cast("string") for name in odd}
    return frame.having(frame.table.mutate(**texts), changed=odd)


def require_ibis() -> None:
    """Nothing, if Ibis and DuckDB are installed.

    Raises:
        MissingExtra: they are not.
    """
    try:
        import duckdb  # noqa: F401
        import ibis  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "ibis", "audit", "Auditing a data set") from None


def connection() -> Any:
    """A DuckDB connection that keeps to `MEMORY` and puts what is more into a temporary folder."""
    import duckdb
    import ibis

    made = ibis.duckdb.connect()
    made.raw_sql(f"SET memory_limit = '{MEMORY}'")
    with suppress(duckdb.InvalidInputException):  # in a notebook without ipywidgets, which has no bar to hide
        made.raw_sql("SET enable_progress_bar = false")
    _spilling(made)
    return made


def _spilling(made: Any) -> None:
    """Have DuckDB put what does not fit into its memory into a folder that does not outlive this process.

    By default that is a folder beside the user's file.
    """
    folder = str(spill_folder())
    made.raw_sql(f"SET temp_directory = '{folder.replace(chr(39), chr(39) * 2)}'")


def _files(name: str | Path) -> list[Path]:
    """The files that a path or a pattern names, sorted.

    Raises:
        BadData: there are none.
    """
    if not str(name).strip():
        raise BadData(f"{name!r} names no file.", mend=_NAME)
    path = expanded(Path(name))
    try:
        if path.is_file():
            return [path]
    except OSError as error:  # too long a name, or a folder that may not be entered
        raise BadData(f"{str(name)[:80]} cannot be read: {error.strerror}.", mend=_NAME) from None
    if path.is_dir():
        raise BadData(
            f"{name} is a folder.", mend=f"Name its files with a pattern, such as '{name}/*.parquet'."
        )
    if _PATTERN & set(str(name)):
        found = sorted(Path(one) for one in glob.glob(str(path), recursive=True) if Path(one).is_file())  # noqa: PTH207
        if found:
            return found
        raise BadData(f"No file fits the pattern {name}.", mend="Look at the folder's name and the ending.")
    there = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    near = near_names(path.name, there)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise BadData(f"{name} does not exist.", mend=f"{hint}{_NAME}")


def _sound(paths: Sequence[Path], *, skip_broken: bool) -> tuple[list[Header], list[str]]:
    """The headers of files with the same columns, and a note that names those that were left out.

    Raises:
        BadData: files cannot be read, or differ in their columns; all of them are named.
    """
    headers: list[Header] = []
    broken: list[str] = []
    for path in paths:
        try:
            header = header_of(path)
            if skip_broken and len(paths) > 1:
                _check_whole(header)
            headers.append(header)
        except BadData as error:
            if len(paths) == 1:
                raise
            broken.append(error.what)
    if broken and not (skip_broken and headers):
        raise BadData(
            f"{len(broken)} of {len(paths)} files cannot be read: {' '.join(broken[:5])}",
            mend="Repair them, or add --skip-broken to audit the others.",
        )
    _check_alike(headers)
    return headers, [
        f"{len(broken)} of {len(paths)} files were left out: {' '.join(broken)}"
    ] if broken else []


def _check_whole(header: Header) -> None:
    """Nothing, if every value of a file can be read; the engine streams it.

    Raises:
        BadData: one cannot.
    """
    import ibis

    table = _read([header])
    # Hashes, for smallest, largest and missing values may be taken from what parquet says of itself.
    with readable(str(header.path)):
        table.aggregate(ibis.or_(*(table[name].hash() == 0 for name in table.columns)).sum()).to_pyarrow()


def _check_alike(headers: Sequence[Header]) -> None:
    first = headers[0]
    for other in headers[1:]:
        if set(other.columns) != set(first.columns) or other.parquet != first.parquet:
            odd = sorted(set(other.columns) ^ set(first.columns))
            raise BadData(
                f"{other.path} has other columns than {first.path}: "
                f"{', '.join(odd[:5]) or 'another format'}.",
                mend="Audit files with the same columns together, and others apart.",
            )


def _read(headers: Sequence[Header]) -> ir.Table:
    """One expression of all the files, whatever the order of their columns."""
    made = connection()
    if headers[0].parquet:
        with readable(str(headers[0].path)):
            table = made.read_parquet([str(one.path) for one in headers], union_by_name=True)
        return table.rename({clean(name): name for name in table.columns if clean(name) != name})
    tables = []
    for one in headers:
        columns = dict.fromkeys(one.columns, "VARCHAR")
        with readable(str(one.path)):
            read = made.read_csv(
                str(one.path),
                columns=columns,
                delim=one.separator,
                header=True,
                auto_detect=False,
                quote='"',
                escape='"',
                nullstr="",
                strict_mode=True,
            )
        tables.append(read.select(list(headers[0].columns)))
    first, *rest = tables
    return first.union(*rest) if rest else first


def _database(source: str) -> Frame:
    """A table of a database.

    Raises:
        UsageError: no table is named.
        UnknownName: there is no such table.
        EnvironmentProblem: the database cannot be reached.
    """
    import ibis

    address, _, table = source.partition("#")
    if not table:
        shown = shown_address(address)
        raise UsageError(f"{shown!r} names no table.", mend=f"Write it after a #, such as {shown}#people.")
    try:
        if address.startswith("duckdb:"):
            path = address.removeprefix("duckdb:")
            if not Path(path).is_file():
                raise BadData(f"{path} does not exist.", mend="Name a DuckDB file.")
            made = ibis.duckdb.connect(path, read_only=True)
            _spilling(made)
        else:
            made = ibis.connect(address.replace("postgresql://", "postgres://"))
            made.raw_sql(_PLAINLY).close()
    except ImportError as error:
        raise MissingExtra(error.name or "psycopg", "postgres", "Auditing a table of PostgreSQL") from None
    except (BadData, UsageError):
        raise
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        raise EnvironmentProblem(
            f"{shown_address(address)} cannot be opened: {said}.",
            mend="Name a DuckDB file that no other program writes to."
            if address.startswith("duckdb:")
            else "Check the address; a password is also taken from PGPASSWORD.",
        ) from error
    there = _tables(made)
    if table in there:
        return Frame(made.table(table), shown_address(source))
    schema, _, name = table.rpartition(".")
    if schema and name in _tables(made, schema):
        return Frame(made.table(name, database=schema), shown_address(source))
    raise UnknownName(f"table in {shown_address(address)}", table, there)


def shown_address(source: str) -> str:
    """A source as it is written into reports: that of a database without a password."""
    return _PASSWORD.sub("", source) if source.startswith(_DATABASES) else source


def _tables(made: Any, schema: str | None = None) -> list[str]:
    """The names of the tables and views in a schema, or in the usual one."""
    if made.name != "duckdb":
        return [str(name) for name in made.list_tables(database=schema)]
    # Ibis 12 cannot list those of DuckDB 2.
    asked = "select table_name from information_schema.tables where table_schema = ?"
    return [str(name) for (name,) in made.con.execute(asked, [schema or made.current_database]).fetchall()]


def _from_memory(source: Any) -> Frame:
    """A data frame of pandas, polars or pyarrow, or an Ibis expression.

    Raises:
        UsageError: it is none of them.
        BadData: the engine cannot hold it.
    """
    import ibis

    frame, table = IN_MEMORY
    if isinstance(source, ibis.expr.types.Table):
        return Frame(source, table)
    made = connection()
    with readable(frame):
        held = as_arrow(source)
        made.con.register("frame", held)  # as it is: nothing is copied
        return Frame(made.table("frame"), frame)
