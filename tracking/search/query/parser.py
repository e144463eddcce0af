"""Parse text into a Query, a Field or an Order.

condition   and/or of comparisons, `not` before one, parentheses
comparison  operand (sign operand)*     signs: == != < <= > >=  in  not in  contains  not contains  is  is not
operand     field, number, text, True, False, None, nan, inf, [list] or (list), today, yesterday, ago("7d")
field       a field of the run, params.NAME, metrics.NAME[.PART], tags.NAME, or a bare NAME;
            odd names as params["odd name"], params.`odd name` or `odd name`
"""

from typing import NoReturn

from tracking.errors import QueryError
from tracking.search.query.fields import (
    CONSTANTS,
    RUN_FIELDS,
    WORDS,
    Field,
    FieldKind,
    MetricPart,
    Names,
    resolve,
    split_part,
)
from tracking.search.query.lexer import Token, TokenKind, fault, tokens_of
from tracking.search.query.tree import Comparison, Condition, Literal, Moment, Not, Operand, Sign, joined
from tracking.search.query.type_checks import why_senseless
from tracking.values.names import composed, exact

MAX_DEPTH = 100  # of parentheses, lists and `not` in each other

_NAMESPACES = (FieldKind.PARAM.value, FieldKind.METRIC.value, FieldKind.TAG.value)
_NAMES = (TokenKind.WORD, TokenKind.QUOTED_NAME)


def parse_field(text: str) -> Field:
    """Parse a field, such as metrics.val_auc.max; raise QueryError for other text."""
    parser = Parser(text)
    field = parser.field()
    parser.end("nothing more")
    return field


def parse_fields(text: str) -> list[Field]:
    """Parse fields separated by commas."""
    parser = Parser(text)
    fields = [parser.field()]
    while parser.take(","):
        fields.append(parser.field())
    parser.end("a comma")
    return fields


