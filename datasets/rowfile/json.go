package rowfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// readJSON calls yield with each of the objects of a file, which is a sequence of them (.jsonl) or one array. Only the
// wanted columns are decoded. Errors about a sequence are *LineErrors; those of yield are returned as they are.
func readJSON(content io.Reader, limits limits, wanted Columns, yield Yield) error {
	buffered := bufio.NewReaderSize(content, 1<<16)
	array, line, err := startsArray(buffered)
	if err != nil {
		return err
	}
	decoder := newRowDecoder(limits, wanted)
	if array {
		return readArray(buffered, decoder, yield)
	}
	lines := &jsonLines{r: buffered, line: line - 1, limit: limits.row}
	for {
		value, line, err := lines.value()
		if err == io.EOF {
			return nil
		}
		var r map[string]any
		var wrong error
		if err == nil {
			r, wrong, err = decoder.decode(value)
		}
		if err != nil {
			return &LineError{line, err}
		}
		if err := yield(line, r, wrong); err != nil {
			return err
		}
	}
}

// readArray calls yield with each of the objects of an array.
func readArray(content *bufio.Reader, decoder *rowDecoder, yield Yield) error {
	in := &nonFinite{r: content, limit: decoder.limits.row}
	dec := json.NewDecoder(in)
	dec.Token() // the opening bracket
	for dec.More() {
		in.read = 0
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return fmt.Errorf("not a complete JSON array: %w", err)
		}
		r, wrong, err := decoder.decode(value)
		if err == nil {
			err = yield(0, r, wrong)
		}
		if err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil { // the closing bracket
		return fmt.Errorf("not a complete JSON array: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("text after the closing bracket")
	}
	return nil
}

// startsArray skips a byte order mark and white space, reports whether a bracket follows, and returns the line where
// it stopped.
func startsArray(r *bufio.Reader) (array bool, line int, err error) {
	if err := skipMark(r); err != nil {
		return false, 1, err
	}
	for line = 1; ; {
		b, err := r.ReadByte()
		if err == io.EOF {
			return false, line, nil
		} else if err != nil {
			return false, line, err
		}
		if b == '\n' {
			line++
		} else if !isSpace(b) {
			return b == '[', line, r.UnreadByte()
		}
	}
}

// skipMark skips the byte order mark of UTF-8, and refuses text in UTF-16, which has another.
func skipMark(r *bufio.Reader) error {
	mark, _ := r.Peek(3)
	if bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		r.Discard(3)
	} else if bytes.HasPrefix(mark, []byte("\xff\xfe")) || bytes.HasPrefix(mark, []byte("\xfe\xff")) {
		return errors.New("the text is UTF-16; save it as UTF-8")
	}
	return nil
}

// jsonLines splits a sequence of JSON values. Nearly always a line is one value. Where it is not, a json.Decoder finds
// the end of the value in this line or a later one.
type jsonLines struct {
	r     *bufio.Reader
	limit int    // bytes of a value
	line  int    // that text belongs to, counted from 1
	text  []byte // the part of the line that has not been used; valid until the next line is read
	long  []byte // holds a line that is longer than r's buffer

	replaced bool // text has no NaN and Infinity any more
}

// value returns the next value and the line where it begins. It is valid until the next call. At the end of the file
// the error is io.EOF.
func (l *jsonLines) value() (value []byte, line int, err error) {
	for len(l.text) == 0 {
		if err := l.next(); err != nil {
			return nil, l.line, err
		}
	}
	line = l.line
	valid := json.Valid(l.text)
	if !valid && !l.replaced {
		l.text, l.replaced = replaceNonFinite(l.text), true
		valid = json.Valid(l.text)
	}
	if !valid {
		value, err = l.decode()
		return value, line, err
	}
	value, l.text = l.text, nil
	return value, line, nil
}

// next reads the next line into text, without the white space around it.
func (l *jsonLines) next() error {
	l.line++
	text, err := l.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		l.long = l.long[:0]
		for err == bufio.ErrBufferFull && len(l.long) <= l.limit {
			l.long = append(l.long, text...)
			text, err = l.r.ReadSlice('\n')
		}
		l.long = append(l.long, text...)
		text = l.long
	}
	if len(text) > l.limit {
		return tooLong(l.limit)
	} else if err != nil && (err != io.EOF || len(text) == 0) {
		return err
	}
	l.text, l.replaced = trim(text), false
	return nil
}

// decode returns a value that begins in this line and is not all of it.
func (l *jsonLines) decode() ([]byte, error) {
	in := &valueReader{lines: l, rest: l.text, first: l.line}
	dec := json.NewDecoder(in)
	var value json.RawMessage
	if err := dec.Decode(&value); err != nil {
		return nil, in.explain(err)
	}
	// The decoder reads a line only when the lines before it do not end the value, so what follows is of the last one.
	l.text = bytes.TrimLeft(l.text[dec.InputOffset()-in.before:], " \t\r\n")
	return value, nil
}

// valueReader reads the rest of a line and the lines after it, each in Reads of its own.
type valueReader struct {
	lines  *jsonLines
	rest   []byte // of the line
	ended  bool   // the line feed after the line has been read
	first  int    // the line where the value begins
	before int64  // bytes of the lines before this one
	err    error  // of reading the file, other than its end
}

// Read implements io.Reader.
func (v *valueReader) Read(p []byte) (int, error) {
	for len(v.rest) == 0 {
		if !v.ended {
			v.ended = true
			if _, err := v.lines.r.Peek(1); err == nil {
				return copy(p, "\n"), nil
			}
		}
		v.before += int64(len(v.lines.text) + 1)
		v.err = v.lines.next()
		if v.err == nil && v.before > int64(v.lines.limit) {
			v.err = tooLong(v.lines.limit)
		}
		if v.err != nil {
			return 0, v.err
		}
		v.lines.text, v.lines.replaced = replaceNonFinite(v.lines.text), true
		v.rest, v.ended = v.lines.text, false
	}
	n := copy(p, v.rest)
	v.rest = v.rest[n:]
	return n, nil
}

// explain says in plain words what is wrong with a value that the decoder refused.
func (v *valueReader) explain(err error) error {
	if v.err != nil && v.err != io.EOF {
		return v.err
	}
	where := ""
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the file ends within it")
	} else if v.lines.line > v.first {
		where = fmt.Sprintf("it continues in line %d: ", v.lines.line)
	}
	return fmt.Errorf("not a complete JSON object (%s%w); each line must be one {…}", where, err)
}
