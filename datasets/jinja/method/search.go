package method

import (
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// searchParams are those of find, index and count.
var searchParams = value.Opt(value.Opt(value.Need("sub"), "start", nil), "end", nil)

// within returns the part of a text between two bounds and how many characters are before it; false if they lie the
// wrong way round.
func within(m *value.Meter, text string, start, end value.Value) (part string, before int64, ok bool) {
	if start == nil && end == nil {
		return text, 0, true
	}
	length := int64(value.Chars(m, text))
	from := value.NewSpan(length, start, nil, nil)
	to := value.NewSpan(length, nil, end, nil)
	before = length - from.Count
	if n, isInt := start.(int64); isInt && n > length || before > to.Count {
		return "", 0, false
	}
	part, _ = value.Slice(m, text, start, end, nil).(string)
	return part, before, true
}

// search returns the method that finds a text.
func search(
	result func(r receiver, at int64, sub string) value.Value, find func(m *value.Meter, text, sub string) int,
) textMethod {
	return textMethod{
		params: searchParams,
		body: func(m *value.Meter, r receiver, args []value.Value) value.Value {
			sub := textOf(m, args[0])
			part, before, ok := within(m, r.text, args[1], args[2])
			at := int64(-1)
			if i := find(m, part, sub); ok && i >= 0 {
				m.Read(8 * i)
				at = before + int64(utf8.RuneCountInString(part[:i]))
			}
			return result(r, at, sub)
		},
	}
}

// found fails where index finds nothing.
func found(_ receiver, at int64, _ string) value.Value {
	if at < 0 {
		value.Fail("ValueError", "substring not found")
	}
	return at
}

func count(m *value.Meter, r receiver, args []value.Value) value.Value {
	sub := textOf(m, args[0])
	part, _, ok := within(m, r.text, args[1], args[2])
	if !ok {
		return int64(0)
	}
	return int64(value.Count(m, part, sub))
}

// hasAffix returns the method startswith or endswith; several affixes come as a tuple.
func hasAffix(has func(text, affix string) bool) textMethod {
	return textMethod{
		params: value.Opt(value.Opt(value.Need("affix"), "start", nil), "end", nil),
		body: func(m *value.Meter, r receiver, args []value.Value) value.Value {
			affixes := []value.Value{args[0]}
			if t, ok := args[0].(*value.Tuple); ok {
				affixes = t.Items
			}
			part, _, ok := within(m, r.text, args[1], args[2])
			for _, affix := range affixes {
				m.Step(1)
				if has(part, textOf(m, affix)) && ok {
					return true
				}
			}
			return false
		},
	}
}

func replace(m *value.Meter, r receiver, args []value.Value) value.Value {
	from := textOf(m, args[0])
	textOf(m, args[1])
	to := args[1]
	if _, isSafe := r.self.(value.Markup); isSafe {
		to = value.Escape(m, to)
	}
	return r.like(Replace(m, r.text, from, textOf(m, to), value.Index(m, args[2])))
}

// Replace is str.replace; a negative count means all.
func Replace(m *value.Meter, text, from, to string, count int64) string {
	n := int64(value.Count(m, text, from))
	if count >= 0 {
		n = min(n, count)
	}
	m.Step(int(n) / 2)
	m.Text(len(text) + int(n)*max(len(to)-len(from), 0))
	return strings.Replace(text, from, to, int(n))
}

func joinTexts(m *value.Meter, r receiver, args []value.Value) value.Value {
	_, isSafe := r.self.(value.Markup)
	texts := make([]string, 0, 8)
	size := 0
	for i, item := range value.Collect(m, args[0]) {
		if isSafe {
			item = value.Escape(m, item)
		}
		text, ok := value.Text(item)
		if !ok {
			value.Fail("TypeError", "sequence item %d: expected str instance, %s found", i, value.TypeName(item))
		}
		texts = append(texts, text)
		size += len(text) + len(r.text)
	}
	m.Text(size)
	return r.like(strings.Join(texts, r.text))
}
