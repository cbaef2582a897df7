package datasets

import (
	"fmt"
	"path"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/rowfile"
)

// place is where a row stands.
type place struct {
	id     string // of the row: the file and the number of the row in it, counted from 0
	set    string // the data set's name
	file   string // the name of the file
	line   int    // where the row begins, counted from 1; 0 where rows are not lines
	number int    // of the row in the file, counted from 0
}

// String names the data set, the file and the line or the row.
func (p place) String() string { return fmt.Sprintf("data set %s: %s", p.set, p.inSet()) }

// inSet names the file and the line or the row.
func (p place) inSet() string {
	if p.line > 0 {
		return fmt.Sprintf("file %s, line %d", p.file, p.line)
	}
	return fmt.Sprintf("file %s, row %d (counted from 0)", p.file, p.number)
}

// rows calls yield with every row of the source, of which only the wanted columns are decoded, and its place. Where a
// value of the file is no row, r is nil and wrong says why. Errors about the file name it, with the row or the line;
// those of yield are returned as they are.
func (s Source) rows(wanted rowfile.Columns, yield func(at place, r row, wrong error) error) error {
	for _, file := range s.Files {
		origin := s.Name
		if s.folder {
			origin = strings.TrimRight(s.Name, "/") + "/" + file
		}
		at := place{set: s.Name, file: path.Base(file)}
		var stopped error // by yield
		err := s.readFile(file, wanted, func(line int, r map[string]any, wrong error) error {
			at.id, at.line = fmt.Sprintf("%s#%d", origin, at.number), line
			stopped = yield(at, r, wrong)
			at.number++
			return stopped
		})
		switch line, inLine := err.(*rowfile.LineError); {
		case stopped != nil:
			return stopped
		case inLine:
			at.line = line.Line
			return fmt.Errorf("%v: %w", at, line.Err)
		case err != nil && at.number == 0: // about the file, not about a row
			return fmt.Errorf("data set %s: file %s: %w", s.Name, at.file, err)
		case err != nil:
			at.line = 0
			return fmt.Errorf("%v: %w", at, err)
		}
	}
	return nil
}

// readFile calls yield with every row of one file.
func (s Source) readFile(name string, wanted rowfile.Columns, yield rowfile.Yield) error {
	f, err := s.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return rowfile.Read(f, name, wanted, yield)
}
