package datasets

import (
	"context"
	"errors"
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/rowfile"
)

// A file with more malformed rows than these is refused even where malformed rows are dropped: another layout than the
// one that the rows seem to have is more likely than so many mistakes.
const (
	maxMalformedShare = 0.1
	minMalformedRows  = 10 // fewer are dropped, whatever their share, if the file has other rows

	// So many malformed rows end the reading if they are most of the rows so far: each costs memory.
	endMalformedRows = 10_000
)

// finishExample completes an example that was read from a row.
type finishExample[T any] func(id string, example *T, r row, f *findings) error

// setReader reads the rows of one data set.
type setReader[T any] struct {
	schemas schemas[T]
	strict  bool
	finish  finishExample[T]

	total    int // rows that the files have
	rows     []T
	numbers  []int // of rows, counted from 0 through all files
	dropped  []droppedRow
	drops    Drops // of the rows that take returned
	file     fileCheck
	findings findings
}

// droppedRow is a row that is not used.
type droppedRow struct {
	number     int
	id, reason string
}

// read reads all rows of a source.
func (s *setReader[T]) read(ctx context.Context, source Source) error {
	wanted := s.schemas.wanted()
	names := make([]string, 0, len(wanted))
	for name := range wanted {
		names = append(names, name)
	}
	err := source.rows(wanted, func(at place, r row, wrong error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if at.file != s.file.name {
			if err := s.file.check(); err != nil {
				return err
			}
			s.file = fileCheck{name: at.file}
		}
		return s.readRow(at, names, r, wrong)
	})
	if err == nil {
		err = s.file.check()
	}
	return err
}

// readRow reads one row, or drops it.
func (s *setReader[T]) readRow(at place, names []string, r row, wrong error) error {
	number := s.total
	s.total++
	s.file.rows++
	var example T
	var parsed []string
	err := wrong
	if err == nil {
		parsed, err = r.parseMessages(names...)
	}
	if err == nil {
		example, err = readExample(s.schemas, r)
	}
	if err == nil {
		err = s.finish(at.id, &example, r, &s.findings)
	}
	if err == nil {
		s.findings.parsed(parsed)
		s.rows = append(s.rows, example)
		s.numbers = append(s.numbers, number)
		return nil
	}
	reason := DropMalformed
	if errors.Is(err, rowfile.ErrNotUnicode) {
		reason = DropNotUnicode
	}
	if drop, ok := errors.AsType[*dropError](err); ok {
		reason = drop.reason
		s.findings.noteUnread(r)
	} else {
		s.findings.malformed(at, err)
		err = fmt.Errorf("%v: %w", at, err)
		if s.strict {
			return fmt.Errorf("%w (set bad_rows: drop to leave such rows out)", err)
		}
		if err := s.file.malformed(err); err != nil {
			return err
		}
	}
	s.dropped = append(s.dropped, droppedRow{number, at.id, reason})
	return nil
}

// take returns the examples among the first n rows, dropped rows counted, and collects the drops among these rows.
func (s *setReader[T]) take(n int) []T {
	for _, d := range s.dropped {
		if d.number < n {
			s.drops.drop(d.reason, d.id)
		}
	}
	used := len(s.rows)
	for used > 0 && s.numbers[used-1] >= n {
		used--
	}
	return s.rows[:used]
}

// fileCheck counts the malformed rows of one file.
type fileCheck struct {
	name      string
	rows, bad int
	first     error // about a malformed row
}

// malformed adds a malformed row. Its error refuses the file before all of it is read.
func (f *fileCheck) malformed(err error) error {
	if f.bad++; f.first == nil {
		f.first = err
	}
	if f.bad >= endMalformedRows && 2*f.bad > f.rows {
		return fmt.Errorf("%w (%d of the file's first %d rows are malformed)", f.first, f.bad, f.rows)
	}
	return nil
}

// check refuses a file without sound rows, or with too many others.
func (f *fileCheck) check() error {
	switch {
	case f.bad == 0:
		return nil
	case f.bad == f.rows && f.rows == 1:
		return f.first
	case f.bad == f.rows:
		return fmt.Errorf("%w (the first of the file's %d rows, which are all malformed)", f.first, f.rows)
	case f.bad >= minMalformedRows && float64(f.bad) > maxMalformedShare*float64(f.rows):
		return fmt.Errorf("%w (%d of the file's %d rows are malformed; up to %g %% are dropped)",
			f.first, f.bad, f.rows, 100*maxMalformedShare)
	}
	return nil
}
