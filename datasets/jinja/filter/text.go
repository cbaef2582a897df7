package filter

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/bfpo-go/bfpo/datasets/jinja/method"
	"github.com/bfpo-go/bfpo/datasets/jinja/operator"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

func mapText(f func(string) string) func(*Call) value.Value {
	return func(c *Call) value.Value {
		text, model := c.text()
		c.Meter.Text(3 * len(text))
		return value.Like(model, f(text))
	}
}

// title is unlike str.title: words begin after white space, hyphens and opening brackets only.
func title(c *Call) value.Value {
	text, _ := c.text()
	c.Meter.Text(3 * len(text))
	var b strings.Builder
	isBreak := func(r rune) bool { return value.IsSpace(r) || strings.ContainsRune("-({[<", r) }
	for text != "" {
		end := strings.IndexFunc(text, isBreak)
		if end == 0 {
			end = len(text) - len(strings.TrimLeftFunc(text, isBreak))
		} else if end < 0 {
			end = len(text)
		}
		size := len(string([]rune(text[:min(end, 4)])[:1]))
		b.WriteString(value.Upper(text[:size]) + value.Lower(text[size:end]))
		text = text[end:]
	}
	return b.String()
}

func trim(c *Call) value.Value {
	text, model := c.text()
	return value.Like(model, method.Strip(c.Meter, text, c.Args[0]))
}

func center(c *Call) value.Value {
	text, model := c.text()
	f, _ := c.Access.Attribute(c.Meter, value.Like(model, text), "center")
	return f.(*value.Function).Call(c.Meter, value.Args{Positional: c.Args})
}

func replace(c *Call) value.Value {
	count := int64(-1)
	if c.Args[2] != nil {
		count = value.Index(c.Meter, c.Args[2])
	}
	str := func(v value.Value) string { return value.Str(c.Meter, v) }
	return method.Replace(c.Meter, str(c.Value), str(c.Args[0]), str(c.Args[1]), count)
}

func format(c *Call) value.Value {
	_, text := c.text()
	switch {
	case len(c.Raw.Positional) > 0 && c.Raw.Named.Len() > 0:
		value.Fail("FilterArgumentError", "can't handle positional and keyword arguments at the same time")
	case c.Raw.Named.Len() > 0:
		return operator.Percent(c.Meter, text, c.Raw.Named)
	}
	return operator.Percent(c.Meter, text, &value.Tuple{Items: c.Raw.Positional})
}

func escape(c *Call) value.Value { return value.Escape(c.Meter, c.Value) }

func forceEscape(c *Call) value.Value { return value.Escape(c.Meter, value.Str(c.Meter, c.Value)) }

func safe(c *Call) value.Value { return value.Markup(value.Str(c.Meter, c.Value)) }

func indent(c *Call) value.Value {
	width, isText := value.Text(c.Args[0])
	if !isText {
		width = operator.Spaces(c.Meter, " ", value.Index(c.Meter, c.Args[0]))
	}
	text, ok := value.Text(c.Value)
	if !ok {
		operator.Arithmetic(c.Meter, "+", c.Value, "\n") // fails as Python does
		value.Fail("TypeError", "indent wants a text")
	}
	lines := value.SplitLines(text+"\n", false)
	c.Meter.Items(len(lines))
	c.Meter.Text(len(text) + len(lines)*(len(width)+1))
	blank := value.Truth(c.Meter, c.Args[2])
	var b strings.Builder
	if value.Truth(c.Meter, c.Args[1]) {
		b.WriteString(width)
	}
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
			if blank || line != "" {
				b.WriteString(width)
			}
		}
		b.WriteString(line)
	}
	return value.Like(c.Value, b.String())
}

