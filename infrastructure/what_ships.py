"""What of the packages goes into the zip, and in what form: nothing that a Lambda never reads (decision 0021)."""

import ast
import gzip
import importlib.util
import json
import marshal
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPERATIONS = {
    "cognito-idp": {"InitiateAuth"},
    # Whatever PynamoDB can do with items
    "dynamodb": {
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    },
    "s3": {
        "GetObject",
        "HeadObject",
        "PutObject",
        # upload_fileobj, for what does not fit into one PutObject
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
        # botocore by itself, to learn the region of a bucket that is elsewhere
        "HeadBucket",
    },
    "ses": {"SendRawEmail"},
    "sqs": {"SendMessage", "SendMessageBatch"},
}
"""The AWS services that the application calls, and their operations that it calls. botocore describes all operations of all."""
NEVER_READ_AT_RUN_TIME = re.compile(
    r"""
      ^botocore/data/ (?: (?! (?:{services})/ ) [^/]+ / | .* /(?:examples|paginators|waiters)- )
    | ^boto3/data/                                      # "resources": we use clients
    | ^(?:cffi|pycparser)/                              # cryptography needs their compiled part only
    | ^aws_lambda_powertools/ (?: event_handler/ | metrics/provider/datadog/ | utilities/ (?! __init__ | jmespath_utils ) )
    | ^dateutil/zoneinfo/                               # zones come from tzdata
    | ^tzdata/zoneinfo/ (?! (?: Europe/ )? __init__\.py$ | Europe/London$ )
    | ^s3transfer/(?:crt|processpool)\.py$ | ^urllib3/contrib/emscripten/

    # Writing a PDF: no images, two fonts in one file format, read by Python alone
    | ^(?:PIL/|pillow)
    | ^font_source_sans_pro/files/ (?! SourceSansPro-(?:Regular|Bold)\.ttf$ | LICENSE )
    | ^fontTools/ .* \.(?:c|so)$
    | ^fontTools/ (?! (?:__init__|agl|unicode)\.py$ | [^/]+/(?:[^/]+/)*__init__\.py$
        | (?:config|encodings|misc|subset|svgLib|ttLib|unicodedata)/ | feaLib/lookupDebugInfo | otlLib/maxContextCalc
        | pens/(?:base|bounds|filter|point|recording|transform|ttGlyph)Pen
        | varLib/(?:builder|errors|models|multiVarStore|varStore) )
    | ^fontTools/(?:colorLib|cu2qu|designspaceLib|diff|merge|mtiLib|qu2cu|t1Lib|ufoLib|voltLib)/
    | ^fontTools/misc/(?:filesystem|iftSparse|macRes|psLib|psOperators|symfont|testTools|xmlReader)
    | ^fontTools/ttLib/(?:removeOverlaps|reorderGlyphs|scaleUpem|woff2)

    # Bank holidays of England and Wales. Without its __init__ a folder is a package that imports nothing.
    | ^holidays/ (?: countries/ (?! united_kingdom\.py$ ) | financial/ | locale/ | calendars/[a-z]+_school )
    | ^holidays/ (?: generate_ics | ical\.py$ )

    # Slips of the keyboard: compiled distances; all else has a twin in Python that is fast enough
    | ^rapidfuzz/ (?: .* _avx2\. | (?:fuzz|process|utils)_cpp )

    | (?:^|/) (?:tests|testing|examples|sboms|__pycache__|__pyinstaller) /
    | ^ (?! holidays | python_ulid ) [^/]+ \.dist-info/METADATA$   # those two ask for their own version
    | \.pyi$ | (?:^|/)py\.typed$ | \.dist-info/(?:RECORD|WHEEL|INSTALLER|REQUESTED)$
    | ^[^/]+\.data/                                     # command-line scripts
    """.format(services="|".join(sorted(OPERATIONS))),
    re.VERBOSE,
)
IMPORTED_IN_VAIN = frozenset({"fontTools/varLib/__init__.py", "fontTools/varLib/instancer/__init__.py"})
"""Ship empty: fpdf2 imports them for fonts that vary. Ours do not, and they would draw in half a megabyte."""
TOLD = ("chalicelib/handlers/", "chalicelib/domain/errors.py")
"""Where docstrings are read at run time: the OpenAPI document tells those of routes, their bodies and answers, and refusals."""

_LAMBDA_CODE_FOLDER = Path("/var/task")
_UNCHECKED_HASH = 0b01
"""The flag of a .pyc (PEP 552) that is taken as it is: there is no source to compare it with."""
_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_ELF_SEGMENT = struct.Struct("<IIQQQQQQ")
"""Headers of a shared library of 64 bits (ELF-64): that of the file, and that of each segment."""
_MAY_HAVE_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def ships(name: str) -> bool:
    """Whether a file goes into the zip, by its path in it."""
    return not NEVER_READ_AT_RUN_TIME.search(name)


