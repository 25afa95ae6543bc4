"""
The part of Salesforce's formula language that has an exact counterpart, into conditions; everything else is refused.

Known: AND, OR, NOT, IF, `&&`, `||`, `!`, ISPICKVAL, TEXT of a picklist, =, ==, <>, !=, <, <=, >, >=, ISBLANK, ISNULL,
BEGINS, CONTAINS, INCLUDES, TRUE, FALSE, fields and fields of parents. ISNEW, ISCHANGED and
PRIORVALUE mean something at creation only, so they are known where a rule runs at creation only.
"""

from __future__ import annotations

import re

from msgspec import Struct

from triage.intake.text import show
from triage.salesforce.criteria import ALWAYS, NEVER, Leaf, Tree, Untranslatable, every, leaves_of, negation, some

LONGEST = 5000
DEEPEST = 60
MOST_LEAVES = 180
_TOKEN = re.compile(
    r"\s*(?:(?P<comment>/\*.*?\*/)|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<name>\$?[A-Za-z_][\w:]*(?:\.[A-Za-z_]\w*)*)|(?P<op><>|!=|==|<=|>=|&&|\|\||[=<>!(),+\-*/&^]))",
    re.DOTALL,
)
_COMPARED = {"=": "in", "==": "in", "<>": "in", "!=": "in", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Field(Struct, frozen=True):
    """A field by its path; *text*: inside TEXT()."""

    name: str
    text: bool = False


class Constant(Struct, frozen=True):
    """A text or a number as written; `kind` says which."""

    value: str
    kind: str


Operand = Field | Constant
Term = Tree | Field | Constant


def formula_tree(text: str, *, object_name: str, at_creation: bool = False) -> Tree:
    """
    Return the condition that the formula *text* states, its fields as `Object.Field`.

    Args:
        at_creation: The rule runs when a record is created and never again: ISNEW() is true, ISCHANGED(..) false.

    Raises:
        Untranslatable: a function, operator or comparison without an exact counterpart.
    """
    if len(text) > LONGEST:
        raise Untranslatable(f"a formula of {len(text)} characters", "write it by hand as conditions")
    walk = _Walk(_tokens(text), object_name, at_creation)
    tree = walk.condition(walk.either(0))
    if walk.tokens:
        raise Untranslatable(f"the formula goes on after its end, at {show(walk.tokens[0][1])}", "mend the formula")
    return tree


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            raise Untranslatable(f"the formula cannot be read at {show(text[position:].strip())}", "mend the formula")
        position = found.end()
        if found.lastgroup not in ("comment", None):
            tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
    if not tokens:
        raise Untranslatable("the formula is empty", "write TRUE, or criteria")
    return tokens


class _Walk:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[tuple[str, str]], object_name: str, at_creation: bool) -> None:
        self.tokens, self.object, self.at_creation = tokens, object_name, at_creation

    def either(self, depth: int) -> Term:
        """Read terms joined by `||`."""
        if depth > DEEPEST:
            raise Untranslatable(f"the formula is nested deeper than {DEEPEST} levels", "write it by hand")
        first = self._both(depth)
        if not self._next("||"):
            return first
        parts = [self.condition(first)]
        while self._take("||"):
            parts.append(self.condition(self._both(depth)))
        return some(parts)

    def _both(self, depth: int) -> Term:
        first = self._compared(depth)
        if not self._next("&&"):
            return first
        parts = [self.condition(first)]
        while self._take("&&"):
            parts.append(self.condition(self._compared(depth)))
        return every(parts)

    def _compared(self, depth: int) -> Term:
        left = self._one(depth)
        if not self.tokens or self.tokens[0][0] != "op" or self.tokens[0][1] not in _COMPARED:
            self._refuse_arithmetic()
            return left
        op = self.tokens.pop(0)[1]
        right = self._one(depth)
        self._refuse_arithmetic()
        return compared(left, op, right)

    def _refuse_arithmetic(self) -> None:
        if self.tokens and self.tokens[0][0] == "op" and self.tokens[0][1] in "+-*/&^":
            raise Untranslatable(
                f"the operator {show(self.tokens[0][1])} works values out", "compare a field with a constant, or use a "
                "formula field of Salesforce's own"
            )  # fmt: skip

    def _one(self, depth: int) -> Term:
        kind, text = self.tokens.pop(0) if self.tokens else ("end", "")
        if kind == "text":
            return Constant(re.sub(r"\\(.)", r"\1", text[1:-1]), "text")
        if kind == "number":
            return Constant(text, "number")
        if text == "-" and self.tokens and self.tokens[0][0] == "number":
            return Constant(f"-{self.tokens.pop(0)[1]}", "number")
        if text in ("!",):
            return negation(self.condition(self._one(depth + 1)))
        if text == "(":
            inner = self.either(depth + 1)
            self._expect(")")
            return inner
        if kind == "name":
            return self._named(text, depth)
        raise Untranslatable(f"the formula ends or breaks off at {show(text)}", "mend the formula")

    def _named(self, name: str, depth: int) -> Term:
        if self._take("("):
            return self._call(name.upper(), depth + 1)
        if name.upper() in ("TRUE", "FALSE"):
            return ALWAYS if name.upper() == "TRUE" else NEVER
        if name.upper() in ("NULL",):
            return Constant("", "text")
        if name.startswith("$"):
            raise Untranslatable(f"{name} is not of the record", "decide it outside the rule")
        return Field(name if "." in name else f"{self.object}.{name}")

    def _call(self, name: str, depth: int) -> Term:
        arguments: list[Term] = []
        if not self._take(")"):
            arguments.append(self.either(depth))
            while self._take(","):
                arguments.append(self.either(depth))
            self._expect(")")
        return self._function(name, arguments)

    def _function(self, name: str, given: list[Term]) -> Term:
        if name in ("AND", "OR") and given:
            parts = [self.condition(one) for one in given]
            return every(parts) if name == "AND" else some(parts)
        if name == "NOT" and len(given) == 1:
            return negation(self.condition(given[0]))
        if name == "IF" and len(given) == 3:
            test, yes, no = (self.condition(one) for one in given)
            return _bounded(some([every([test, yes]), every([negation(test), no])]))
        if name in ("ISNEW", "ISCHANGED"):
            return self._change(name)
        if name == "TEXT" and len(given) == 1 and isinstance(given[0], Field):
            return Field(given[0].name, text=True)
        if name in ("ISBLANK", "ISNULL") and len(given) == 1 and isinstance(given[0], Field):
            return Leaf(given[0].name, "missing")
        return _test(name, given)

    def _change(self, name: str) -> Tree:
        if self.at_creation:
            return ALWAYS if name == "ISNEW" else NEVER
        raise Untranslatable(
            f"{name} looks at a change, an entry at what is",
            "make an all_matches rule with 'on: [created]' or 'became'",
        )

    def condition(self, term: Term) -> Tree:
        """Return *term* where it is a condition; a lone field is a checkbox."""
        if isinstance(term, Field):
            return Leaf(term.name, "ticked", ("true",))
        if isinstance(term, Constant):
            raise Untranslatable(f"{show(term.value)} stands where a condition is asked for", "mend the formula")
        return term

    def _next(self, text: str) -> bool:
        return bool(self.tokens) and self.tokens[0] == ("op", text)

    def _take(self, text: str) -> bool:
        if self._next(text):
            self.tokens.pop(0)
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            at = show(self.tokens[0][1]) if self.tokens else "its end"
            raise Untranslatable(f"the formula lacks {text!r} before {at}", "mend the formula")


