package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/jinja"
	"github.com/bfpo-go/bfpo/datasets/jsontype"
)

// maxLine is the maximum length in bytes of a line of input.
const maxLine = 64 << 20

// lines yields the lines of in until its end or until ctx is done. It reads in a goroutine, so that Ctrl-C at a prompt
// works without Enter. The goroutine may then be left in its last read; the program ends soon after.
func lines(ctx context.Context, in io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		read, end := make(chan string), make(chan error, 1)
		go func() {
			s := bufio.NewScanner(in)
			s.Buffer(make([]byte, 0, 1<<16), maxLine)
			for s.Scan() {
				select {
				case read <- s.Text():
				case <-ctx.Done():
					return
				}
			}
			end <- s.Err()
			close(read)
		}()
		for {
			select {
			case line, more := <-read:
				var err error
				if !more {
					err = <-end
				}
				if !more && err == nil || !yield(line, err) || err != nil {
					return
				}
			case <-ctx.Done():
				yield("", ctx.Err())
				return
			}
		}
	}
}

// eachLine calls f with every line of in that is not blank. An error names the line.
func eachLine(ctx context.Context, in io.Reader, f func(line []byte) error) error {
	number := 0
	for line, err := range lines(ctx, in) {
		number++
		if err == nil && strings.TrimSpace(line) != "" {
			err = f([]byte(line))
		}
		if err != nil {
			return fmt.Errorf("standard input, line %d: %w", number, err)
		}
	}
	return nil
}

// decodeLine decodes one JSON object into a struct. A key that the struct lacks is an error, and so are text after the
// object and text that is not Unicode.
func decodeLine(line []byte, into any) error {
	if !utf8.Valid(line) {
		return errors.New("the line is not UTF-8")
	}
	if err := jsontype.UnmarshalStrict(line, into); err != nil {
		return err
	}
	_, err := jinja.DecodeJSON(line) // refuses halves of surrogate pairs, for which package json writes U+FFFD
	return err
}

// writeLine writes v as JSON on one line, without HTML escapes.
func writeLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// orEmpty returns an empty list for nil, so that JSON has [] instead of null.
func orEmpty(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}
