"""Parse text into a Query, a Field or an Order.

condition   and/or of comparisons, `not` before one, parentheses
comparison  operand (sign operand)*     signs: == != < <= > >=  in  not in  contains  not contains  is  is not
operand     field, number, text, True, False, None, nan, inf, [list] or (list), today, yesterday, ago("7d")
field       a field of the run, params.NAME, metrics.NAME[.PART], tags.NAME, or a bare NAME;
            odd names as params["odd name"], params.`odd name` or `odd name`
"""

from typing import NoReturn

from tracking.errors import QueryError
from tracking.search.query import tree
from tracking.search.query.fields import RUN_FIELDS, WORDS, Field, FieldKind, MetricPart, split_part
from tracking.search.query.filters import Query
from tracking.search.query.lexer import Token, TokenKind, fault, tokens_of
from tracking.search.query.order import Order
from tracking.search.query.tree import (
    Comparison,
    Condition,
    Listing,
    Literal,
    Moment,
    Node,
    Not,
    Operand,
    Sign,
)
from tracking.search.query.type_checks import why_senseless

MAX_DEPTH = 100  # of parentheses, lists and `not` in each other

_CONSTANTS = {"None": None, "null": None, "True": True, "true": True, "False": False, "false": False}
_NAMESPACES = (FieldKind.PARAM.value, FieldKind.METRIC.value, FieldKind.TAG.value)
_EXPECTED = "a field, a value or a parenthesis"


def parse_query(text: str) -> Query:
    """Parse a filter; raise QueryError at the place of a mistake. Empty text passes every run."""
    parser = _Parser(text)
    if parser.here.kind is TokenKind.END:
        return Query(None, text)
    start = parser.here
    root = parser.condition(parser.expression(), start)
    parser.end("'and', 'or' or a comparison")
    return Query(root, text, parser.places)


def parse_field(text: str) -> Field:
    """Parse a field, such as metrics.val_auc.max; raise QueryError for other text."""
    parser = _Parser(text)
    field = parser.field()
    parser.end("nothing more")
    return field


def parse_fields(text: str) -> list[Field]:
    """Parse fields separated by commas."""
    parser = _Parser(text)
    fields = [parser.field()]
    while parser.take(","):
        fields.append(parser.field())
    parser.end("a comma")
    return fields


