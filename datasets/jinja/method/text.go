package method

import (
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja/operator"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// textMethods are the methods of str, apart from format and format_map. A nil body is a method that is not supported.
var textMethods = map[string]textMethod{
	"capitalize":   mapping(value.Capitalize),
	"casefold":     mapping(value.Casefold),
	"lower":        mapping(value.Lower),
	"swapcase":     mapping(value.SwapCase),
	"title":        mapping(value.Title),
	"upper":        mapping(value.Upper),
	"strip":        strip(strings.TrimFunc),
	"lstrip":       strip(strings.TrimLeftFunc),
	"rstrip":       strip(strings.TrimRightFunc),
	"center":       pad(func(missing, width int64) int64 { return missing/2 + missing&width&1 }),
	"ljust":        pad(func(int64, int64) int64 { return 0 }),
	"rjust":        pad(func(missing, _ int64) int64 { return missing }),
	"removeprefix": affix(strings.TrimPrefix),
	"removesuffix": affix(strings.TrimSuffix),
	"startswith":   hasAffix(strings.HasPrefix),
	"endswith":     hasAffix(strings.HasSuffix),
	"zfill":        {params: value.Need("width"), body: zfill},
	"expandtabs":   {params: value.Opt(nil, "tabsize", int64(8)), named: true, body: expandTabs},
	"find":         search(func(r receiver, at int64, _ string) value.Value { return at }, value.Find),
	"rfind":        search(func(r receiver, at int64, _ string) value.Value { return at }, value.FindLast),
	"index":        search(found, value.Find),
	"rindex":       search(found, value.FindLast),
	"count":        {params: searchParams, body: count},
	"replace":      {params: value.Opt(value.Need("old", "new"), "count", int64(-1)), body: replace},
	"join":         {params: value.Need("iterable"), body: joinTexts},
	"split":        {params: splitParams, named: true, body: split},
	"rsplit":       {params: splitParams, named: true, body: rsplit},
	"splitlines":   {params: value.Opt(nil, "keepends", false), named: true, body: splitLines},
	"partition":    {params: value.Need("sep"), body: partition},
	"rpartition":   {params: value.Need("sep"), body: rpartition},
	"isalnum":      test("isalnum"), "isalpha": test("isalpha"), "isascii": test("isascii"),
	"isdecimal": test("isdecimal"), "isdigit": test("isdigit"), "isidentifier": test("isidentifier"),
	"islower": test("islower"), "isnumeric": test("isnumeric"), "isprintable": test("isprintable"),
	"isspace": test("isspace"), "istitle": test("istitle"), "isupper": test("isupper"),
	"encode": {}, "translate": {}, "maketrans": {},
}

func mapping(f func(string) string) textMethod {
	return textMethod{body: func(m *value.Meter, r receiver, _ []value.Value) value.Value {
		m.Text(3 * len(r.text)) // some characters become up to three
		return r.like(f(r.text))
	}}
}

func test(name string) textMethod {
	return textMethod{body: func(m *value.Meter, r receiver, _ []value.Value) value.Value {
		m.Read(8 * len(r.text))
		return value.Predicate(name)(r.text)
	}}
}

// Strip is str.strip with a set of characters, or white space if it is nil.
func Strip(m *value.Meter, text string, chars value.Value) string {
	return stripBy(m, text, chars, strings.TrimFunc)
}

func stripBy(m *value.Meter, text string, chars value.Value, trim func(string, func(rune) bool) string) string {
	if chars == nil {
		m.Read(len(text))
		return trim(text, value.IsSpace)
	}
	set := textOf(m, chars)
	isIn := func(r rune) bool {
		m.Read(64 + len(set))
		return strings.ContainsRune(set, r)
	}
	return trim(text, isIn)
}

func strip(trim func(string, func(rune) bool) string) textMethod {
	return textMethod{
		params: value.Opt(nil, "chars", nil),
		body: func(m *value.Meter, r receiver, args []value.Value) value.Value {
			return r.like(stripBy(m, r.text, args[0], trim))
		},
	}
}

// pad adds a character on both sides of a text; left says how many of those missing come before it.
func pad(left func(missing, width int64) int64) textMethod {
	return textMethod{
		params: value.Opt(value.Need("width"), "fillchar", " "),
		body: func(m *value.Meter, r receiver, args []value.Value) value.Value {
			width, fill := value.Index(m, args[0]), textOf(m, args[1])
			if value.Chars(m, fill) != 1 {
				value.Fail("TypeError", "The fill character must be exactly one character long")
			}
			missing := width - int64(value.Chars(m, r.text))
			if missing <= 0 {
				return r.self
			}
			before := left(missing, width)
			return r.like(operator.Spaces(m, fill, before) + r.text + operator.Spaces(m, fill, missing-before))
		},
	}
}

func affix(trim func(string, string) string) textMethod {
	return textMethod{
		params: value.Need("affix"),
		body: func(m *value.Meter, r receiver, args []value.Value) value.Value {
			return r.like(trim(r.text, textOf(m, args[0])))
		},
	}
}

func zfill(m *value.Meter, r receiver, args []value.Value) value.Value {
	missing := value.Index(m, args[0]) - int64(value.Chars(m, r.text))
	sign := ""
	rest := r.text
	if strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
		sign, rest = rest[:1], rest[1:]
	}
	return r.like(sign + operator.Spaces(m, "0", missing) + rest)
}

func expandTabs(m *value.Meter, r receiver, args []value.Value) value.Value {
	size := value.Index(m, args[0])
	var b strings.Builder
	column := int64(0)
	for _, c := range r.text {
		switch c {
		case '\t':
			if size > 0 {
				spaces := operator.Spaces(m, " ", size-column%size)
				m.Fits(b.Len() + len(spaces))
				b.WriteString(spaces)
				column += int64(len(spaces))
			}
			continue
		case '\n', '\r':
			column = -1
		}
		b.WriteRune(c)
		column++
	}
	m.Text(b.Len())
	return r.like(b.String())
}
