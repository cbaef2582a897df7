"""Records what jinja2 3.1.6 makes of short templates: python record.py > cases.jsonl.

peer.py has the environments. Run it again after adding a template.
"""

import json
import warnings

from peer import render

warnings.simplefilter("ignore")

VARS = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Grüße"},
        {"role": "assistant", "content": "plan\n</think>\n\nDone."},
    ],
    "one": [{"role": "user", "content": "Ask", "name": None}],
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "tools": None,
    "documents": None,
    "s": "Hello, World",
    "u": "Ünï ǆ",
    "pad": "  x y \n",
    "csv": "a,b,,c",
    "empty": "",
    "n": 7,
    "neg": -7,
    "big": 9223372036854775807,
    "f": 2.5,
    "t": True,
    "none": None,
    "l": [3, 1, 2],
    "words": ["pear", "Apple", "fig"],
    "nested": [[1, [2, 3]], {"k": "it's"}],
    "d": {"b": 1, "a": 2, "items": 3},
    "rows": [{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "x", "v": 3}],
    "tree": [{"n": "a", "c": [{"n": "b", "c": []}, {"n": "c", "c": [{"n": "d", "c": []}]}]}],
    "tool": {
        "type": "function",
        "function": {"name": "größe", "parameters": {"type": "object", "required": ["x"], "limit": 1.0}},
    },
    "kwargs_": {"b": 2},
    "html": "<a href='x'>\"&\"</a>",
    "q": 'say "it\'s"',
    "weird": "tab\tbell\u0007\u200b\u00a0é\U0001f600",
}

