package value

import "unicode/utf8"

func decode(text string) (rune, int)     { return utf8.DecodeRuneInString(text) }
func decodeLast(text string) (rune, int) { return utf8.DecodeLastRuneInString(text) }

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Chars returns the number of characters of a text.
func Chars(m *Meter, text string) int {
	m.Read(len(text))
	return utf8.RuneCountInString(text)
}

// offset returns where the character number n of a text begins; n is at most the number of characters.
func offset(text string, n int) int {
	if isASCII(text) {
		return n
	}
	at := 0
	for range n {
		_, size := decode(text[at:])
		at += size
	}
	return at
}

// CharAt returns a character of a text; a negative number counts from the end.
func CharAt(m *Meter, text string, n int64) (string, bool) {
	length := int64(Chars(m, text))
	if n < 0 {
		n += length
	}
	if n < 0 || n >= length {
		return "", false
	}
	at := int(n)
	if length != int64(len(text)) {
		at = offset(text, int(n))
	}
	_, size := decode(text[at:])
	return text[at : at+size], true
}

// Reversed returns a text from its end to its beginning.
func Reversed(m *Meter, text string) string {
	b := make([]byte, 0, m.Text(len(text)))
	for text != "" {
		_, size := decodeLast(text)
		b = append(b, text[len(text)-size:]...)
		text = text[:len(text)-size]
	}
	return string(b)
}

// Span is what a slice [start:stop:step] takes of a sequence: count items from start on, step apart.
type Span struct{ Start, Step, Count int64 }

// NewSpan settles the bounds of a slice for a sequence; a nil bound is missing.
func NewSpan(length int64, start, stop, step Value) Span {
	by := sliceIndex(step, 1)
	if by == 0 {
		failValue("slice step cannot be zero")
	}
	low, high := int64(0), length
	if by < 0 {
		low, high = -1, length-1
	}
	clamp := func(v Value, missing int64) int64 {
		n := sliceIndex(v, missing)
		if v == nil {
			return n
		}
		if n < 0 {
			n += length
		}
		return min(max(n, low), high)
	}
	var from, to int64
	if by > 0 {
		from, to = clamp(start, low), clamp(stop, high)
	} else {
		from, to = clamp(start, high), clamp(stop, low)
	}
	return Span{from, by, rangeLength(from, to, by)}
}

// sliceIndex returns a bound of a slice. Numbers beyond int64 are as good as its ends.
func sliceIndex(v Value, missing int64) int64 {
	if v == nil {
		return missing
	}
	n, ok := Integer(v)
	if !ok {
		failType("slice indices must be integers or None or have an __index__ method")
	}
	const far = 1 << 62
	if n.IsInt64() {
		return min(max(n.Int64(), -far), far)
	}
	return int64(n.Sign()) * far
}

func rangeLength(start, stop, step int64) int64 {
	switch {
	case step > 0 && start < stop:
		return int64((uint64(stop)-uint64(start)-1)/uint64(step)) + 1
	case step < 0 && stop < start:
		return int64((uint64(start)-uint64(stop)-1)/(-uint64(step))) + 1
	}
	return 0
}

// Len returns the number of items of the range.
func (r *Range) Len() int64 { return rangeLength(r.Start, r.Stop, r.Step) }

// At returns an item of the range.
func (r *Range) At(i int64) int64 { return r.Start + i*r.Step }

// Slice returns the items of a sequence that a slice takes.
func Slice(m *Meter, v, start, stop, step Value) Value {
	switch v := v.(type) {
	case string:
		return SliceText(m, v, start, stop, step)
	case Markup:
		return Markup(SliceText(m, string(v), start, stop, step))
	case *List:
		return &List{sliceItems(m, v.Items, start, stop, step)}
	case *Tuple:
		return &Tuple{Items: sliceItems(m, v.Items, start, stop, step)}
	case *Range:
		s := NewSpan(v.Len(), start, stop, step)
		return &Range{v.At(s.Start), v.At(s.Start + s.Count*s.Step), v.Step * s.Step}
	}
	RefuseUndefined(m, v)
	failType("'%s' object is not subscriptable with a slice", TypeName(v))
	return nil
}

func sliceItems(m *Meter, items []Value, start, stop, step Value) []Value {
	s := NewSpan(int64(len(items)), start, stop, step)
	out := make([]Value, m.Items(int(s.Count)))
	for i := range out {
		out[i] = items[s.Start+int64(i)*s.Step]
	}
	return out
}

// SliceText returns the characters of a text that a slice takes.
func SliceText(m *Meter, text string, start, stop, step Value) string {
	s := NewSpan(int64(Chars(m, text)), start, stop, step)
	if s.Count == 0 {
		return ""
	}
	if s.Step == 1 {
		from := offset(text, int(s.Start))
		return text[from : from+offset(text[from:], int(s.Count))]
	}
	chars := []rune(text)
	m.grow(4*len(chars) + 4*int(s.Count))
	out := make([]rune, s.Count)
	for i := range out {
		out[i] = chars[s.Start+int64(i)*s.Step]
	}
	return string(out)
}