def parse_order(text: str) -> Order:
    """Parse an order: a field, with a '-' before it to descend, such as -metrics.val_auc.max."""
    if not isinstance(text, str):
        raise QueryError(f"an order is text, such as '-created_at', not {type(text).__name__}")
    rest = text.strip()
    return Order(parse_field(rest.removeprefix("-")), rest.startswith("-"))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens_of(text)
        self.index = 0
        self.depth = 0
        self.places: dict[Field, int] = {}
        self.known: dict[Field, Field] = {}

    @property
    def here(self) -> Token:
        return self.tokens[self.index]

    def expression(self) -> Node:
        """Parse alternatives of conjunctions, in one loop instead of a function per level of precedence."""
        start = self.here
        alternatives: list[list[Node]] = [[self.comparison()]]
        while joint := self.take("and", "AND", "or", "OR"):
            self.condition(alternatives[-1][-1], start)
            if joint.text.lower() == "or":
                alternatives.append([])
            start = self.here
            alternatives[-1].append(self.condition(self.comparison(), start))
        parts = [self._joined(tree.All, items) for items in alternatives]
        return self._joined(tree.Any, parts)

    def _joined(self, kind: type[tree.All] | type[tree.Any], items: list[Node]) -> Node:
        return items[0] if len(items) == 1 else kind(tuple(items))  # type: ignore[arg-type]  # conditions by now

    def comparison(self) -> Node:
        """Parse an operand or a chain of comparisons, after any number of `not`."""
        count = 0
        while self.take("not", "NOT"):
            count += 1
            self.deepen(1)
        start = self.here
        node = self.operand()
        rest: list[tuple[Sign, Operand]] = []
        left, left_start = node, start
        while sign := self.sign():
            right_start = self.here
            right = self.operand()
            if (
                sign in (Sign.IN, Sign.NOT_IN)
                and isinstance(right, Literal)
                and self.tokens[self.index - 1].text == ")"
            ):
                right = Listing((right,))  # in ('a') is a list of one
            left = self.value(left, left_start)
            right = self.value(right, right_start)
            if why := why_senseless(sign, left, right):
                self.fail(why, right_start)
            rest.append((sign, right))
            left, left_start = right, right_start
        result: Node = Comparison(self.value(node, start), tuple(rest)) if rest else node
        for _ in range(count):
            result = Not(self.condition(result, start))
        self.depth -= count
        return result

    def sign(self) -> Sign | None:
        """Parse a sign of comparison, if there is one."""
        if word := self.take("is", "IS"):
            return Sign.IS_NOT if self.take("not", "NOT") else Sign.IS
        if word := self.take("not", "NOT"):
            if second := self.take("in", "IN", "contains"):
                return Sign(f"not {second.text.lower()}")
            self.fail(f"after {word.text!r} here 'in' or 'contains' is expected")
        word = self.take("==", "!=", "<", "<=", ">", ">=", "in", "IN", "contains")
        return Sign(word.text.lower()) if word else None

    def operand(self) -> Node:
        """Parse a value, a field, a list, or an expression in parentheses."""
        token = self.here
        match token.kind:
            case TokenKind.TEXT | TokenKind.NUMBER:
                self.index += 1
                return Literal(token.value)
            case TokenKind.QUOTED_NAME:
                return self.field()
            case TokenKind.WORD:
                return self.word(token)
        if self.take("["):
            return self.listing("]", [])
        if self.take("("):
            return self.group()
        return self.fail(f"{_EXPECTED} is expected here")

    def word(self, token: Token) -> Operand:
        """Parse the operand that a word begins."""
        following = self.tokens[self.index + 1]
        if token.text in WORDS:
            self.fail(f"{_EXPECTED} is expected here")
        if token.text in _CONSTANTS:
            self.index += 1
            return Literal(_CONSTANTS[token.text])
        if token.text in ("today", "yesterday") and following.text != "(":
            self.index += 1
            return Moment(token.text)
        if following.text == "(":
            return self.call(token)
        return self.field()

    def call(self, name: Token) -> Moment:
        """Parse a call of `ago`, the only function."""
        self.index += 2
        argument = self.here
        if name.text != "ago":
            self.fail(f"{name.text!r} is not a function; the only one is ago('7d')", name)
        self.index += 1
        moment = Moment("ago", argument.value if argument.kind is TokenKind.TEXT else "")
        if why := why_senseless(Sign.EQUAL, Field(FieldKind.RUN, "created_at"), moment):
            self.fail(why, argument)
        self.expect(")")
        return moment

    def group(self) -> Node:
        """Parse the content of parentheses: an expression, or a list if there are commas."""
        if self.take(")"):
            return Listing(())
        self.deepen(1)
        start = self.here
        node = self.expression()
        self.depth -= 1
        if self.here.text == "," and self.here.kind is TokenKind.SIGN:
            self.index += 1
            return self.listing(")", [self.item(node, start)])
        self.expect(")")
        return node

    def listing(self, closing: str, items: list[tree.Value]) -> Listing:
        """Parse the rest of a list up to its closing bracket."""
        self.deepen(1)
        while not self.take(closing):
            start = self.here
            items.append(self.item(self.operand(), start))
            if self.take(closing):
                break
            self.expect(",", f"a comma or {closing!r}")
        self.depth -= 1
        return Listing(tuple(items))

    def item(self, node: Node, start: Token) -> tree.Value:
        """Return the node as an item of a list."""
        if not isinstance(node, Literal | Moment | Listing):
            self.fail("a list holds values; a text needs quotes", start)
        return node

    def value(self, node: Node, start: Token) -> Operand:
        """Return the node as a side of a comparison."""
        if not isinstance(node, Field | Literal | Moment | Listing):
            self.fail("a condition cannot be compared; join it with 'and' or 'or'", start)
        return node

    def condition(self, node: Node, start: Token) -> Condition:
        """Return the node as a condition."""
        is_value = isinstance(node, Moment | Listing) or (
            isinstance(node, Literal) and not isinstance(node.value, bool)
        )
        if is_value:
            self.fail("a value alone is not a condition; compare it with a field", start)
        return node  # type: ignore[return-value]  # the other nodes are conditions

    def field(self) -> Field:
        """Parse a field: a word or a name in backticks, and the segments that follow it."""
        start = self.here
        if start.kind not in (TokenKind.WORD, TokenKind.QUOTED_NAME):
            self.fail("a field is expected, such as status or metrics.val_auc")
        self.index += 1
        root, _, path = start.value.partition(".")
        if start.kind is TokenKind.WORD and root in _NAMESPACES:
            field = self._named(FieldKind(root), path, start)
        else:
            name = ".".join([start.value, *(text for text, _ in self._segments())])
            field = Field(FieldKind.BARE, name)
            if start.kind is TokenKind.WORD and name in RUN_FIELDS:
                field = Field(FieldKind.RUN, "experiment" if name == "experiment_name" else name)
        self.places.setdefault(field, start.place)
        return self.known.setdefault(field, field)  # one object for equal fields makes lookups faster

    def _named(self, kind: FieldKind, path: str, start: Token) -> Field:
        segments = [(path, False)] if path else []
        segments += self._segments()
        if not all(text for text, _ in segments) or not segments:
            self.fail(f"{kind.value} needs a name: {kind.value}.NAME or {kind.value}['NAME']", start)
        name = ".".join(text for text, _ in segments)
        if kind is not FieldKind.METRIC:
            return Field(kind, name)
        head, part = split_part(name) if not segments[-1][1] else (name, None)
        return Field(kind, head, part or MetricPart.LAST)

    def _segments(self) -> list[tuple[str, bool]]:
        """Parse the dotted and bracketed segments of a field; return each with whether it was quoted."""
        segments = []
        while True:
            following = self.tokens[min(self.index + 1, len(self.tokens) - 1)]
            if self.here.text == "[" and following.kind is TokenKind.TEXT:
                self.index += 2
                segments.append((following.value, True))
                self.expect("]")
            elif self.here.text == "." and following.kind in (TokenKind.WORD, TokenKind.QUOTED_NAME):
                self.index += 2
                segments.append((following.value, following.kind is TokenKind.QUOTED_NAME))
            else:
                return segments

    def take(self, *words: str) -> Token | None:
        """Return the token here and step over it, if it is one of these words or signs."""
        token = self.here
        if token.text not in words or token.kind not in (TokenKind.WORD, TokenKind.SIGN):
            return None
        self.index += 1
        return token

    def expect(self, sign: str, expected: str | None = None) -> None:
        """Step over a sign; fail if it is not here."""
        if not self.take(sign):
            self.fail(f"{expected or repr(sign)} is expected here")

    def end(self, expected: str) -> None:
        """Fail unless this is the end of the text."""
        if self.here.kind is not TokenKind.END:
            self.fail(f"{expected} is expected here, or the end")

    def deepen(self, levels: int) -> None:
        """Increase the depth of nesting; fail beyond MAX_DEPTH."""
        self.depth += levels
        if self.depth > MAX_DEPTH:
            self.fail(f"this is nested more than {MAX_DEPTH} deep")

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        """Raise the error about a token, the one here by default."""
        raise fault(self.text, (token or self.here).place, message)
