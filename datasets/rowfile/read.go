package rowfile

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
)

// Read calls yield with every row of a file: .jsonl or .json, .parquet, or .txt, whose lines are rows with the one
// column text; also .gz, .zst or .xz of one. Only the wanted columns are decoded. Errors about a line are *LineErrors;
// those of yield end the reading and are returned as they are.
func Read(f fs.File, name string, wanted Columns, yield Yield) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	content, plain, err := decompress(f, name, size)
	if err != nil {
		return err
	}
	limits := newLimits(size)
	switch path.Ext(plain) {
	case ".parquet":
		return readParquet(content, f, size, limits, wanted, yield)
	case ".txt":
		return readLines(content, limits, yield)
	}
	return readJSON(content, limits, wanted, yield)
}

// ParseObject returns the columns of a row in JSON.
func ParseObject(text []byte) (map[string]any, error) {
	text = trim(text)
	if !json.Valid(text) {
		return nil, errors.New("not valid JSON")
	}
	row, wrong, err := newRowDecoder(newLimits(int64(len(text))), nil).decode(text)
	return row, errors.Join(wrong, err)
}

// ParseValue returns the value of a JSON text; see Yield. Valid is false for a text that is not JSON.
func ParseValue(text string) (value any, valid bool, err error) {
	if !json.Valid([]byte(text)) {
		return nil, false, nil
	}
	p := valueParser{room: maxRowValues}
	value, err = p.parse(text[nextToken(text, 0):])
	return value, true, err
}

// readLines calls yield with each line of a text file, as a row with the one column text.
func readLines(content io.Reader, limits limits, yield Yield) error {
	r := bufio.NewReaderSize(content, 1<<16)
	if err := skipMark(r); err != nil {
		return err
	}
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 1<<16), limits.row)
	line := 1
	for ; s.Scan(); line++ {
		if err := limits.budget.spend(int64(rowCost + len(s.Bytes()))); err != nil {
			return &LineError{line, err}
		}
		row := map[string]any{"text": s.Text()}
		if err := checkUnicode(s.Text()); err != nil {
			row["text"] = Unusable{err}
		}
		if err := yield(line, row, nil); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return &LineError{line, err}
	}
	return nil
}
