"""Renders templates with Python's jinja2, as transformers and lm-evaluation-harness set it up.

The other scripts of this folder import it. Needs jinja2 3.1.6.
"""

import functools
import json
import re

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(jinja2.ext.Extension):
    """The tag generation, which marks what an assistant wrote and writes its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("write"), [], [], body).set_lineno(line)

    def write(self, caller):
        return caller()


class Namespace(jinja2.utils.Namespace):
    """A namespace whose attributes may not begin with an underscore."""

    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            Namespace.check(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        Namespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(name)


class Dict:
    """The function dict without the attributes of the type."""

    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def chat_environment():
    """The environment of chat templates."""
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: "04 Jul 2024"  # the same in the Go tests
    env.globals["dict"] = Dict()
    env.globals["namespace"] = Namespace
    return env


def task_environment():
    """The environment of task files, less what the sandbox forbids."""
    env = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    env.globals["namespace"] = Namespace
    env.globals["dict"] = Dict()
    return env


def do_environment():
    """Jinja's defaults with the tag do."""
    env = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.do", jinja2.ext.loopcontrols])
    env.globals["namespace"] = Namespace
    env.globals["dict"] = Dict()
    return env


ENVIRONMENTS = {"chat": chat_environment(), "task": task_environment(), "do": do_environment()}

# What is an address in memory, which no other engine can print.
ADDRESS = re.compile(r" at 0x[0-9a-f]+>|<class '|<bound method |<built-in ")


@functools.lru_cache(maxsize=8)
def compiled(mode, template):
    return ENVIRONMENTS[mode].from_string(template)


def render(mode, template, variables):
    """Returns {"want": text} or {"error": name of the exception}. The variables are JSON text."""
    try:
        text = compiled(mode, template).render(**json.loads(variables))
        text.encode()
    except Exception as e:  # whatever it is, the template has no text
        return {"error": type(e).__name__}
    if ADDRESS.search(text):
        return {"error": "address in memory"}
    return {"want": text}
