"""Documents out of files, in blocks: a line of a text file, a field of JSON lines, a column of a table."""

from __future__ import annotations

import glob
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from evenhand import progress
from evenhand.corpora.counting import Counted, Counter
from evenhand.errors import BadData, UnknownName, UsageError
from evenhand.files import expanded
from evenhand.frames.values import BOM

BLOCK = 4 << 20  # bytes of documents that are counted together
TEXT = "text"
_TABLES = (".parquet", ".csv", ".tsv")
_NAME = "Name a file (.txt, .jsonl, .parquet, .csv) or a pattern."
_JSON = (".jsonl", ".ndjson")
Block = list[str]


@dataclass
class Corpus:
    """Documents in files, or in memory.

    Attributes:
        name: what the user called it.
        files: where they are, in order; empty for documents in memory.
        column: the field of JSON lines or the column of a table that holds the text.
        documents: those in memory.
        notes: what a reader has to know, such as lines that are no documents.
        bad: how many lines could not be read, by file.
    """

    name: str
    files: tuple[Path, ...] = ()
    column: str = TEXT
    documents: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)
    bad: dict[str, int] = field(default_factory=dict)
    _counted: dict[Any, Counted] = field(default_factory=dict, repr=False)

    def blocks(self) -> Iterator[Block]:
        """The documents, about 4 MB at a time."""
        if not self.files:
            for start in range(0, len(self.documents), 10_000):
                yield list(self.documents[start : start + 10_000])
        for path in self.files:
            yield from _documents(path, self.column, self)

    def counted(self, attribute: str, *, seed: int = 0) -> Counted:
        """The counts of one pass over all documents, with progress; a second question has the same answer.

        Raises:
            BadData: a file cannot be read.
        """
        key = (attribute, seed)
        if key not in self._counted:
            self.bad.clear()
            counter = Counter(attribute, seed)
            total = sum(path.stat().st_size for path in self.files) or None
            with progress.task(f"Reading {self.name}", total, unit="byte") as advance:
                for block in self.blocks():
                    advance(counter.add(block))
            result = counter.result()
            if self.bad and not result.documents:
                raise self._nothing_read()
            self._counted[key] = result
            self.notes += [
                f"{n} lines of {name} are no documents, and are left out." for name, n in self.bad.items()
            ]
        return self._counted[key]

    def _nothing_read(self) -> BadData:
        """What is said of files none of whose lines is a document."""
        path = next(path for path in self.files if str(path) in self.bad)
        if kind(path) not in _JSON:
            return BadData(f"No line of {path} is UTF-8 text.", mend="Convert it to UTF-8.")
        with _unpacked(path) as file:
            names = _fields(file.readline())
        there = f"the first line has {', '.join(names[:20])}" if names else "its first line is no JSON object"
        return BadData(
            f"No line of {path} has a text in the field {self.column!r}: {there}.",
            mend="Name the field with --text-column.",
        )


def _fields(line: bytes) -> list[str]:
    try:
        found = json.loads(line)
    except ValueError:
        return []
    return list(found) if isinstance(found, dict) else []


def opened_corpus(source: Any, column: str = "") -> Corpus:
    """The corpus of a file, a pattern, several of both, or documents in memory; nothing is read yet.

    Raises:
        BadData: there is no such file, or one of a kind that is not read.
        UsageError: the source is none of these.
    """
    if isinstance(source, Corpus):
        return source
    several = [source] if isinstance(source, str | Path) else source
    if not isinstance(several, Sequence) or not all(isinstance(one, str | Path) for one in several):
        raise UsageError(
            f"A {type(source).__name__} is no corpus.",
            mend="Give a path, a pattern, or a list of paths or texts.",
        )
    if not isinstance(source, str | Path) and not any(_is_path(one) for one in several):
        return Corpus("the documents", documents=[str(one) for one in several])
    files = [path for one in several for path in _files(str(one))]
    for path in files:
        if not column and kind(path) in _TABLES:
            raise UsageError(
                f"{path} is a table.", mend="Say which column holds the text: --text-column NAME."
            )
    return Corpus(", ".join(str(one) for one in several), tuple(files), column or TEXT)


