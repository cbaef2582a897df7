package datasets

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// lineError is an error about a line of a file, counted from 1.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }

// Unwrap returns the cause.
func (e *lineError) Unwrap() error { return e.err }

// readJSON calls yield with each of the objects of a file, which is a sequence of them (.jsonl) or one array. Errors
// about a sequence, also those of yield, are *lineErrors.
func readJSON(content io.Reader, yield func(row) error) error {
	buffered := bufio.NewReaderSize(content, 1<<16)
	array, line, err := startsArray(buffered)
	if err != nil {
		return err
	}
	if array {
		return readArray(buffered, yield)
	}
	in := &lineReader{r: buffered, line: line}
	read := &recorder{from: in}
	dec := json.NewDecoder(read)
	dec.UseNumber()
	for {
		in.first = 0
		var r row
		err := dec.Decode(&r)
		if err == io.EOF {
			return nil
		} else if err != nil {
			err = in.explain(err)
		} else if r == nil {
			err = errors.New("want a JSON object {…}, have null")
		} else if err = r.keepOrder(read.take(dec.InputOffset())); err == nil {
			err = yield(r)
		}
		if err != nil {
			return &lineError{in.rowLine(), err}
		}
	}
}

// readArray calls yield with each of the objects of an array.
func readArray(content io.Reader, yield func(row) error) error {
	read := &recorder{from: content}
	dec := json.NewDecoder(read)
	dec.UseNumber()
	dec.Token() // the opening bracket
	read.take(dec.InputOffset())
	for dec.More() {
		var r row
		if err := dec.Decode(&r); err != nil {
			return fmt.Errorf("want a JSON object: %w", err)
		}
		if r == nil {
			return errors.New("want a JSON object, have null")
		}
		if err := r.keepOrder(read.take(dec.InputOffset())); err != nil {
			return err
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil { // the closing bracket
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("text after the closing bracket")
	}
	return nil
}

// startsArray skips a byte order mark and white space, reports whether a bracket follows, and returns the line where
// it stopped.
func startsArray(r *bufio.Reader) (array bool, line int, err error) {
	if mark, _ := r.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		r.Discard(3)
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

// isSpace reports whether a byte is white space between the tokens of JSON.
func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// lineReader counts the lines of what a json.Decoder reads. Each Read ends with the first line that is not blank, so
// that the decoder never holds text of a line after the one where its value ends.
type lineReader struct {
	r     *bufio.Reader
	line  int   // of the next byte, counted from 1
	first int   // the first line that was not blank since the caller set first to 0; 0 if there is none
	last  int   // the last line that was not blank
	err   error // of reading the file, other than its end
}

// Read implements io.Reader.
func (l *lineReader) Read(p []byte) (int, error) {
	if _, err := l.r.Peek(1); err != nil {
		if err != io.EOF {
			l.err = err
		}
		return 0, err
	}
	text, _ := l.r.Peek(min(len(p), l.r.Buffered()))
	n := 0
	for n < len(text) && isSpace(text[n]) {
		if text[n] == '\n' {
			l.line++
		}
		n++
	}
	if n < len(text) {
		l.last = l.line
		if l.first == 0 {
			l.first = l.line
		}
		if end := bytes.IndexByte(text[n:], '\n'); end >= 0 {
			text = text[:n+end+1]
			l.line++
		}
	}
	copy(p, text)
	return l.r.Discard(len(text))
}

// rowLine returns the line where the last value begins. A value that follows another in its line reads no line.
func (l *lineReader) rowLine() int {
	if l.first == 0 {
		return l.last
	}
	return l.first
}

// explain says in plain words what is wrong with a value that the decoder refused.
func (l *lineReader) explain(err error) error {
	if l.err != nil {
		return l.err
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("want a JSON object {…}, have JSON of type %s", wrong.Value)
	}
	where := ""
	if l.last > l.rowLine() {
		where = fmt.Sprintf("it continues in line %d: ", l.last)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the file ends within it")
	}
	return fmt.Errorf("not a complete JSON object (%s%w); each line must be one {…}", where, err)
}