def _test(name: str, given: list[Term]) -> Tree:
    """Return a test of one field against one constant text."""
    ops = {"ISPICKVAL": "in", "BEGINS": "starts_with", "CONTAINS": "contains", "INCLUDES": "includes"}
    if name not in ops:
        raise Untranslatable(f"the function {name} has no counterpart", "write this entry by hand as conditions")
    if len(given) != 2 or not isinstance(given[0], Field) or not isinstance(given[1], Constant):
        raise Untranslatable(f"{name} of something other than a field and a text", "write this entry by hand")
    field, value = given[0].name, given[1].value
    if not value:
        if name == "ISPICKVAL":
            return Leaf(field, "missing")
        raise Untranslatable(f"{name} of an empty text", "mend the formula")
    return Leaf(field, ops[name], (value,))


def _bounded(tree: Tree) -> Tree:
    """Return *tree*; IF says its test twice, so that a few dozen of them within each other would fill the memory."""
    if sum(1 for _ in zip(range(MOST_LEAVES + 1), leaves_of(tree), strict=False)) > MOST_LEAVES:
        raise Untranslatable(f"a formula that comes to more than {MOST_LEAVES} comparisons", "write it by hand")
    return tree


def compared(left: Term, op: str, right: Term) -> Tree:
    """Return the comparison of a field with a constant, whichever side they stand on."""
    if not isinstance(left, Field) and isinstance(right, Field):
        left, right, op = right, left, _MIRRORED.get(op, op)
    if isinstance(left, Field) and not isinstance(right, Field | Constant) and right in (ALWAYS, NEVER):
        right = Constant("true" if right == ALWAYS else "false", "boolean")
    if not isinstance(left, Field) or not isinstance(right, Constant):
        raise Untranslatable("a comparison of something other than a field and a constant", "write it by hand")
    if _COMPARED[op] != "in":
        if right.kind != "number":
            raise Untranslatable(f"{op} of {left.name} and a text", "compare numbers, or write it by hand")
        return Leaf(left.name, _COMPARED[op], (right.value,))
    kind = "ticked" if right.kind == "boolean" else "in"
    found: Tree = Leaf(left.name, kind, (right.value,)) if right.value else Leaf(left.name, "missing")
    return negation(found) if op in ("<>", "!=") else found
