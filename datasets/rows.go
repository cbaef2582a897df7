package datasets

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/hub"
)

// OpenFiles is a set of local files of any split, read one after the other: .jsonl, .json and .parquet (also .gz, .zst, .xz), and .txt,
// whose lines are rows of the one column text.
func OpenFiles(name string, files []string) (Source, error) {
	s := Source{Name: name, files: os.DirFS("/")}
	for _, f := range files {
		absolute, err := filepath.Abs(f)
		if err != nil {
			return Source{}, fmt.Errorf("data set %s: %w", name, err)
		}
		if !dataFile.MatchString(f) && filepath.Ext(f) != ".txt" {
			return Source{}, fmt.Errorf("data set %s: file %s: want .jsonl, .json, .parquet (or .gz, .zst of one) or .txt", name, f)
		}
		s.Files = append(s.Files, strings.TrimPrefix(filepath.ToSlash(absolute), "/"))
	}
	return s, nil
}

// OpenConfiguration finds the files of a split of one configuration of a set on the hub: those in a folder of that name. Without a
// configuration it is OpenSource.
func OpenConfiguration(ctx context.Context, id, configuration, split string, hub *hub.Hub) (Source, error) {
	match := hubID.FindStringSubmatch(id)
	if configuration == "" || match == nil || hub == nil {
		return OpenSource(ctx, id, split, "", hub)
	}
	wanted := func(file string) bool {
		inside := slices.Contains(strings.Split(path.Dir(file), "/"), configuration)
		return inside && splitMatches(splitOf(file), split)
	}
	dir, err := hub.Snapshot(ctx, "datasets", match[1], match[2], wanted)
	if err != nil {
		return Source{}, fmt.Errorf("data set %s: configuration %s, split %s: %w", id, configuration, split, err)
	}
	s, err := folder(id, split, dir)
	if err != nil {
		return Source{}, err
	}
	s.Files = slices.DeleteFunc(s.Files, func(file string) bool { return !wanted(file) }) // other configurations may be in the cache
	if len(s.Files) == 0 {
		return Source{}, fmt.Errorf("data set %s: %w: %s in a folder %s", id, ErrNoSplit, split, configuration)
	}
	return s, nil
}

// Rows calls yield with the columns of every row and its number, counted from 0 through the source's files. A value is nil, a bool, a
// string, an int or int64 or int32, a float64 or float32, []any or map[string]any. Errors, also those of yield, come back with the file
// and the row's number there.
func (s Source) Rows(yield func(number int, columns map[string]any) error) error {
	number := -1
	return s.rows(func(_ string, r row) error {
		number++
		columns := make(map[string]any, len(r))
		for name, v := range r {
			columns[name] = plainValue(v)
		}
		return yield(number, columns)
	})
}

// plainValue unwraps the numbers of JSON and the list layout of older parquet writers, also within other values.
func plainValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		f, err := v.Float64()
		if err != nil {
			return v.String() // a number that no float holds
		}
		return f
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = plainValue(item)
		}
		return out
	case map[string]any:
		if list, ok := (row{"": v}).list(""); ok {
			return plainValue(list)
		}
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = plainValue(item)
		}
		return out
	}
	return v
}

// readLines reads a text file: one row a line.
func readLines(content io.Reader, yield func(row) error) error {
	s := bufio.NewScanner(content)
	s.Buffer(make([]byte, 0, 1<<16), 64<<20)
	for s.Scan() {
		if err := yield(row{"text": s.Text()}); err != nil {
			return err
		}
	}
	return s.Err()
}
