"""Secrets in source code: literals that are given to names that secrets have."""

import ast
import re
from collections.abc import Iterator

from naga.secrets import MARK, is_secret_key, redact_text

_SHAPES = re.compile(
    r"\b(sk-[\w-]{16,}|hf_\w{16,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,})"
)
_ENVIRON = re.compile(r"(environ|putenv|env)\b")
_OPENING = re.compile(r"(key|token|secret|pass|password|auth|pat|pwd)s?$", re.IGNORECASE)
_LOGIN = re.compile(r"(^|_)(login|log_in|authenticate|authorize)$", re.IGNORECASE)
_BARE = re.compile(rf"(?<=[=:(,\s]){MARK}(?=[\s,;)\]}}#]|\Z)")  # code stays code
_LINE = re.compile(r"^(?P<indent>[ \t]*)[%!].*$", re.MULTILINE)
_TYPED = re.compile(
    r"""^(?P<head>[ \t]*%(?:env|set_env)[ \t]+(?P<key>\w+)(?:[ \t]*=[ \t]*|[ \t]+))(?P<value>.+)$""", re.MULTILINE
)
_SHELL = re.compile(r"""(?P<head>\b(?P<key>\w+)=|--(?P<option>[\w-]+)[= ])(?P<value>[^\s'"]+|'[^']*'|"[^"]*")""")


def redact_source(text: str) -> str:
    """Take the secrets out of source code, including cells with magics and code that does not parse.

    Examples
    --------
    >>> print(redact_source('os.environ["KEY"] = "sk-1"; login(token="abc"); password: str = "x"; lr = "a"'))
    os.environ["KEY"] = "<redacted>"; login(token="<redacted>"); password: str = "<redacted>"; lr = "a"
    """
    lines = [line.encode(errors="surrogateescape") for line in re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    source = b"".join(lines)
    for node in sorted(_secret_literals(text), key=lambda node: (node.lineno, node.col_offset), reverse=True):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)
        source = source[:begin] + f'"{MARK}"'.encode() + source[end:]
    cleaned = _TYPED.sub(_masked, source.decode(errors="surrogateescape"))
    cleaned = _LINE.sub(lambda line: _SHELL.sub(_masked, line[0]), cleaned)
    return _BARE.sub(f'"{MARK}"', redact_text(_SHAPES.sub(MARK, cleaned)))


def _masked(found: re.Match[str]) -> str:
    key = found["key"] or found.groupdict().get("option") or ""
    return f"{found['head']}{MARK}" if is_secret_key(key) or _OPENING.search(key) else found[0]


def _secret_literals(text: str) -> list[ast.Constant | ast.JoinedStr]:
    # Magics are no Python: of equal length, so that positions stay.
    plain = re.sub(r"\A\s*%%.*", "pass", text)
    plain = _LINE.sub(lambda line: f"{line['indent']}pass", plain)
    try:
        tree = ast.parse(plain)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = {
        id(literal): literal
        for node in ast.walk(tree)
        for value in _secret_values(node)
        for literal in _literals(value)
    }
    return list(found.values())


def _secret_values(node: ast.AST) -> Iterator[ast.expr | None]:
    """Return the expressions that a node gives to secret names."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _given(target, node.value)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr | ast.AugAssign):
        yield from _given(node.target, node.value)
    elif isinstance(node, ast.Dict):
        yield from (value for key, value in zip(node.keys, node.values, strict=True) if key and _is_secret(key))
    elif isinstance(node, ast.arguments):
        named = [*node.posonlyargs, *node.args]
        pairs = [
            *zip(named[len(named) - len(node.defaults) :], node.defaults, strict=True),
            *zip(node.kwonlyargs, node.kw_defaults, strict=True),
        ]
        yield from (value for name, value in pairs if is_secret_key(name.arg))
    elif isinstance(node, ast.Call):
        yield from _called(node)
    elif isinstance(node, ast.Compare) and _is_secret(node.left):
        yield from node.comparators


def _given(target: ast.expr, value: ast.expr | None) -> Iterator[ast.expr | None]:
    if (
        isinstance(target, ast.Tuple | ast.List)
        and isinstance(value, ast.Tuple | ast.List)
        and len(target.elts) == len(value.elts)
    ):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _given(one, its)
    elif _is_secret(target):
        yield value


def _called(node: ast.Call) -> Iterator[ast.expr]:
    yield from (keyword.value for keyword in node.keywords if keyword.arg and is_secret_key(keyword.arg))
    name = ast.unparse(node.func)
    last = name.rpartition(".")[2]
    if _LOGIN.search(last) or (is_secret_key(last) and last.startswith(("set", "add", "use"))):
        yield from node.args
    pairs = zip(node.args, node.args[1:], strict=False)
    yield from (
        value
        for key, value in pairs
        if isinstance(key, ast.Constant) and _is_secret(key, in_environ=bool(_ENVIRON.search(name)))
    )


def _is_secret(target: ast.expr, *, in_environ: bool = False) -> bool:
    """Return whether a name, an attribute or the key of an item is that of a secret; broadly in the environment."""
    if isinstance(target, ast.Subscript):
        return _is_secret(target.slice, in_environ=bool(_ENVIRON.search(ast.unparse(target.value))))
    name = target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        name = target.value
    return bool(name) and (is_secret_key(name) or (in_environ and bool(_OPENING.search(name))))


def _literals(value: ast.expr | None) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Find the literals that an expression may evaluate to, not the keys of its look-ups."""
    if isinstance(value, ast.JoinedStr):
        yield value
    elif isinstance(value, ast.Constant):
        # A short number is a setting, `token = 8`; a long one may be a PIN.
        constant = value.value
        if constant if isinstance(constant, str | bytes) else type(constant) is int and constant > 999:
            yield value
    elif isinstance(
        value, ast.BinOp | ast.BoolOp | ast.IfExp | ast.Tuple | ast.List | ast.Set | ast.Dict | ast.Starred
    ):
        for child in ast.iter_child_nodes(value):
            if isinstance(child, ast.expr):
                yield from _literals(child)
