package checkpoint

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/zeebo/xxh3"
)

// logsName is the name of the file that holds the Logs of a checkpoint.
const logsName = "logs.json"

// Logs are the marks of the files that a run appends to, by name. A resumed run takes over what these files held when
// the checkpoint was saved.
type Logs map[string]Mark

// Mark is the length of a file and the 128-bit XXH3 of its bytes, at some time.
type Mark struct {
	Bytes int64  `json:"bytes"`
	XXH3  string `json:"xxh3"`
}

// NewMark marks a whole file.
func NewMark(path string) (Mark, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Mark{}, err
	}
	return markBeginning(path, info.Size())
}

// Check compares the beginning of a file with the mark. The error wraps fs.ErrNotExist if there is no such file.
func (m Mark) Check(path string) error {
	now, err := markBeginning(path, m.Bytes)
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s has lost lines since the checkpoint was saved: it had at least %d bytes", path, m.Bytes)
	case err != nil:
		return err
	case now != m:
		return fmt.Errorf("the first %d bytes of %s are not the ones that the run had written when the checkpoint was saved",
			m.Bytes, path)
	}
	return nil
}

// markBeginning marks the first n bytes of a file. The error of a shorter file is io.EOF.
func markBeginning(path string, n int64) (Mark, error) {
	file, err := os.Open(path)
	if err != nil {
		return Mark{}, err
	}
	defer file.Close()
	h := xxh3.New()
	if _, err := io.CopyN(h, file, n); err != nil {
		return Mark{}, err
	}
	sum := h.Sum128().Bytes()
	return Mark{n, hex.EncodeToString(sum[:])}, nil
}

// File returns the marks as a file to save in a checkpoint.
func (l Logs) File() File { return jsonFile(logsName, l) }

// Logs reads the checkpoint's marks. A checkpoint of an earlier version has none.
func (c Checkpoint) Logs() (Logs, error) {
	if !c.Lists(logsName) {
		return nil, nil
	}
	var l Logs
	return l, c.readJSON(logsName, &l)
}

// jsonFile returns v as a file to save in a checkpoint.
func jsonFile(name string, v any) File {
	return File{name, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}}
}

// maxJSONSize limits how many bytes of a checkpoint's JSON file are read. A state lists every tensor of the model.
const maxJSONSize = 64 << 20

// readJSON decodes one of the checkpoint's JSON files.
func (c Checkpoint) readJSON(name string, v any) error {
	path, err := c.FilePath(name)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", c.Path, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxJSONSize))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s: %s: %w", c.Path, name, err)
	}
	return nil
}
