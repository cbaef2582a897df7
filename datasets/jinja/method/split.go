package method

import (
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// splitParams are those of split and rsplit.
var splitParams = value.Opt(value.Opt(nil, "sep", nil), "maxsplit", int64(-1))

// list returns parts of a text as a list.
func (r receiver) list(m *value.Meter, parts []string) value.Value {
	items := make([]value.Value, m.Items(len(parts)))
	for i, part := range parts {
		items[i] = r.like(part)
	}
	return &value.List{Items: items}
}

// separator returns the argument sep, and whether it is given.
func separator(m *value.Meter, v value.Value) (sep string, given bool) {
	if v == nil {
		return "", false
	}
	if sep = textOf(m, v); sep == "" {
		value.Fail("ValueError", "empty separator")
	}
	return sep, true
}

func split(m *value.Meter, r receiver, args []value.Value) value.Value {
	sep, given := separator(m, args[0])
	most := value.Index(m, args[1])
	m.Read(len(r.text))
	if given {
		n := value.Count(m, r.text, sep)
		if most >= 0 {
			n = int(min(int64(n), most))
		}
		m.Items(n)
		return r.list(m, strings.SplitN(r.text, sep, n+1))
	}
	var parts []string
	rest := strings.TrimLeftFunc(r.text, value.IsSpace)
	for rest != "" {
		end := strings.IndexFunc(rest, value.IsSpace)
		if end < 0 || most == 0 {
			parts = append(parts, rest)
			break
		}
		m.Items(1)
		parts = append(parts, rest[:end])
		rest = strings.TrimLeftFunc(rest[end:], value.IsSpace)
		most--
	}
	return r.list(m, parts)
}

func rsplit(m *value.Meter, r receiver, args []value.Value) value.Value {
	sep, given := separator(m, args[0])
	most := value.Index(m, args[1])
	m.Read(len(r.text))
	trim := func(text string) string { return strings.TrimRightFunc(text, value.IsSpace) }
	last := func(text string) (at, size int) {
		at = strings.LastIndexFunc(text, value.IsSpace)
		return at, len(text) - at
	}
	rest := r.text
	if given {
		trim = func(text string) string { return text }
		last = func(text string) (at, size int) { return strings.LastIndex(text, sep), len(sep) }
	}
	var parts []string
	for rest = trim(rest); rest != "" || given; most-- {
		at, _ := last(rest)
		if at < 0 || most == 0 {
			parts = append(parts, rest)
			break
		}
		m.Items(1)
		_, after, _ := cut(rest, at, sep)
		parts = append(parts, after)
		rest = trim(rest[:at])
	}
	slices.Reverse(parts)
	return r.list(m, parts)
}

// cut splits a text around a separator at a place, or around one character of white space if there is none.
func cut(text string, at int, sep string) (before, after string, size int) {
	if size = len(sep); size == 0 {
		for i := range text[at:] {
			if i > 0 {
				size = i
				break
			}
		}
		if size == 0 {
			size = len(text) - at
		}
	}
	return text[:at], text[at+size:], size
}

func splitLines(m *value.Meter, r receiver, args []value.Value) value.Value {
	keep := value.Truth(m, args[0])
	m.Read(8 * len(r.text))
	m.Items(strings.Count(r.text, "\n"))
	return r.list(m, value.SplitLines(r.text, keep))
}

func partition(m *value.Meter, r receiver, args []value.Value) value.Value {
	sep, _ := separator(m, textOf(m, args[0]))
	m.Read(len(r.text))
	before, after, found := strings.Cut(r.text, sep)
	if !found {
		sep = ""
	}
	return &value.Tuple{Items: []value.Value{r.like(before), r.like(sep), r.like(after)}}
}

func rpartition(m *value.Meter, r receiver, args []value.Value) value.Value {
	sep, _ := separator(m, textOf(m, args[0]))
	m.Read(len(r.text))
	before, after := "", r.text
	if at := value.FindLast(m, r.text, sep); at >= 0 {
		before, after = r.text[:at], r.text[at+len(sep):]
	} else {
		sep = ""
	}
	return &value.Tuple{Items: []value.Value{r.like(before), r.like(sep), r.like(after)}}
}
