package datasets

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// rows calls yield with every row of the source and its ID, which is the file and the number of the row in it, counted
// from 0. Errors, also those of yield, name the file and the row or, where rows are lines, the line, counted from 1.
func (s Source) rows(yield func(id string, r row) error) error {
	for _, file := range s.Files {
		origin, number := s.Name, 0
		if s.folder {
			origin = strings.TrimRight(s.Name, "/") + "/" + file
		}
		err := s.readFile(file, func(r row) error {
			if err := yield(fmt.Sprintf("%s#%d", origin, number), r); err != nil {
				return err
			}
			number++
			return nil
		})
		if line, ok := errors.AsType[*lineError](err); ok {
			return fmt.Errorf("data set %s: file %s, %w", s.Name, path.Base(file), line)
		} else if err != nil {
			return fmt.Errorf("data set %s: file %s, row %d (counted from 0): %w", s.Name, path.Base(file), number, err)
		}
	}
	return nil
}

// readFile calls yield with every row of one file.
func (s Source) readFile(name string, yield func(row) error) error {
	f, err := s.files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	content, plain, err := decompress(f, name, info.Size())
	if err != nil {
		return err
	}
	if strings.HasSuffix(plain, ".parquet") {
		return readParquet(content, f, info, yield)
	}
	if strings.HasSuffix(plain, ".txt") {
		return readLines(content, yield)
	}
	return readJSON(content, yield)
}

// decompress returns the content of a .gz, .zst or .xz file and its name without that ending; other files stay as they
// are. Reading fails beyond 64 MiB or 200 times the size of the file, whichever is more: text shrinks by a factor of 3
// to 20, and only hostile files by hundreds.
func decompress(f io.Reader, name string, size int64) (io.Reader, string, error) {
	ext := path.Ext(name)
	plain := strings.TrimSuffix(name, ext)
	var r io.Reader
	switch ext {
	case ".gz":
		z, err := gzip.NewReader(bufio.NewReader(f))
		if err != nil {
			return nil, "", err
		}
		r = z
	case ".zst":
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
		if err != nil {
			return nil, "", err
		}
		r = z
	case ".xz":
		z, err := xz.NewReader(bufio.NewReader(f))
		if err != nil {
			return nil, "", err
		}
		r = z
	default:
		return f, name, nil
	}
	return &capped{r: r, left: max(64<<20, 200*size)}, plain, nil
}

// capped reads at most left bytes and then fails.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the file decompresses to more than 200 times its size; unpack it yourself if it is sound")
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// readLines calls yield with each line of a text file, as a row with the one column text.
func readLines(content io.Reader, yield func(row) error) error {
	s := bufio.NewScanner(content)
	s.Buffer(make([]byte, 0, 1<<16), 64<<20)
	for line := 1; s.Scan(); line++ {
		if err := yield(row{"text": s.Text()}); err != nil {
			return &lineError{line, err}
		}
	}
	return s.Err()
}