func truncate(c *Call) value.Value {
	m := c.Meter
	end := value.Str(m, c.Args[2])
	length, leeway := value.Index(m, c.Args[0]), int64(5)
	if c.Args[3] != nil {
		leeway = value.Index(m, c.Args[3])
	}
	endLength := int64(value.Chars(m, end))
	if length < endLength || leeway < 0 {
		value.Fail("AssertionError", "expected length >= %d and leeway >= 0", endLength)
	}
	if value.Len(m, c.Value) <= length+leeway {
		return c.Value
	}
	text, ok := value.Text(c.Value)
	if !ok {
		value.Fail("TypeError", "truncate wants a text")
	}
	cut, _ := value.Slice(m, text, nil, length-endLength, nil).(string)
	if !value.Truth(m, c.Args[1]) {
		if at := strings.LastIndex(cut, " "); at >= 0 {
			cut = cut[:at]
		}
	}
	return operator.Arithmetic(m, "+", value.Like(c.Value, cut), c.Args[2])
}

func wordCount(c *Call) value.Value {
	text, _ := c.text()
	c.Meter.Step(len(text) / 2)
	n, inWord := int64(0), false
	for _, r := range text {
		isWord := r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
		if isWord && !inWord {
			n++
		}
		inWord = isWord
	}
	return n
}

func fileSize(c *Call) value.Value {
	bytes, ok := value.ToFloat(c.Meter, c.Value)
	if !ok {
		value.Fail("ValueError", "could not convert to float")
	}
	base, suffix := 1000.0, "B"
	if value.Truth(c.Meter, c.Args[0]) {
		base, suffix = 1024, "iB"
	}
	switch {
	case bytes == 1:
		return "1 Byte"
	case bytes < base:
		whole, _ := value.Truncate(c.Meter, bytes)
		return value.Str(c.Meter, whole) + " Bytes"
	}
	prefixes := "kMGTPEZY"
	if base == 1024 {
		prefixes = "KMGTPEZY"
	}
	unit := base
	for i, prefix := range prefixes {
		unit *= base
		if bytes < unit || i == len(prefixes)-1 {
			return fmt.Sprintf("%s %c%s", operator.Format(c.Meter, base*bytes/unit, ".1f"), prefix, suffix)
		}
	}
	return ""
}

func urlEncode(c *Call) value.Value {
	if _, ok := value.Text(c.Value); ok {
		return quoteURL(c.Meter, c.Value, "/")
	}
	source := c.Value
	if d, ok := source.(*value.Dict); ok {
		source = &value.View{Dict: d, Kind: "items"}
	}
	it, ok := value.TryIterate(c.Meter, source)
	if !ok {
		return quoteURL(c.Meter, c.Value, "/")
	}
	var parts []string
	for {
		item, ok := it.Next()
		if !ok {
			break
		}
		pair := value.Collect(c.Meter, item)
		if len(pair) != 2 {
			value.Fail("ValueError", "urlencode wants pairs")
		}
		key, val := quoteURL(c.Meter, pair[0], ""), quoteURL(c.Meter, pair[1], "")
		c.Meter.Items(1)
		parts = append(parts, strings.ReplaceAll(key, "%20", "+")+"="+strings.ReplaceAll(val, "%20", "+"))
	}
	return strings.Join(parts, "&")
}

func quoteURL(m *value.Meter, v value.Value, safe string) string {
	text := value.Str(m, v)
	m.Text(3 * len(text))
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		isPlain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if isPlain || strings.IndexByte("_.-~"+safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func xmlAttributes(c *Call) value.Value {
	d, ok := c.Value.(*value.Dict)
	if !ok {
		value.Fail("TypeError", "xmlattr wants a mapping")
	}
	var parts []string
	for key, v := range d.All() {
		if _, isUndefined := v.(*value.Undefined); v == nil || isUndefined {
			continue
		}
		name, ok := value.Text(key)
		if !ok || strings.ContainsAny(name, " \t\n\r\f\v/>=") {
			value.Fail("ValueError", "Invalid character in attribute name")
		}
		c.Meter.Items(1)
		parts = append(parts, fmt.Sprintf(`%s="%s"`, value.Escape(c.Meter, key), value.Escape(c.Meter, v)))
	}
	text := strings.Join(parts, " ")
	if text != "" && value.Truth(c.Meter, c.Args[0]) {
		text = " " + text
	}
	c.Meter.Text(len(text))
	return text
}