def _is_path(one: str | Path) -> bool:
    if isinstance(one, Path):
        return True
    try:
        return 0 < len(one) < 1000 and "\n" not in one and Path(one).exists()
    except OSError:  # a sentence that is longer than a name may be
        return False


def _files(name: str) -> list[Path]:
    path = expanded(Path(name))
    found = sorted(Path(one) for one in glob.glob(str(path), recursive=True) if Path(one).is_file())  # noqa: PTH207
    try:
        if path.is_file():
            return [path]
    except OSError as error:  # too long a name, or a folder that may not be entered
        raise BadData(f"{name[:80]} cannot be read: {error.strerror}.", mend=_NAME) from None
    if not found:
        raise BadData(f"No file fits {name!r}.", mend=_NAME)
    return found


def kind(path: Path) -> str:
    """The ending that says how a file is read, without that of its packing."""
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def _documents(path: Path, column: str, corpus: Corpus) -> Iterator[Block]:
    """The documents of one file.

    Raises:
        BadData: it cannot be read.
        UnknownName: it has no such column.
    """
    try:
        if kind(path) in _TABLES:
            yield from _of_table(path, column)
        else:
            read = _of_json(column) if kind(path) in _JSON else _plain
            with _unpacked(path) as file:
                yield from _lines(file, read, path, corpus)
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise BadData(f"{path} cannot be read: {error}.", mend="Repair it, or leave it out.") from None


def _unpacked(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _lines(
    file: IO[bytes], read: Callable[[bytes], str | None], path: Path, corpus: Corpus
) -> Iterator[Block]:
    """Blocks of the documents that `read` makes of the lines; those that it cannot read are counted."""
    while block := file.read(BLOCK):
        block += file.readline()
        if read is _plain and (whole := _decoded(block)) is not None:
            yield whole
            continue
        found = [read(line) for line in block.split(b"\n") if line and not line.isspace()]
        kept = [one for one in found if one is not None]
        if len(kept) < len(found):
            corpus.bad[str(path)] = corpus.bad.get(str(path), 0) + len(found) - len(kept)
        yield kept


def _decoded(block: bytes) -> list[str] | None:
    """The lines of a block at once; None where some are not UTF-8."""
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return [line for line in text.removeprefix(BOM).replace("\r\n", "\n").split("\n") if line]


def _plain(line: bytes) -> str | None:
    try:
        return line.decode("utf-8").strip().removeprefix(BOM)
    except UnicodeDecodeError:
        return None


def _of_json(column: str) -> Callable[[bytes], str | None]:
    def read(line: bytes) -> str | None:
        try:
            found = json.loads(line)[column]
        except (ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, str) else None

    return read


def _of_table(path: Path, column: str) -> Iterator[Block]:
    """A column of a parquet or CSV file, batch by batch."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.csv as pc  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        if kind(path) == ".parquet":
            file = pq.ParquetFile(path)
            if column not in file.schema_arrow.names:
                raise UnknownName(f"column in {path}", column, file.schema_arrow.names)
            batches = file.iter_batches(batch_size=8192, columns=[column])
        else:
            separator = "\t" if kind(path) == ".tsv" else ","
            batches = pc.open_csv(
                path,
                parse_options=pc.ParseOptions(delimiter=separator, newlines_in_values=True),
                convert_options=pc.ConvertOptions(column_types={column: pa.string()}),
            )
        for batch in batches:
            if column not in batch.schema.names:
                raise UnknownName(f"column in {path}", column, batch.schema.names)
            yield [str(text) for text in batch.column(column).to_pylist() if text is not None]
    except pa.ArrowException as error:
        said = str(error).partition("\n")[0]
        raise BadData(f"{path} cannot be read: {said[:200]}.", mend="Repair it, or leave it out.") from None
