"""Writes random templates with what jinja2 makes of them, one JSON object a line: fuzz_cases.py SEED COUNT.

TestFuzzPeer of the package compares them with the Go engine.
"""

import json
import random
import sys
import warnings

from peer import render

warnings.simplefilter("ignore")

TEXTS = [
    "",
    "a",
    "Ab c",
    "héß",
    "x,y,,z",
    " pad ",
    "line\nbreak\r\nend",
    "<b>&'\"",
    "日本\u200b",
    "12",
    "-3.5",
    "%s|%d",
    "{} {0}",
    "a\tb\\c",
    "ǆ ŉΣΑΣ",
    "a.b",
    "True",
    "\U0001f600x",
    "aXbXc",
    "0x1f",
    "1_000",
    "i̇İ",
]
NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    7,
    10,
    255,
    -17,
    2**31,
    2**63 - 1,
    -(2**63),
    10**20,
    0.0,
    -0.0,
    0.5,
    1.5,
    2.5,
    -2.5,
    1e16,
    1e-5,
    3.14159,
    1e22,
    123456789.125,
    1e100,
]
NAMES = ["s", "t", "n", "m", "f", "l", "d", "u", "msgs", "b", "x", "y", "ns", "z", "nested", "words", "pairs"]
ATTRS = [
    "a",
    "b",
    "role",
    "content",
    "items",
    "keys",
    "get",
    "upper",
    "x",
    "count",
    "real",
    "append",
    "__class__",
    "name",
    "0",
]


