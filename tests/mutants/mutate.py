"""Plausible mistakes in a function: each is one small change of its syntax tree.

The kinds: a sign turned, a term or factor missing, another scale, another axis or a transpose, operands or results in
the wrong order, a wrong variable, a condition turned, a statement left out.
"""

import ast
import inspect
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import CodeType, FunctionType
from typing import NamedTuple

NO_RESULT = {"fetch", "prefetch", "compiled_once"}  # calls that change how fast a kernel is, and nothing else
TURNED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.Lt: ast.GtE, ast.GtE: ast.Lt,
    ast.Gt: ast.LtE, ast.LtE: ast.Gt,
}  # fmt: skip


class Mutant(NamedTuple):
    """A function with one mistake."""

    function: FunctionType
    line: int
    kind: str
    before: str
    after: str
    code: CodeType  # to be put in the place of the function's own

    def __str__(self) -> str:
        where = Path(self.function.__code__.co_filename)
        place = f"{where.parent.name}/{where.name}:{self.line}"
        return f"{place} {self.function.__name__}: {self.kind}: {self.before}  ->  {self.after}"


def mutants(function: FunctionType, every: int = 1) -> Iterator[Mutant]:
    """Yield every n-th mutant of a function, in the order of its source."""
    path = inspect.getsourcefile(function)
    module = ast.parse(Path(path).read_text())
    definition = _definition(module, function.__code__)
    names = _names(function.__code__)
    mistakes = ((node, put, *mistake) for node, put in _places(definition.body) for mistake in _mistakes(node, names))
    for node, put, kind, new in islice(mistakes, 0, None, every):
        ast.copy_location(new, node)
        put(new)
        code = _find(compile(ast.fix_missing_locations(module), path, "exec"), function.__code__)
        put(node)
        yield Mutant(function, node.lineno, kind, ast.unparse(node), ast.unparse(new), code)


def _definition(module: ast.Module, code: CodeType) -> ast.FunctionDef:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    raise LookupError(code.co_qualname)


def _find(code: CodeType, wanted: CodeType) -> CodeType | None:
    """The code in a compiled module that stands where the wanted code does."""
    if (code.co_qualname, code.co_firstlineno) == (wanted.co_qualname, wanted.co_firstlineno):
        return code
    found = (_find(part, wanted) for part in code.co_consts if isinstance(part, CodeType))
    return next((part for part in found if part), None)


def _names(code: CodeType) -> list[str]:
    """The variables of a function: arguments, then what it assigns."""
    return [name for name in code.co_varnames if name not in ("self", "_")]


def _places(body: list[ast.stmt]) -> Iterator[tuple[ast.AST, callable]]:
    """Every node that a mistake may stand in, with a function that puts another in its place."""
    for parent in body:
        if not _is_silent(parent):
            yield parent, _setter(body, body.index(parent))
            yield from _inside(parent)


def _inside(parent: ast.AST) -> Iterator[tuple[ast.AST, callable]]:
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "targets", "target"):
            continue
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            yield from _places(value)
        elif isinstance(value, list):
            for i, child in enumerate(value):
                if isinstance(child, ast.AST):
                    yield child, _setter(value, i)
                    yield from _inside(child)
        elif isinstance(value, ast.AST):
            yield value, lambda new, field=field: setattr(parent, field, new)
            yield from _inside(value)


def _setter(values: list, i: int) -> callable:
    return lambda new: values.__setitem__(i, new)


def _is_silent(statement: ast.stmt) -> bool:
    """Whether no result depends on a statement: docstrings, checks of arguments, hints to the processor."""
    if isinstance(statement, ast.If):
        return all(isinstance(s, ast.Raise) for s in statement.body)
    if not isinstance(statement, ast.Expr):
        return isinstance(statement, ast.Raise)
    call = statement.value
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
        return call.func.id in NO_RESULT or call.func.id.startswith("check_")
    return isinstance(call, ast.Constant)


def _mistakes(node: ast.AST, names: list[str]) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in a node's place by mistake."""
    match node:
        case ast.BinOp(left, op, right):
            if type(op) in TURNED:
                yield (
                    "sign" if isinstance(op, ast.Add | ast.Sub) else "scale",
                    ast.BinOp(left, TURNED[type(op)](), right),
                )
            if isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.Div):
                yield "missing", left
            if isinstance(op, ast.Add | ast.Mult):
                yield "missing", right
            if isinstance(op, ast.Sub | ast.MatMult | ast.Div):
                yield "order", ast.BinOp(right, op, left)
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield "sign", operand
        case ast.Constant(bool(value)):
            yield "condition", ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield "number", ast.Constant(value + 1 if isinstance(value, int) else 2 * value)
        case ast.Attribute(value, "T"):
            yield "axis", value
        case ast.Compare(left, [op], rest) if type(op) in TURNED:
            yield "condition", ast.Compare(left, [TURNED[type(op)]()], rest)
        case ast.BoolOp(op, values):
            yield "condition", ast.BoolOp(TURNED[type(op)](), values)
        case ast.IfExp(test, body, other):
            yield "condition", ast.IfExp(test, other, body)
        case ast.Name(name, ast.Load()) if name in names and len(names) > 1:
            yield "variable", ast.Name(names[(names.index(name) + 1) % len(names)], ast.Load())
        case ast.Tuple([_, _, *_] as parts, ast.Load()):
            yield "order", ast.Tuple([parts[1], parts[0], *parts[2:]], ast.Load())
            if len(parts) > 2:
                yield "order", ast.Tuple([*parts[:-2], parts[-1], parts[-2]], ast.Load())
        case ast.Call(function, arguments, keywords):
            yield from _wrong_calls(function, arguments, keywords)
        case ast.AugAssign(target, op, value):
            yield "missing", ast.Pass()
            if type(op) in TURNED:
                yield "sign", ast.AugAssign(target, TURNED[type(op)](), value)
        case ast.Assign([ast.Subscript()]) | ast.Expr(ast.Call()):
            yield "missing", ast.Pass()


def _wrong_calls(function: ast.expr, arguments: list, keywords: list) -> Iterator[tuple[str, ast.AST]]:
    for i in range(len(arguments) - 1):
        swapped = [*arguments[:i], arguments[i + 1], arguments[i], *arguments[i + 2 :]]
        yield "order", ast.Call(function, swapped, keywords)
    for i in range(len(keywords)):
        yield "missing", ast.Call(function, arguments, keywords[:i] + keywords[i + 1 :])
    match function:
        case ast.Attribute(value, "sum"):
            yield "scale", ast.Call(ast.Attribute(value, "mean", ast.Load()), arguments, keywords)
        case ast.Attribute(value, "mean"):
            yield "scale", ast.Call(ast.Attribute(value, "sum", ast.Load()), arguments, keywords)
        case ast.Attribute(value, "swapaxes" | "reshape" | "copy"):
            yield "axis", value
