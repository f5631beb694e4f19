"""What of the packages goes into the zip, and in what form: nothing that a Lambda never reads (decision 0021)."""

import ast
import importlib.util
import marshal
import re
import struct
from pathlib import Path

# The AWS services that the application calls. botocore carries the description of every other one too.
SERVICES = frozenset({"cognito-idp", "dynamodb", "s3", "ses", "sqs"})
NEVER_READ_AT_RUN_TIME = re.compile(
    r"""
      (?:botocore|boto3)/data/ (?: (?! (?:{services})/ ) [^/]+ / | .* /examples-1\.json$ )
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
    """.format(services="|".join(sorted(SERVICES))),
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
    """Bring the files of a code folder into the form in which they ship."""
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
            if _is_enumeration(node):
                continue  # the document tells what the words of a field mean
            docstring = node.body.pop(0)
            if not node.body and not isinstance(node, ast.Module):
                node.body = [ast.copy_location(ast.Pass(), docstring)]


def _is_enumeration(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        isinstance(base, ast.Name) and base.id == "StrEnum" for base in node.bases
    )


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