class Parser:
    """Parser of one text; `fields` are those it has met, bare ones replaced by what they mean among `names`.

    With `is_of_config` it is about the keys of a config, so every name is a bare one and there are no moments.
    """

    def __init__(self, text: str, names: Names | None = None, *, is_of_config: bool = False) -> None:
        self.text = exact(text) if isinstance(text, str) else text  # `tokens_of` refuses anything else
        self.is_of_config = is_of_config
        self.tokens = tokens_of(self.text)
        self.index = 0
        self.depth = 0
        self.names = names or Names()
        self.fields: dict[Field, Field] = {}

    @property
    def here(self) -> Token:
        """The next token."""
        return self.tokens[self.index]

    def expression(self) -> Condition:
        """Parse alternatives of conjunctions, in one loop instead of a function per level of precedence."""
        start = self.here
        alternatives = [[self.comparison()]]
        while joint := self.take("and", "AND", "or", "OR"):
            self.condition(alternatives[-1][-1], start)  # one that is not joined may be an item of a list
            if joint.text.lower() == "or":
                alternatives.append([])
            start = self.here
            alternatives[-1].append(self.condition(self.comparison(), start))
        return joined("or", [joined("and", items) for items in alternatives])

    def comparison(self) -> Condition:
        """Parse an operand or a chain of comparisons, after any number of `not`."""
        count = 0
        while self.take("not", "NOT"):
            count += 1
            self.deepen()
        start = left_start = self.here
        left = node = self.operand()
        pairs: list[Condition] = []
        while sign := self.sign():
            right_start = self.here
            right = self.operand()
            if (
                sign in (Sign.IN, Sign.NOT_IN)
                and self.tokens[self.index - 1].text == ")"
                and isinstance(right, Literal)
                and not isinstance(right.value, list | Moment)
            ):
                right = Literal([right.value])  # in ('a') is a list of one
            left = self.value(left, left_start)
            right = self.value(right, right_start)
            left, right = _named(left, right), _named(right, left)
            if why := why_senseless(left, sign, right):
                self.fail(why, right_start)
            pairs.append(Comparison(left, sign, right))
            left, left_start = right, right_start
        if pairs:
            node = joined("and", pairs)
        for _ in range(count):
            node = Not(self.condition(node, start))
        self.depth -= count
        return node

    def sign(self) -> Sign | None:
        """Parse a sign of comparison, if there is one."""
        if self.take("is", "IS"):
            return Sign.IS_NOT if self.take("not", "NOT") else Sign.IS
        negation = self.take("not", "NOT")
        signs = () if negation else ("==", "!=", "<", "<=", ">", ">=")
        if word := self.take(*signs, "in", "IN", "contains"):
            return Sign(f"{'not ' if negation else ''}{word.text.lower()}")
        if negation:
            self.fail(f"after {negation.text!r} here 'in' or 'contains' is expected")
        return None

    def operand(self) -> Condition:
        """Parse a value, a field, a list, or an expression in parentheses."""
        token = self.here
        match token.kind:
            case TokenKind.TEXT | TokenKind.NUMBER:
                self.index += 1
                return Literal(token.value)
            case TokenKind.QUOTED_NAME:
                return self.field()
            case TokenKind.WORD if token.text not in WORDS:
                return self.word(token)
        if self.take("["):
            return self.listing("]", [])
        if self.take("("):
            return self.group()
        return self.fail("a field, a value or a parenthesis is expected here")

    def word(self, token: Token) -> Operand:
        """Parse the operand that a word begins."""
        is_called = self.tokens[self.index + 1].text == "("  # END follows at least
        if token.text in CONSTANTS:
            self.index += 1
            return Literal(CONSTANTS[token.text])
        if is_called:
            return self.call(token)
        if token.text in ("today", "yesterday") and not self.is_of_config:
            self.index += 1
            return Literal(Moment(token.text))
        return self.field()

    def call(self, name: Token) -> Literal:
        """Parse a call of `ago`, the only function."""
        self.index += 2
        argument = self.here
        if self.is_of_config:
            self.fail(f"{name.text!r} is not a function; a condition over a config has none", name)
        if name.text != "ago":
            self.fail(f"{name.text!r} is not a function; the only one is ago('7d')", name)
        self.index += 1
        # the check below refuses "" as it does any text that is no duration
        moment = Literal(Moment("ago", argument.value if argument.kind is TokenKind.TEXT else ""))
        if why := why_senseless(Field(FieldKind.RUN, "created_at"), Sign.EQUAL, moment):
            self.fail(why, argument)
        self.expect(")")
        return moment

    def group(self) -> Condition:
        """Parse the content of parentheses: an expression, or a list if there are commas."""
        if self.take(")"):
            return Literal([])
        self.deepen()
        start = self.here
        node = self.expression()
        self.depth -= 1
        if self.take(","):
            return self.listing(")", [self.item(node, start)])
        self.expect(")")
        return node

    def listing(self, closing: str, items: list[object]) -> Literal:
        """Parse the rest of a list up to its closing bracket."""
        self.deepen()
        while not self.take(closing):
            start = self.here
            items.append(self.item(self.operand(), start))
            if self.take(closing):
                break
            self.expect(",", f"a comma or {closing!r}")
        self.depth -= 1
        return Literal(items)

    def item(self, node: Condition, start: Token) -> object:
        """Return the value of a node as an item of a list."""
        if not isinstance(node, Literal):
            self.fail("a list holds values; a text needs quotes", start)
        return node.value

    def value(self, node: Condition, start: Token) -> Operand:
        """Return the node as a side of a comparison."""
        if not isinstance(node, Field | Literal):
            self.fail("a condition cannot be compared; join it with 'and' or 'or'", start)
        return node

    def condition(self, node: Condition, start: Token) -> Condition:
        """Return the node, which must not be a value alone."""
        if isinstance(node, Literal) and not isinstance(node.value, bool):
            self.fail("a value alone is not a condition; compare it with a field", start)
        return node

    def field(self) -> Field:
        """Parse a field: a word or a name in backticks, and the dotted and bracketed segments that follow it."""
        start = last = self.here
        if start.kind not in _NAMES:
            self.fail("a field is expected, such as status or metrics.val_auc")
        self.index += 1
        segments = [start.value]
        while following := self.segment():
            last = following
            segments.append(last.value)
        name = composed(".".join(segments))
        root, _, path = name.partition(".")
        field = Field(FieldKind.BARE, name)
        has_roots = start.kind is TokenKind.WORD and not self.is_of_config
        if has_roots and name in RUN_FIELDS:
            field = Field(FieldKind.RUN, "experiment" if name == "experiment_name" else name)
        elif has_roots and root in _NAMESPACES:
            if not path or not all(segments):
                self.fail(f"{root} needs a name: {root}.NAME or {root}['NAME']", start)
            field = Field(FieldKind(root), path)
            if field.kind is FieldKind.METRIC:
                # quotes keep a part in the name: metrics["val.max"] is the metric val.max
                path, part = split_part(path) if last.kind is TokenKind.WORD else (path, None)
                field = Field(field.kind, path, part or MetricPart.LAST)
        try:
            field = resolve(field, self.names, may_be_text=True)
        except QueryError as error:
            self.fail(str(error), start)
        return self.fields.setdefault(field, field)  # one object for equal fields makes lookups faster

    def segment(self) -> Token | None:
        """Parse a segment of a field, if there is one, and return the token of its name."""
        following = self.tokens[min(self.index + 1, len(self.tokens) - 1)]  # nothing follows END
        if self.here.text == "[" and following.kind is TokenKind.TEXT:
            self.index += 2
            self.expect("]")
            return following
        if self.here.text == "." and following.kind in _NAMES:
            self.index += 2
            return following
        return None

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

    def deepen(self) -> None:
        """Increase the depth of nesting; fail beyond MAX_DEPTH."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"this is nested more than {MAX_DEPTH} deep")

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        """Raise the error about a token, the one here by default."""
        raise fault(self.text, (token or self.here).place, message)


def _named(side: Operand, other: Operand) -> Operand:
    """Return a side of a comparison, as a name where the other side is the experiment."""
    if not (isinstance(side, Literal) and isinstance(other, Field)) or other.name != "experiment":
        return side
    is_list = isinstance(side.value, list)
    return Literal([composed(each) for each in side.value] if is_list else composed(side.value))