def reduce(code: Path) -> None:
    """Bring the files of a code folder into the form in which they ship.

    To be run by a Python with `-X no_debug_ranges`: in what that compiles, an instruction knows its line but not its columns,
    which nothing logs and which would be a quarter of all bytecode.
    """
    _describe_only_what_is_called(code / "botocore/data")
    for file in code.rglob("*.py"):
        _compile(file, code)
    for file in code.rglob("*.so"):
        file.write_bytes(without_symbols(file.read_bytes()))


def _compile(file: Path, code: Path) -> None:
    """Bytecode in place of a source file, without docstrings where nobody reads them in a Lambda.

    A Lambda's code folder is read-only: without bytecode it would compile at every cold start. Assertions stay, and so do the
    line numbers that our log of faults names.
    """
    name = file.relative_to(code)
    source = b"" if str(name) in IMPORTED_IN_VAIN else file.read_bytes()
    tree = ast.parse(source)
    if not str(name).startswith(TOLD):
        _drop_docstrings(tree)
    compiled = compile(tree, str(_LAMBDA_CODE_FOLDER / name), "exec", dont_inherit=True)
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little") + importlib.util.source_hash(source)
    file.with_suffix(".pyc").write_bytes(header + marshal.dumps(compiled))
    file.unlink()


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, _MAY_HAVE_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            if _is_enumeration(node) or _is_dataclass(node):
                continue  # the document tells what words of a field mean; a dataclass without a docstring writes itself one
            docstring = node.body.pop(0)
            if not node.body and not isinstance(node, ast.Module):
                node.body = [ast.copy_location(ast.Pass(), docstring)]


def _is_enumeration(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        isinstance(base, ast.Name) and base.id == "StrEnum" for base in node.bases
    )


def _is_dataclass(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(each) for each in node.decorator_list)


def without_symbols(library: bytes) -> bytes:
    """A shared library up to the end of its last segment.

    Segments are what is loaded. Behind them lie symbols for debuggers and the table of sections: a fifth of cryptography's library.
    """
    header = list(_ELF_HEADER.unpack_from(library))
    first, size, number = header[5], header[9], header[10]
    segments = [_ELF_SEGMENT.unpack_from(library, first + size * each) for each in range(number)]
    end = max(offset + length for _, _, offset, _, _, length, _, _ in segments)
    header[6] = header[12] = header[13] = 0  # where the table of sections is, and how long
    return _ELF_HEADER.pack(*header) + library[_ELF_HEADER.size : end]


def _describe_only_what_is_called(data: Path) -> None:
    """Less for a Lambda to read whenever it creates a client, too. Unpacked, as the zip packs everything."""
    known_as = set()
    for service, operations in OPERATIONS.items():
        for packed in data.glob(f"{service}/*/service-2.json.gz"):
            whole = json.loads(gzip.decompress(packed.read_bytes()))
            known_as |= {service, whole["metadata"]["endpointPrefix"]}
            packed.with_suffix("").write_text(json.dumps(described(whole, operations), separators=(",", ":")))
            packed.unlink()
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        partition["services"] = {name: each for name, each in partition["services"].items() if name in known_as}
    (data / "endpoints.json").write_text(json.dumps(endpoints, separators=(",", ":")))


def described(service: dict[str, Any], operations: set[str]) -> dict[str, Any]:
    """The description of a service with these operations only and the shapes that these need, without documentation."""
    called = {name: each for name, each in service["operations"].items() if name in operations}
    needed: set[str] = set()
    found = set(_shapes_in(called))
    while found:
        needed |= found
        found = {name for shape in found for name in _shapes_in(service["shapes"][shape])} - needed
    shapes = {name: each for name, each in service["shapes"].items() if name in needed}
    # Elsewhere botocore insists on documentation.
    return {**service, "operations": _undocumented(called), "shapes": _undocumented(shapes)}


def _shapes_in(part: Any) -> Iterator[str]:
    """The names of the shapes to which a part of a description refers by `"shape": name`, whether a field, an item or an error."""
    if isinstance(part, list):
        for each in part:
            yield from _shapes_in(each)
    elif isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        for each in part.values():
            yield from _shapes_in(each)


def _undocumented(part: Any) -> Any:
    if isinstance(part, list):
        return [_undocumented(each) for each in part]
    if isinstance(part, dict):
        # A text is documentation; a field of that name would be a dict.
        return {
            name: _undocumented(each)
            for name, each in part.items()
            if not (name == "documentation" and isinstance(each, str))
        }
    return part


if __name__ == "__main__":
    reduce(Path(sys.argv[1]))