# Expressions, each rendered as {{ ... }} in the environment of chat templates.
EXPRESSIONS = r"""
messages[-1].role
messages[-3]['content']
messages[-4] is defined
one[-1].content
messages[0]
one
messages[:1]
messages[1:]|length
messages[::-1]|map(attribute='role')|join(' ')
messages|map(attribute='role')|list
'a' if none is defined else 'b'
('y' if messages else '') + 'z'
[1 if t else 2][0]
{'k': 1 if t else 2}.k
'a' if not t else 'b' if t else 'c'
'a' if not t
('a' if not t) is undefined
one[0].name is none
one[0].missing is none
one[0].missing is not none
one[0].missing
one[0].missing.more
one[0].get('name')
one[0].get('missing')
one[0].get('missing', 5)
'<' + one[0].missing + '>'
'<' ~ one[0].missing ~ '>'
tools is defined
tools is none
none
{'b': 1, 'a': 2}
{'b': 1}|items|list
d.items
d['items']
d.items()
d.keys()
d.values()|list
d.items()|list
d|items|list
d.a
d['a']
d.zzz
d.zzz.y
d['zzz']['y']
d.get('items')
d|length
d|list
d|dictsort
d|dictsort(by='value', reverse=true)
d|dictsort(false, 'nothing')
{1: 'a', 1.0: 'b', true: 'c'}
{(1, 2): 'x'}[(1, 2)]
{[1]: 2}
{none: 1, 'x': none}
{}
[]
()
(1,)
(1, 2)
1, 2
[1, (2,), {'a': [none, true]}]
3 > 2 > 1
1 < 2 < 2
1 < 2 > 1 == 1
1 == 1.0
1 == true
'1' == 1
none == false
[1, 2] == [1.0, 2]
(1, 2) == [1, 2]
{'a': 1} == {'a': 1.0}
[1, 2] < [1, 3]
(1, 2) < (1,)
'a' < 'b'
'a' < 1
none < 1
[1] < ['a']
'Hell' in s
'z' not in s
1 in l
1.0 in l
'b' in d
3 in d.values()
('a', 2) in d.items()
1 in s
none in [none]
1 in 5
1 in range(3)
not t
not not ''
not 0.0
t and s
empty and 1
empty or 'x'
none or false or 0
1 + 2 * 3
(1 + 2) * 3
2 ** 3 ** 2
-2 ** 2
7 // 2
-7 // 2
7 % 3
-7 % 3
7 % -3
7 / 2
8 / 2
1 / 0
1 // 0
1 % 0
7.5 // 2
-7.5 % 2
7 // 0.0
2 ** -1
0 ** -1
2 ** 100
big + 1
-big - 2
big * big
99999999999999999999 // 3
-99999999999999999999 % 7
0x1F + 0b11 + 0o17
1_000_000
1e3
1.5e-3
12.0
1e16
1e15
123456789012345678.0
1e-5
0.0001
1e400
-1e400
1e400 - 1e400
0.1 + 0.2
100.0
1 / 3
true + true
true * 3
'ab' * 2
2 * 'ab'
'ab' * -1
[1] * 2
(1,) * 3
'a' + 'b'
[1] + [2]
(1,) + (2,)
[1] + (2,)
'a' + 1
1 + 'a'
'a' - 'b'
- 'a'
+ 5
- t
~ 5
1 ~ 2 ~ none ~ 1.0 ~ [1]
'a' 'b' "c"
'it\'s'
"say \"x\""
'\x41\u00e9\101\n|'
'\q\d'
'\é'
"a\
b"
s|upper
s|lower
s|title
'hello-world (foo) x_y'|title
'o\'neil'|title
s|capitalize
'ß ŉ ﬁ'|upper
'ÜSS ΣΑΣ İ'|lower
s|trim
pad|trim
'xxaxx'|trim('x')
s|length
u|length
u[0]
u[-1]
u[1:3]
u[::-1]
s[::2]
s[5:0:-2]
s[100:]
s[-100:2]
s[none:3]
s['a']
s[1.5]
s[::0]
l[::0]
l[5:]
l[-1]
l[1.0]
l['x']
l.0
nested.0.1.0
(1, 2, 3)[1:]
range(10)[2:5]
range(10)[::3]|list
range(10)[-1]
range(3)
range(1, 9, 2)
range(5, 0, -2)|list
range(0)|list
range(1, 2, 0)
range('a')
range(200000)
l|first
l|last
[]|first
[]|first is defined
[]|last
s|first
s|last
d|first
l|max
l|min
words|min
words|max(case_sensitive=true)
[]|max
['a', 1]|max
l|sum
rows|sum(attribute='v')
rows|sum('v', 10)
words|sum
l|sort
l|sort(true)
words|sort
words|sort(case_sensitive=true)
rows|sort(attribute='k,v', reverse=true)|map(attribute='v')|list
['a', 1]|sort
[1]|sort
l|reverse|list
s|reverse
l|reverse
(l|reverse)|reverse
l|join(', ')
words|join
rows|join('+', attribute='k')
[1, none, 2.0]|join('-')
5|join
words|map('upper')|list
words|map('replace', 'p', 'q')|join(' ')
words|map('nope')|list
rows|map(attribute='zzz')|list
rows|map(attribute='zzz', default='-')|join
rows|map(attribute='k', other=1)|list
rows|map|list
none|map('upper')|list
words|select('in', ['fig'])|list
l|select('odd')|list
l|select('gt', 1)|list
l|select('>=', 2)|list
[0, 1, '', 'a', none]|select|list
[0, 1, '', 'a', none]|reject|list
l|reject('equalto', 1)|list
rows|selectattr('k', 'eq', 'x')|map(attribute='v')|list
rows|rejectattr('v')|list
rows|selectattr('v', 'gt', 1)|list|length
rows|selectattr|list
l|select('nope')|list
rows|groupby('k')
rows|groupby('k')|map('first')|list
rows|groupby('k')|map(attribute='list')|map('length')|list
l|batch(2)|list
l|batch(2, 0)|list
l|slice(2)|list
l|slice(2, 0)|list
[1, 1.0, true, 'a', 'A']|unique|list
['a', 'A']|unique(true)|list
[[1]]|unique|list
s|replace('l', 'L')
s|replace('l', 'L', 1)
s|replace('', '-')
5|replace('5', 'x')
s|list
5|list
none|list
zzz|list
zzz|length
zzz|default('x')
none|default('x')
none|default('x', true)
zzz.y|default('x')
zzz|d('x')
''|default('x', boolean=true)
0|default(5, false)
'42'|int
'42.9'|int
'x'|int
'x'|int(5)
'0x1f'|int(0, 16)
'1_0'|int
' 7 '|int
none|int
zzz|int
7.9|int
-7.9|int
t|int
'1e3'|int
'2.5'|float
'x'|float
'x'|float(1)
'nan'|float
'inf'|float
2|float
-5|abs
-5.5|abs
'x'|abs
2.5|round
3.5|round
2.675|round(2)
1234.5|round(-2)
5|round
5.1|round(method='ceil')
5.19|round(1, 'floor')
5|round(1, 'x')
5|round(0, 'ceil')
s|string
5|string
[1]|string
s|tojson
u|tojson
weird|tojson
u|tojson(ensure_ascii=true)
'😀'|tojson(ensure_ascii=true)
tool|tojson
tool|tojson(indent=2)
tool|tojson(indent=none)
tool|tojson(2)
tool|tojson(sort_keys=true)
tool|tojson(separators=(',', ':'))
tool|tojson(indent='\t')
[]|tojson(indent=2)
{'a': {}}|tojson(indent=2)
[1, 1.0, 1e16, 1e-7, true, none, 'x']|tojson
{1: 1, none: 2, true: 3, 1.5: 4}|tojson
{(1,): 2}|tojson
(1, 2)|tojson
zzz|tojson
range(3)|tojson
html|tojson
html|e
html|escape|upper
html|safe
(html|safe) + '<'
'<' + (html|safe)
(html|safe) ~ '<'
[html|safe]
(html|e)|e
html|forceescape
(html|e)|forceescape
s|center(20)
s|center(20) ~ '|'
s|truncate(5)
s|truncate(5, true)
s|truncate(5, true, '..', 0)
s|truncate(5, false, '', 0)
'foo bar baz qux'|truncate(9, false, '...', 0)
pad|wordcount
'a\nb\n\nc'|indent
'a\nb\n\nc'|indent(2, true)
'a\nb\n\nc'|indent(2, true, true)
'a\nb'|indent('> ')
'%s is %d'|format('x', 5)
'%(a)s'|format(a=1)
'%s'|format
'a'|format(1)
'%5.2f|%-5d|%05d|%+d|%x|%X|%o|%e|%g|%%'|format(3.14159, 42, 42, 42, 255, 255, 8, 12345.678, 0.0001)
'%s %r %a' % ('é', 'é', 'é')
'%s' % none
'%s' % [1]
'%s %s' % [1, 2]
'%d' % '5'
'%d' % 5.9
'%c%c' % (65, 'b')
'%*d' % (5, 3)
'%.3s|' % 'abcdef'
'%z' % 5
'%' % 5
'a' % 5
'%(k)s' % d
'%(b)s' % d
'{} {}'.format(1, 'a')
'{1}{0}'.format('a', 'b')
'{a[b]} {a.b}'.format(a=d)
'{:>5}|{:<5}|{:^5}|{:05d}|{:,}'.format('a', 'b', 'c', 42, 1234567)
'{:.2f}|{:x}|{:#x}|{:+d}|{:%}|{:e}'.format(3.14159, 255, 255, 5, 0.5, 12345.6)
'{:*^9}'.format('mid')
'{!r} {!s}'.format('a', 'a')
'{{}}'.format()
'{'.format()
'{}'.format()
'{0}{}'.format(1)
'{x}'.format(y=1)
'{:d}'.format('a')
'{:{}}|'.format('a', 5)
'{a.__class__}'.format(a=1)
'{:_}'.format(1234567)
'{:s}'.format(5)
'{0.real}'.format(5)
s.upper()
s.lower()
s.title()
s.capitalize()
s.swapcase()
'ǆ ß'.title()
'ß'.capitalize()
'Straße'.casefold()
'ΑΣ'.lower()
pad.strip() ~ '|'
pad.lstrip() ~ '|'
pad.rstrip() ~ '|'
'xyax'.strip('xy')
'\x1cx\x1f'.strip()
'éaé'.strip('é')
csv.split(',')
csv.split(',', 1)
csv.split(',', -1)
csv.split(',', maxsplit=2)
pad.split()
' a  b c '.split(none, 1)
' a  b c '.rsplit(none, 1)
csv.rsplit(',', 1)
csv.rsplit(',', 1)[0]
csv.split('')
csv.split('x')[-1]
''.split()
''.split(',')
'a\nb\r\nc\rd\x0be\u2028f'.splitlines()
'a\nb\n'.splitlines(true)
''.splitlines()
csv.partition(',')
csv.rpartition(',')
csv.partition('x')
csv.rpartition('x')
s.startswith('He')
s.startswith(('x', 'He'))
s.startswith('llo', 2)
s.startswith('llo', 2, 4)
s.startswith('', 100)
s.endswith('ld')
s.endswith(['ld'])
s.find('l')
s.find('l', 4)
s.find('zz')
u.find('ï')
s.rfind('l')
s.index('W')
s.index('zz')
s.rindex('o')
s.count('l')
s.count('')
s.count('l', 3, 5)
s.replace('l', 'L')
s.replace('l', 'L', 1)
s.replace('', '.')
s.replace('l')
', '.join(words)
''.join(s)
','.join(l)
'-'.join(d)
s.center(20, '*')
s.ljust(15, '.') ~ '|'
s.rjust(15) ~ '|'
'abc'.center(6) ~ '|'
'abcd'.center(7) ~ '|'
s.center(20, 'ab')
'42'.zfill(5)
'-42'.zfill(5)
'x'.zfill(-1)
s.removeprefix('Hello')
s.removesuffix('World')
'a\tb'.expandtabs()
'a\tb'.expandtabs(4)
'12'.isdigit()
'²'.isdigit()
'²'.isdecimal()
'½'.isnumeric()
'一'.isnumeric()
''.isdigit()
'ab1'.isalnum()
'ab'.isalpha()
'é'.isalpha()
'é'.isascii()
' \t'.isspace()
''.isspace()
'Ab Cd'.istitle()
'AB'.isupper()
'ab1'.islower()
'1'.islower()
'a_1'.isidentifier()
'1a'.isidentifier()
'a\n'.isprintable()
s.encode()
s.nothing
s.nothing()
s.__class__
s.__class__ is defined
s['__class__']
s|attr('__class__')
s|attr('upper')
(s|attr('upper'))()
d|attr('a')
d|attr('keys') is callable
s.upper
l.index(1)
l.index(9)
l.index(2, 1)
l.count(1)
l.copy()
l.append(4)
l.append
l.append is defined
l.pop()
l.sort()
l.extend([1])
d.update({})
d.pop('a')
d.setdefault('x', 1)
d.clear()
d.copy()
d.fromkeys([1], 2)
dict(a=1, b=2)
dict([('a', 1)])
dict({'a': 1}, b=2)
dict(5)
dict.fromkeys([1, 2])
(1, 2, 1).count(1)
(1, 2).index(2)
(5).real
(5).bit_length()
(2.0).is_integer()
(5).nothing
none.x
none['x']
none.x.y
5['x']
t.real
namespace(a=1)
namespace(a=1).a
namespace(a=1).b
namespace(a=1)['a']
namespace({'a': 1}, b=2).b
namespace(_x=1)
cycler(1, 2).next()
cycler()
cycler(1, 2).current
joiner()
joiner(', ')()
raise_exception('no')
raise_exception
zzz()
zzz.y()
s()
(1)(2)
s is string
5 is string
n is number
t is number
n is integer
t is integer
f is float
t is boolean
none is none
t is true
t is sameas true
none is sameas none
1 is sameas 1.0
l is sequence
s is sequence
d is sequence
5 is sequence
l is iterable
5 is iterable
zzz is iterable
d is mapping
l is mapping
s is lower
'abc' is lower
'ABC' is upper
n is odd
n is even
n is divisibleby 7
n is divisibleby(2)
zzz is defined
zzz is not defined
zzz is undefined
s is callable
range is callable
zzz is callable
'upper' is filter
'nope' is filter
'odd' is test
1 is in l
1 is in(l)
1 is eq 1
1 is ne 1
1 is lt 2
1 is gt(2)
'a' is == 'a'
html is escaped
(html|e) is escaped
1 is nope
1|nope
s is defined and s is string
not s is none
s is not none and s|length > 3
s is string is string
zzz == zzz
zzz == none
zzz != 1
zzz > 1
zzz + 1
1 + zzz
-zzz
zzz * 'a'
zzz in l
zzz in s
'a' in zzz
not zzz
zzz and 1
zzz or 1
zzz|upper
zzz|join
zzz|first
zzz|list
[zzz]
{'a': zzz}
'%s' % zzz
zzz[0]
zzz[:1]
s[zzz]
d[zzz]
l[zzz]
q
[q]
['it\'s']
[weird]
['\\', '\n', '\r', '\t', '"', "'"]
[1.0, 1e20, 0.1]
nested
(1, 'a', none)
{'a': (1,)}
[true, false]
html|urlencode
{'a b': 'ü', 'c': 1}|urlencode
[('a', 1)]|urlencode
'a/b c'|urlencode
{'class': 'x y', 'id': none, 'n': 1}|xmlattr
1000|filesizeformat
1|filesizeformat
123456789|filesizeformat
123456789|filesizeformat(true)
x if y
(s)
((s))
s . upper ( )
s|upper|lower|title
s | upper | replace ( 'L' , 'x' )
[1, 2,]
{'a': 1,}
(1, 2,)
f(1,)
s.split(sep=',')
s.split(foo=1)
s.strip(chars='H')
s.replace(old='l', new='x')
'a'.join(iterable=l)
l|join(d='-')
l|join(sep='-')
s|replace(old='l', new='x')
s|default(default_value=1)
s|truncate(length=5)
s|upper(1)
range(stop=3)
range(*[1, 3])|list
dict(**{'a': 1})
dict(**d)
dict(a=1, **{'a': 2})
'{}{}'.format(*[1, 2])
'{a}'.format(**{'a': 5})
l|join(*['-'])
loop
loop.index
caller
varargs
true
True
TRUE
null
in
1.
.5
1.5.x
1 2
s s
'a
{{ s }}
"unterminated
s|
s.
s[
(1
[1
{1
{1: 
1 +
not
1 not 2
a = 1
a if
1 if t else
s is
s|upper(
$
s?x
s!
5 is not 5
1 == 1 == 1
1 if 1 if 1 else 2 else 3
'a' if t else 'b' ~ 'c'
('a' if t else 'b') ~ 'c'
1 in [1] == true
-1|abs
(-1)|abs
-1.5|abs
2**3|string ~ 'x'
-2|abs ** 2
not t == t
s|length + 1
s|length > 3 and t
'a' ~ 1 + 2
'a' ~ 1 * 2
1 + 1 ~ 1 + 1
'x' ~ 'y' * 2
s in [s] and not s in []
d.b + d.a
d.items.x
messages|selectattr('role', 'equalto', 'user')|first
(messages|selectattr('role', 'equalto', 'user')|first).content
(messages|first).role
messages[0].role.title()
'GPT4 Correct ' + messages[0].role.title()
messages[2].content.split('</think>')[-1].strip()
messages[2].content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n')
messages[2].content.split('</think>')[0]|trim
messages|length - 1
messages[1].content|length
messages[1].content[-1:]
(messages|last)['role'] != 'assistant'
messages|map(attribute='content')|map('length')|sum
messages|map(attribute='role')|unique|list
messages|rejectattr('role', 'in', ['system'])|list|length
tool.function.parameters.required|join
tool.function.parameters|dictsort
tool['function']['name']|upper
tool.function|tojson|length
tool.function.parameters.limit
tool.function.parameters.properties is not defined
tool.function.description|default('none given')
"""