class Gen:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.depth = 0
        self.macros = []
        self.loops = 0

    def pick(self, *options):
        return self.r.choice(options)

    def chance(self, p):
        return self.r.random() < p

    # -- data

    def value(self, depth=0):
        kind = self.r.random()
        if depth > 2 or kind < 0.45:
            return self.pick(self.r.choice(TEXTS), self.r.choice(NUMBERS), True, False, None, self.r.choice(TEXTS))
        if kind < 0.75:
            return [self.value(depth + 1) for _ in range(self.r.randrange(4))]
        return {
            self.pick("a", "b", "role", "items", "x y", "ä", "0"): self.value(depth + 1)
            for _ in range(self.r.randrange(4))
        }

    def variables(self):
        v = {
            "s": self.r.choice(TEXTS),
            "t": self.r.choice(TEXTS),
            "n": self.r.choice(NUMBERS),
            "m": self.r.randrange(-3, 6),
            "f": self.r.choice([0.5, 2.0, -1.25, 1e20]),
            "b": self.chance(0.5),
            "l": [self.value(1) for _ in range(self.r.randrange(5))],
            "d": {self.pick("a", "b", "items", "content", "z"): self.value(1) for _ in range(self.r.randrange(4))},
            "msgs": [
                {"role": self.pick("user", "assistant", "system"), "content": self.r.choice(TEXTS)}
                for _ in range(self.r.randrange(4))
            ],
            "x": self.value(),
            "nested": {"a": {"b": [1, {"c": self.value()}]}},
            "words": [self.r.choice(TEXTS) for _ in range(self.r.randrange(5))],
            "pairs": [[self.r.choice(TEXTS), self.r.randrange(5)] for _ in range(self.r.randrange(4))],
        }
        for name in list(v):
            if self.chance(0.05):
                del v[name]
        return v

    # -- expressions

    def string(self):
        s = self.r.choice(TEXTS)
        q = self.pick("'", '"')
        return (
            q
            + s.replace("\\", "\\\\")
            .replace(q, "\\" + q)
            .replace("\n", self.pick("\\n", "\n"))
            .replace("\r", "\\r")
            .replace("{", "\\x7b")
            .replace("%", "%")
            .replace("}", "\\x7d")
            + q
        )

    def literal(self):
        kind = self.r.randrange(8)
        if kind < 3:
            return self.string()
        if kind < 5:
            return self.pick(
                "0", "1", "2", "3", "10", "-1", "1.5", "0x1F", "1_0", "1e3", "2.50", "99999999999999999999"
            )
        if kind == 5:
            return self.pick("true", "false", "none", "True", "None")
        if kind == 6:
            return "[" + ", ".join(self.expr() for _ in range(self.r.randrange(4))) + "]"
        if self.chance(0.5):
            return "(" + "".join(self.expr() + ", " for _ in range(self.r.randrange(3))) + ")"
        return "{" + ", ".join(self.expr() + ": " + self.expr() for _ in range(self.r.randrange(3))) + "}"

    def expr(self):
        self.depth += 1
        try:
            if self.depth > 5:
                return self.pick(self.r.choice(NAMES), self.string(), "1")
            return self.expr_of(self.r.randrange(24))
        finally:
            self.depth -= 1

    def expr_of(self, kind):
        if kind < 5:
            return self.r.choice(NAMES)
        if kind < 7:
            return self.literal()
        if kind == 7:
            op = self.pick("+", "-", "*", "/", "//", "%", "~", "~", "+", "**")
            right = self.pick("2", "3", "-1", "0.5", "m") if op == "**" else self.expr()
            return f"{self.expr()} {op} {right}"
        if kind == 8:
            return f"{self.expr()} {self.pick('==', '!=', '<', '<=', '>', '>=', 'in', 'not in')} {self.expr()}"
        if kind == 9:
            return f"{self.expr()} {self.pick('and', 'or')} {self.expr()}"
        if kind == 10:
            return f"{self.pick('not', '-', '+')} {self.expr()}"
        if kind == 11:
            tail = f" else {self.expr()}" if self.chance(0.8) else ""
            return f"({self.expr()} if {self.expr()}{tail})"
        if kind == 12:
            return f"{self.postfix()}.{self.r.choice(ATTRS)}"
        if kind == 13:
            return f"{self.postfix()}[{self.pick('0', '-1', '1', chr(39) + 'a' + chr(39), self.expr())}]"
        if kind == 14:
            part = lambda: self.pick("", "0", "1", "-1", "2", "-2", "m")
            step = self.pick("", "", ":", ":-1", ":2", ":-2")
            return f"{self.postfix()}[{part()}:{part()}{step}]"
        if kind < 18:
            return f"{self.postfix()}{self.filter()}"
        if kind < 20:
            return f"{self.postfix()} is {self.pick('', 'not ')}{self.test()}"
        if kind < 22:
            return f"{self.postfix()}.{self.method()}"
        if kind == 22:
            return f"({self.expr()})"
        return self.call()

    def postfix(self):
        return self.pick(
            self.r.choice(NAMES),
            self.r.choice(NAMES),
            self.string(),
            "(" + self.expr() + ")",
            "msgs[0]",
            "nested.a.b",
            "loop" if self.loops else "l",
            "d",
            "l",
        )

    def call(self):
        choices = [
            "range(m)",
            "range(1, 9, 2)",
            "range(5, 0, -2)",
            "dict(a=1, b=s)",
            "namespace(q=1)",
            "dict(d)",
            "dict([(1, 2)])",
            "range(" + self.expr() + ")",
            "'-'.join(words)",
            "dict(d, **d)",
            "cycler(1, 2).next()",
            "joiner('|')()",
            "nothing()",
            "s()",
        ]
        for name, params in self.macros:
            args = [self.expr() for _ in range(self.r.randrange(params + 2))]
            if self.chance(0.2):
                args.append(self.pick("p0", "p1", "q") + "=" + self.expr())
            choices += [f"{name}({', '.join(args)})"] * 3
        if self.loops:
            choices += ["loop.cycle(1, 2, 3)", "loop.changed(s)", "loop.changed(" + self.expr() + ")", "loop(l)"]
        return self.r.choice(choices)

    def filter(self):
        e = self.expr
        chain = self.r.choice(
            [
                lambda: "|upper",
                lambda: "|lower",
                lambda: "|title",
                lambda: "|capitalize",
                lambda: "|trim",
                lambda: "|length",
                lambda: "|list",
                lambda: "|first",
                lambda: "|last",
                lambda: "|reverse",
                lambda: "|reverse|list",
                lambda: "|sort",
                lambda: "|unique|list",
                lambda: "|string",
                lambda: "|int",
                lambda: "|float",
                lambda: "|abs",
                lambda: "|round",
                lambda: f"|round({self.pick('1', '2', '-1', '0')}, '{self.pick('common', 'ceil', 'floor')}')",
                lambda: "|tojson",
                lambda: f"|tojson(indent={self.pick('0', '2', '4', 'none')})",
                lambda: "|safe",
                lambda: "|e",
                lambda: f"|default({e()})",
                lambda: f"|default({e()}, {self.pick('true', 'boolean=true', 'false')})",
                lambda: f"|join({self.pick('', e())})",
                lambda: "|join(',', attribute='role')",
                lambda: f"|replace({e()}, {e()})",
                lambda: f"|replace('a', '-', {self.pick('1', '0', '-1')})",
                lambda: "|map(attribute='role')|list",
                lambda: f"|map('{self.pick('upper', 'trim', 'length', 'int', 'string', 'nope')}')|list",
                lambda: f"|map(attribute='{self.pick('a', 'content', '0', 'a.b')}', default={e()})|list",
                lambda: f"|select('{self.pick('string', 'defined', 'none', 'number', 'odd', 'mapping')}')|list",
                lambda: f"|select('{self.pick('eq', 'ne', 'gt', 'in', 'equalto', '<=')}', {e()})|list",
                lambda: "|select|list",
                lambda: "|reject|list",
                lambda: f"|reject('in', {e()})|list",
                lambda: "|selectattr('role', 'eq', 'user')|list",
                lambda: "|selectattr('content')|map(attribute='content')|join('+')",
                lambda: "|rejectattr('role')|list|length",
                lambda: "|dictsort",
                lambda: f"|dictsort({self.pick('true', 'false')}, 'value', {self.pick('true', 'false')})",
                lambda: "|items|list",
                lambda: "|batch(2)|list",
                lambda: f"|batch(2, {e()})|list",
                lambda: "|slice(2)|list",
                lambda: f"|slice(3, {e()})|list",
                lambda: "|groupby('role')",
                lambda: "|groupby(0)|list",
                lambda: "|sum",
                lambda: "|sum(start=1.5)",
                lambda: "|min",
                lambda: "|max",
                lambda: "|max(case_sensitive=true)",
                lambda: "|sort(reverse=true, case_sensitive=true)",
                lambda: "|sort(attribute='role,content')|map(attribute='role')|list",
                lambda: f"|indent({self.pick('2', '0', chr(39) + '> ' + chr(39))}, {self.pick('true', 'false')}, "
                f"{self.pick('true', 'false')})",
                lambda: f"|truncate({self.pick('3', '5', '1')}, {self.pick('true', 'false')}, '..', 0)",
                lambda: "|truncate(4)",
                lambda: "|center(9)",
                lambda: "|wordcount",
                lambda: "|count",
                lambda: f"|format({e()})",
                lambda: f"|attr('{self.r.choice(ATTRS)}')",
                lambda: "|urlencode",
                lambda: "|xmlattr",
                lambda: "|filesizeformat",
                lambda: "|filesizeformat(true)",
                lambda: "|forceescape",
                lambda: f"|int({self.pick('7', 'none')}, {self.pick('16', '2', '0', '10')})",
                lambda: f"|trim({self.string()})",
                lambda: "|nofilter",
            ]
        )
        return chain() + (self.filter() if self.chance(0.2) else "")

    def test(self):
        return self.pick(
            "defined",
            "undefined",
            "none",
            "string",
            "number",
            "integer",
            "float",
            "boolean",
            "true",
            "false",
            "mapping",
            "sequence",
            "iterable",
            "callable",
            "odd",
            "even",
            "lower",
            "upper",
            "escaped",
            "divisibleby 3",
            "divisibleby(2)",
            f"in {self.r.choice(NAMES)}",
            f"eq({self.expr()})",
            "sameas none",
            "sameas true",
            f"gt {self.r.choice(NAMES)}",
            "notest",
            f"== {self.expr()}" if False else "filter",
            "test",
        )

    def method(self):
        e = self.expr
        opt = lambda: self.pick("", e(), "'a'", "none", "','")
        bounds = lambda: self.pick("", "", ", 1", ", -2, 3", ", 0, m")
        return self.r.choice(
            [
                lambda: f"{self.pick('upper', 'lower', 'title', 'capitalize', 'casefold', 'swapcase')}()",
                lambda: f"{self.pick('strip', 'lstrip', 'rstrip')}({opt()})",
                lambda: f"{self.pick('split', 'rsplit')}({opt()}{self.pick('', ', 1', ', 0', ', -1')})",
                lambda: f"{self.pick('split', 'rsplit')}(maxsplit={self.pick('1', '2', '0')})",
                lambda: f"split({opt()})[{self.pick('0', '-1', '1')}]",
                lambda: f"splitlines({self.pick('', 'true', 'keepends=true')})",
                lambda: f"{self.pick('partition', 'rpartition')}({self.pick(chr(39) + 'X' + chr(39), e())})",
                lambda: f"{self.pick('startswith', 'endswith')}({self.pick(e(), '(s, t)', '%ra%r')}{bounds()})".replace(
                    "%r", "'"
                ),
                lambda: self.pick("find", "rfind", "index", "rindex", "count")
                + f"({self.pick(e(), self.string())}{bounds()})",
                lambda: f"replace({self.string()}, {self.string()}{self.pick('', ', 1')})",
                lambda: f"join({e()})",
                lambda: self.pick("center", "ljust", "rjust")
                + f"({self.pick('9', 'm', '8')}{self.pick('', ', ' + self.string())})",
                lambda: f"zfill({self.pick('6', 'm')})",
                lambda: f"{self.pick('removeprefix', 'removesuffix')}({self.string()})",
                lambda: f"is{self.pick('alnum', 'alpha', 'ascii', 'decimal', 'digit', 'lower', 'numeric')}()",
                lambda: f"is{self.pick('printable', 'space', 'title', 'upper')}()",
                lambda: f"expandtabs({self.pick('', '4')})",
                lambda: f"format({e()}, {e()})",
                lambda: "items()",
                lambda: "keys()|list",
                lambda: "values()|list",
                lambda: f"get({self.pick(chr(39) + 'a' + chr(39), e())}{self.pick('', ', ' + e())})",
                lambda: "copy()",
                lambda: f"index({e()})",
                lambda: f"count({e()})",
                lambda: f"append({e()})",
                lambda: f"pop()",
                lambda: "update(d)",
                lambda: "index" if self.loops else "real",
                lambda: "last",
                lambda: "length",
                lambda: "previtem",
            ]
        )()

    # -- statements

    def tag(self, text):
        return "{%" + self.pick("", "", "", "-", "+") + " " + text + " " + self.pick("", "", "", "-") + "%}"

    def data(self):
        return self.pick("", "\n", " ", "  \n  ", "x", "a b\n", "\n\n", " text ", "\t")

    def body(self, depth, n=3):
        return "".join(self.data() + self.statement(depth + 1) for _ in range(self.r.randrange(1, n))) + self.data()

    def target(self):
        return self.pick("x", "y", "z", "s", "y", "z", "x, y", "ns.q", "(y, z)", "n")

    def statement(self, depth):
        kind = self.r.randrange(16)
        if depth > 4 or kind < 6:
            return "{{" + self.pick("", "", "-") + " " + self.expr() + " " + self.pick("", "", "-") + "}}"
        if kind == 6:
            return self.if_statement(depth)
        if kind < 9:
            return self.for_statement(depth)
        if kind < 11:
            return self.tag(f"set {self.target()} = {self.expr()}")
        if kind == 11:
            filters = self.pick("", "", "|upper", "|trim|length", "|replace('a', 'b')")
            return (
                self.tag(f"set {self.pick('x', 'y', 'z', 'ns.q')}{filters}") + self.body(depth) + self.tag("endset")
            )
        if kind == 12:
            return self.macro(depth)
        if kind == 13:
            return (
                self.tag(f"with {self.pick('', 'x = ' + self.expr(), 'y = s, z = y')}")
                + self.body(depth)
                + self.tag("endwith")
            )
        if kind == 14:
            return self.pick(
                lambda: self.tag("filter " + self.filter()[1:]) + self.body(depth) + self.tag("endfilter"),
                lambda: self.call_block(depth),
                lambda: self.tag("generation") + self.body(depth) + self.tag("endgeneration"),
                lambda: "{#" + self.pick("", "-") + " c " + self.pick("", "-") + "#}",
                lambda: "{% raw %} {{ x }} {% endraw %}",
                lambda: self.tag(f"block b{self.r.randrange(10**9)}{self.pick('', ' scoped')}")
                + self.body(depth)
                + self.tag("endblock"),
                lambda: self.tag("print " + self.expr()),
            )()
        if self.loops:
            return self.tag(f"if {self.expr()}") + self.tag(self.pick("break", "continue")) + self.tag("endif")
        return self.tag(f"set ns = namespace(q={self.expr()})")

    def if_statement(self, depth):
        out = self.tag(f"if {self.expr()}") + self.body(depth)
        if self.chance(0.3):
            out += self.tag(f"elif {self.expr()}") + self.body(depth)
        if self.chance(0.5):
            out += self.tag("else") + self.body(depth)
        return out + self.tag("endif")

    def for_statement(self, depth):
        self.loops += 1
        over = self.pick(
            "l", "msgs", "words", "range(3)", "d", "d.items()", "pairs", "s", self.expr(), "msgs", "range(m)"
        )
        target = (
            self.pick("x", "y", "x, y", "y", "m")
            if over not in ("d.items()", "pairs")
            else self.pick("x, y", "y, x")
        )
        condition = f" if {self.expr()}" if self.chance(0.25) else ""
        recursive = " recursive" if self.chance(0.1) else ""
        out = self.tag(f"for {target} in {over}{condition}{recursive}") + self.body(depth)
        if self.chance(0.4):
            out += (
                "{{ loop."
                + self.pick("index", "first", "last", "length", "revindex0", "previtem", "nextitem", "depth")
                + " }}"
            )
        if self.chance(0.2):
            out += self.tag("else") + self.body(depth)
        self.loops -= 1
        return out + self.tag("endfor")

    def macro(self, depth):
        params = self.r.randrange(3)
        name = self.pick("f", "g", "h2")
        args = ["p0", "p1"][:params]
        if params and self.chance(0.5):
            args[-1] += "=" + self.expr()
        loops, self.loops = self.loops, 0
        extra = self.pick("", "", "{{ varargs }}", "{{ kwargs }}", "{{ caller() if caller }}", "{{ p0 }}{{ p1 }}")
        out = self.tag(f"macro {name}({', '.join(args)})") + extra + self.body(depth, 2) + self.tag("endmacro")
        self.loops = loops
        self.macros.append((name, params))
        return out

    def call_block(self, depth):
        name = self.r.choice([m for m, _ in self.macros] or ["f"])
        loops, self.loops = self.loops, 0
        out = self.tag(f"call{self.pick('', '(y)')} {name}({self.pick('', self.expr())})") + self.body(depth, 2)
        self.loops = loops
        return out + self.tag("endcall")

    def template(self):
        start = "{% set ns = namespace(q=1) %}" if self.chance(0.5) else ""
        return start + "".join(self.data() + self.statement(0) for _ in range(self.r.randrange(1, 5))) + self.data()


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    for i in range(seed, seed + count):
        gen = Gen(i)
        for _ in range(12):  # most random templates are errors; a quarter of those is enough
            gen.macros = []
            mode = gen.pick("chat", "chat", "task", "do")
            template, variables = gen.template(), json.dumps(gen.variables(), ensure_ascii=False)
            result = render(mode, template, variables)
            if "want" in result or gen.chance(0.1):
                break
        print(json.dumps({"mode": mode, "template": template, "vars": variables, **result}))


main()