# Whole templates in the environment of chat templates.
TEMPLATES = [
    "{% for m in messages %}{{ m.role }}:{{ loop.index }}/{{ loop.length }} {% endfor %}",
    "{% for m in messages -%}\n  {{ m.role }}\n{%- endfor %}",
    "{% for m in messages %}\n{{ m.role }}\n{% endfor %}\nend",
    "  {% if t %}\n    yes\n  {% endif %}\nno",
    "a {% if t %}b{% endif %} c",
    "{{ 'a' }} {% if t %}b{% endif %}",
    "{% if t %}   {% if t %}a{% endif %}{% endif %}",
    "{{ 'a' }} {# note #}b",
    "a\n  {# note #}\nb",
    "a\n  {#- note -#}\n b",
    "a{#+ x +#}\nb",
    "{# c #}\nx",
    "a\n {%+ if t %}x{% endif %}",
    "a\n {%- if t +%}\nx{% endif +%}\n",
    "x{% if t -%}\n\n y {%- endif %} z",
    "{{- s -}}\n\n{{+ n }}",
    "a\n\n",
    "a\r\nb\rc\n",
    "\n",
    "",
    "{% raw %}{{ s }}{% if %}{% endraw %}",
    "{% raw -%}\n  {{ x }}\n{%- endraw %}|",
    "  {% raw %}a{% endraw %}\nb",
    "{% raw %}\na{% endraw %}",
    "{% raw %}x",
    "{% raw x %}{% endraw %}",
    "{%raw%}a{%endraw%}b",
    "{% raw %} {% raw %} {% endraw %}",
    "x{#",
    "x{# y",
    "x{#-",
    "{% raw %}",
    "{% if t %}",
    "{% endif %}",
    "{% if %}{% endif %}",
    "{% for %}{% endfor %}",
    "{% nope %}",
    "{% if t %}{% endfor %}",
    "{{",
    "{%",
    "{",
    "{ {",
    "}}",
    "%}",
    "#}",
    "{{ }}",
    "{% %}",
    "{{ s }",
    "{{ s %}",
    "{% if t }}x{% endif %}",
    "{{ {'a': {'b': 1}}}}",
    "{{ {'a': 1}['a']}}",
    "{% if t: %}x{% endif %}",
    "{% for x in l: %}{{ x }}{% endfor %}",
    "{% if n > 5 and t %}a{% elif n == 3 %}b{% else %}c{% endif %}",
    "{% if zzz %}a{% else %}b{% endif %}",
    "{% if l, t %}x{% endif %}",
    "{% for x in l %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in [] %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in zzz %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in none %}{% endfor %}",
    "{% for x in 5 %}{% endfor %}",
    "{% for x in s %}{{ x }}.{% endfor %}",
    "{% for k in d %}{{ k }},{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d %}{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a+b+c }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "{% for a, b in ['xy'] %}{{ a }}-{{ b }}{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}:{{ x }}{{ ',' if not loop.last }}{% endfor %}",
    "{% for x in l if x > 5 %}{% else %}none{% endfor %}",
    "{% for x in l if loop.first %}{{ x }}{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in l %}{{ loop.first }}{{ loop.last }}{{ loop.index0 }}{{ loop.revindex }}"
    "{{ loop.revindex0 }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
    "{% for x in l|map('string') %}{{ loop.length }}{{ x }}{% endfor %}",
    "{% for x in l|select %}{{ loop.last }}{{ x }}{{ loop.length }}{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in l %}{{ loop.cycle() }}{% endfor %}",
    "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {% endfor %}",
    "{% for x in l %}{{ loop }}{% endfor %}",
    "{% for x in l %}{{ loop.nope }}{% endfor %}",
    "{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}",
    "{% for x in l %}{% set outer = loop %}{% for y in l %}{{ outer.index }}{{ loop.index }} {% endfor %}"
    "{% endfor %}",
    "{% for n in tree recursive %}{{ n.n }}{{ loop.depth }}{% if n.c %}({{ loop(n.c) }}){% endif %}{% endfor %}",
    "{% for n in tree %}{{ loop(n.c) }}{% endfor %}",
    "{% for n in tree recursive %}{{ n.n }}{{ loop(n.c) }}{% else %}!{% endfor %}",
    "{% for x in l recursive %}{{ loop(l) }}{% endfor %}",
    "{% for x in l %}{% set loop = 1 %}{% endfor %}",
    "{% for loop in l %}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% continue %}{% else %}none{% endfor %}",
    "{% for x in l %}{% break %}{% else %}none{% endfor %}",
    "{% break %}",
    "{% if t %}{% continue %}{% endif %}",
    "{% for x in l %}{% macro f() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for x in l %}{% set y %}{{ x }}{% continue %}{% endset %}{{ y }}{% endfor %}",
    "{% for x in l %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "{% set x = 1 %}{% for y in l %}{% set x = y %}{{ x }}{% endfor %}{{ x }}",
    "{% set x = 1 %}{% for y in l %}{{ x }}{% set x = x + 1 %}{% endfor %}{{ x }}",
    "{% for y in l %}{% set zz = y %}{% endfor %}{{ zz }}",
    "{% if t %}{% set x = 1 %}{% endif %}{{ x }}",
    "{% if not t %}{% set s = 1 %}{% endif %}{{ s }}",
    "{% if not t %}{% set xx = 1 %}{% endif %}{{ xx }}|{{ xx is defined }}",
    "{% for x in l %}{% if x == 1 %}{% set s = x %}{% endif %}{{ s }} {% endfor %}{{ s }}",
    "{% set ns = namespace() %}{% set ns, ns.b = {}, 2 %}{{ ns }}",
    "{% set ns = namespace() %}{% set ns, ns.b = 1, 2 %}{{ ns }}",
    "{% set ns = namespace(n=0) %}{% for x in l %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}",
    "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}{{ ns }}",
    "{% set d.a = 5 %}",
    "{% set d['a'] = 5 %}",
    "{% set messages[0]['content'] = 'x' %}",
    "{% set zzz.a = 5 %}",
    "{% set ns = namespace() %}{% set ns._x = 1 %}",
    "{% set a, b = 1, 2 %}{{ b }}{{ a }}",
    "{% set a, b = [1, 2] %}{{ b }}",
    "{% set a, b = 1 %}",
    "{% set a, b = 1, 2, 3 %}",
    "{% set (a, b) = (1, 2) %}{{ a }}",
    "{% set [a] = [1] %}{{ a }}",
    "{% set 5 = 1 %}",
    "{% set true = 1 %}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% set a = %}",
    "{% set a.b.c = 1 %}",
    "{% set f() = 1 %}",
    "{% set x %}a{{ n }}b{% endset %}{{ x }}{{ x|length }}",
    "{% set x | upper | trim %} a {% endset %}[{{ x }}]",
    "{% set x|length %}abc{% endset %}{{ x + 1 }}",
    "{% set x | replace(s, 'y') %}Hello, World{% endset %}{{ x }}",
    "{% set x | replace(vv, 'y') %}a{% endset %}{{ x }}",
    "{% set x %}{% set y = 1 %}{% endset %}{{ y }}",
    "{% set ns = namespace() %}{% set ns.x %}abc{% endset %}{{ ns.x }}",
    "{%- set a = {\n 'x': 1,\n} -%}{{ a.x }}",
    "{% macro f(a, b=2) %}{{ a }}-{{ b }};{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(b=4, a=5) }}{{ f() }}",
    "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}",
    "{% macro f(a) %}{% endmacro %}{{ f(z=2) }}",
    "{% macro f(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, z=4) }}",
    "{% macro f(a, a) %}{% endmacro %}",
    "{% macro f(a=1, b) %}{% endmacro %}",
    "{% macro f(x) %}{{ caller() }}{{ x }}{% endmacro %}{% call f(1) %}in{% endcall %}",
    "{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b=3) f() %}{{ a }}{{ b }}{% endcall %}",
    "{% macro f() %}{{ caller }}{% endmacro %}{{ f() }}",
    "{% macro f() %}{{ caller() }}{% endmacro %}{{ f() }}",
    "{% macro f() %}x{% endmacro %}{% call f() %}y{% endcall %}",
    "{% call range(3) %}x{% endcall %}",
    "{% call 5 %}x{% endcall %}",
    "{% macro f(caller) %}{{ caller() }}{% endmacro %}",
    "{% macro f(caller=none) %}{{ caller() if caller else '-' }}{% endmacro %}{{ f() }}{% call f() %}y"
    "{% endcall %}",
    "{{ f(1) }}{% macro f(a) %}{{ a }}{% endmacro %}",
    "{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{% set x = 2 %}{{ f() }}",
    "{% macro f() %}{{ f2() }}{% endmacro %}{% macro f2() %}ok{% endmacro %}{{ f() }}",
    "{% macro f(x) %}{{ x }}{{ f(x - 1) if x else '' }}{% endmacro %}{{ f(5) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f() %}{% set s = 'in' %}{{ s }}{% endmacro %}{{ f() }}{{ s }}",
    "{% macro f(a, b='x') %}{% endmacro %}{{ f.name }}{{ f.arguments }}{{ f.catch_kwargs }}"
    "{{ f.catch_varargs }}{{ f.caller }}{{ f }}",
    "{% for x in l %}{% macro f() %}{{ x }}{% endmacro %}{{ f() }}{% endfor %}{{ f is defined }}",
    "{% set ns = namespace() %}{% for x in l %}{% macro f() %}{{ x }}{% endmacro %}{% set ns.f = f %}"
    "{% endfor %}{{ ns.f() }}",
    "{% set ns = namespace() %}{% for x in l %}{% macro f() %}{{ x }}{% endmacro %}{% set ns.f = f %}"
    "{% endfor %}{% for x in 'ab' %}{{ ns.f() }}{% endfor %}",
    "{% macro f(a=b, b=1) %}{{ a }}{{ b }}{% endmacro %}{{ f() }}{{ f(b=2) }}",
    "{% macro f(l) %}{% for x in l %}{{ x }}{% endfor %}{% endmacro %}{{ f([1, 2])|length }}",
    "{% if t %}{% macro f() %}a{% endmacro %}{% else %}{% macro f() %}b{% endmacro %}{% endif %}{{ f() }}",
    "{% if not t %}{% macro f() %}a{% endmacro %}{% endif %}{{ f is defined }}",
    "{% filter upper %}abc {{ s }}{% endfilter %}",
    "{% filter replace('a', 'b')|upper %}abc{% endfilter %}",
    "{% filter length %}abc{% endfilter %}",
    "{% filter upper %}{% set x = 1 %}{% endfilter %}{{ x }}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}",
    "{% set a = 5 %}{% with a = 1, b = a %}{{ b }}{{ a }}{% endwith %}",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}",
    "{% generation %}a{{ s }}{% set y = 1 %}{% endgeneration %}{{ y }}",
    "Assistant:{% generation %}{% if t %} {% endif %}x{% endgeneration %}",
    "{% generation %}\n  x\n{% endgeneration %}\ny",
    "{% do l.append(1) %}",
    "{% print s %}",
    "{% print s, n %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% extends 'x' %}",
    "{% block a %}x{{ s }}{% endblock %}",
    "{% set v = 1 %}{% block a %}{{ v }}{% endblock a %}",
    "{% for x in l %}{% block a %}{{ x }}{% endblock %}{% endfor %}",
    "{% for x in l %}{% block a scoped %}{{ x }}{{ loop.index }}{% endblock %}{% endfor %}",
    "{% block a %}{% endblock %}{% block a %}{% endblock %}",
    "{% if zzz %}{{ 1|nope }}{% endif %}ok",
    "{{ 1|nope if zzz else 'ok' }}",
    "{% for x in zzz %}{{ 1|nope }}{% endfor %}",
    "{% if t %}{{ 1|nope }}{% endif %}",
    "{% if zzz is nope %}{% endif %}",
    "{{ s }}\n",
    "{{ s }}\n\n",
    "{% set x = cycler('a', 'b') %}{{ x.next() }}{{ x.next() }}{{ x.next() }}{{ x.reset() }}{{ x.current }}"
    "{{ x.pos }}{{ x.items }}",
    "{% set j = joiner() %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}",
    "{% set g = l|map('string') %}{{ g|list }}{{ g|list }}",
    "{% set g = l|map('string') %}{{ g|first }}{{ g|list }}",
    "{% set ns = namespace(k=1) %}{% for x in l if x > ns.k %}{{ x }}{% set ns.k = 2 %}{% endfor %}",
    "{% set c = messages[-1].content %}{% if '</think>' in c %}"
    "{% set r = c.split('</think>')[0].split('<think>')[-1] %}<think>{{ r.strip() }}</think>"
    "{{ c.split('</think>')[-1].strip() }}{% endif %}",
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('alternate') }}{% endif %}{% endfor %}",
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% else %}"
    "{% set rest = messages %}{% endif %}{% for m in rest %}"
    "{{ '<|' ~ m.role ~ '|>\n' ~ m.content|trim ~ eos_token }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|assistant|>' }}{% endif %}",
    "{%- for k, v in tool.function.parameters|items if k != 'type' %}{{ k }}: {{ v|tojson }}"
    "{{ '' if loop.last else ', ' }}{%- endfor %}",
    "{% macro show(v, i=0) %}{% if v is mapping %}{% for k, w in v.items() %}\n{{ '  ' * i }}{{ k }}:"
    "{{ show(w, i + 1) }}{% endfor %}{% elif v is string %} {{ v }}{% else %} {{ v|tojson }}{% endif %}"
    "{% endmacro %}{{ show(tool) }}",
    "{% set names = [] %}{% for m in messages %}{% set names = names + [m.role] %}{% endfor %}{{ names }}",
    "{% set ns = namespace(a=[]) %}{% for m in messages %}{% set ns.a = ns.a + [m.role] %}{% endfor %}"
    "{{ ns.a|join(',') }}",
    "{{ 'a' }}\n{{ 'b' }}",
    "a\n\n\n{% if t %}\n\nb{% endif %}\n\nc",
    "{% if t %}\n{% if t %}\nx\n{% endif %}\n{% endif %}\ny",
    "\t{% if t %}\n\tx\n\t{% endif %}\n",
    "{% set x = 1 %}   \n  a",
    "x   {%- set y = 1 %}   z",
    "{{ '\n' }}{% set x = 'a\nb' %}{{ x }}",
    "{{ \"%}\" }}{{ '}}' }}",
    "{# {{ x }} {% if %} #}a",
    "{{ '{# x #}' }}",
    "{% set x = '{% if %}' %}{{ x }}",
    "é{% if t %}ü{% endif %}日本",
    "{{ 'é' }}{{ \"日本\" }}",
    "{% set größe = 5 %}{{ größe }}",
]

# Templates as in task files: undefined names are errors, and a last newline stays.
TASKS = [
    "{{s}}\nQ: x\n",
    "{{ s }}\n",
    "{{zzz}}",
    "{{ zzz is defined }}",
    "{{ zzz|default('x') }}",
    "{{ d.zzz }}",
    "{{ d.zzz is defined }}",
    "{% if zzz %}{% endif %}",
    "{{ zzz == 1 }}",
    "{{ [zzz] }}",
    "{% for x in zzz %}{% endfor %}",
    "{{ zzz ~ 'a' }}",
    "{{ 'a' if not t }}",
    "{{ ('a' if not t) ~ 'x' }}",
    "{{ 1 if s == 'Hello, World' else 0 }}",
    "{{ (1 if s == 'no' else 0) }}",
    "{{ 3 > 2 > 1 }}",
    "{{l[-1]}}",
    '{{csv.split(",")[-1]}}',
    "{{u[0]}}",
    '{{ csv.split("_", 1)[1].strip() }}',
    '{{ {"1": 0, "7": 1}[n|string] }}',
    '{{ words.index("fig") }}',
    "{{ words.index('zz') }}",
    "{% set p = 'Q:\n' %}{{ p + s }}",
    "<b>{{ html }}",
    "{{ d|tojson }}",
    "{{ html|tojson }}",
    "{{ u|tojson }}",
    "{{ tool|tojson(indent=2) }}",
    "  {% if t %}\n x\n  {% endif %}\n",
    "{% break %}",
    "{% generation %}{% endgeneration %}",
    "{{ raise_exception('x') }}",
    "{{ messages|map(attribute='zzz')|list }}",
    "{{ messages|map(attribute='zzz')|join }}",
    "{{ messages|selectattr('zzz')|list }}",
    "{{ messages|selectattr('zzz', 'defined')|list }}",
    "{{ []|first }}",
    "{{ zzz is iterable }}",
    "{{ zzz is sequence }}",
    "{{ zzz is none }}",
    "{{ zzz|length }}",
    "{{ not zzz }}",
    "{{ zzz or 1 }}",
    "{{ zzz in l }}",
    "{{ 'a' in zzz }}",
    "{{ s.__class__ }}",
    "{{ d.get('zzz') }}",
    "{{ l.append }}",
    "{% for x in l %}{{ loop.previtem }}{% endfor %}",
    "{{ words|join(', ') }}:\n{% for w in words %}{{ loop.index }}. {{ w }}\n{% endfor %}",
]

DO = [
    "{% do 1 %}x",
    "{% do l.append(1) %}{{ l }}",
    "{% do zzz %}x",
    "{% do zzz.y %}",
    "{% for x in l %}{% do x %}{{ x }}{% if x == 1 %}{% break %}{% endif %}{% endfor %}",
    "{{ 1 }}\n{% if t %}\n x{% endif %}\n\n",
]


def main():
    variables = json.dumps(VARS, ensure_ascii=False)
    cases = [("chat", "{{ " + e + " }}") for e in EXPRESSIONS.strip("\n").replace("\\\nb", "\\\0b").split("\n")]
    cases += [("chat", t) for t in TEMPLATES] + [("task", t) for t in TASKS] + [("do", t) for t in DO]
    for mode, template in cases:
        template = template.replace("\0", "\n")
        used = {k: v for k, v in VARS.items() if k in template}
        variables = json.dumps(used, ensure_ascii=False)
        print(
            json.dumps({"mode": mode, "template": template, "vars": variables, **render(mode, template, variables)})
        )


main()
