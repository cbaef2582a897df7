package datasets

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/ulikunitz/xz"
)

// rows calls yield with every row of the source and its ID: where it comes from and its number there, counted from 0. Errors, also those
// of yield, come back with the file and the row's number in that file.
func (s Source) rows(yield func(id string, r row) error) error {
	for _, file := range s.Files {
		from, number := s.Name, 0
		if s.folder {
			from = strings.TrimRight(s.Name, "/") + "/" + file
		}
		err := s.readFile(file, func(r row) error {
			if err := yield(fmt.Sprintf("%s#%d", from, number), r); err != nil {
				return err
			}
			number++
			return nil
		})
		if err != nil {
			return fmt.Errorf("data set %s: file %s, row %d (counted from 0): %w", s.Name, path.Base(file), number, err)
		}
	}
	return nil
}

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

// decompress undoes .gz, .zst and .xz and returns the name without them. It refuses to give out more than 64 MiB and 200 times the
// file's size: text shrinks by a factor of 3 to 20, only hostile files by hundreds.
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

// capped gives out at most left bytes and then fails.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("decompresses to more than 200 times its size: refused; unpack it yourself if it is sound")
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// readJSON reads one object after the other (.jsonl), or one array of objects.
func readJSON(content io.Reader, yield func(row) error) error {
	buffered := bufio.NewReaderSize(content, 1<<16)
	array, err := startsArray(buffered)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(buffered)
	dec.UseNumber()
	if array {
		dec.Token() // the bracket that was just seen
	}
	for !array || dec.More() {
		var r row
		if err := dec.Decode(&r); err == io.EOF && !array {
			return nil
		} else if err != nil {
			return fmt.Errorf("want a JSON object: %w", err)
		}
		if r == nil {
			return errors.New("want a JSON object, have null")
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

// startsArray skips a byte order mark and white space and tells whether a bracket follows.
func startsArray(r *bufio.Reader) (bool, error) {
	if mark, _ := r.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		r.Discard(3)
	}
	for {
		b, err := r.ReadByte()
		if err == io.EOF {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b == '[', r.UnreadByte()
		}
	}
}

// readParquet reads a whole parquet file row by row. The library panics on some damaged files; that becomes an error here.
func readParquet(content io.Reader, f fs.File, info fs.FileInfo, yield func(row) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged parquet file: %v", p)
		}
	}()
	at, ok := f.(io.ReaderAt)
	size := info.Size()
	if content != io.Reader(f) || !ok {
		all, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		at, size = bytes.NewReader(all), int64(len(all))
	}
	if err := checkFooter(at, size); err != nil {
		return err
	}
	file, err := parquet.OpenFile(at, size)
	if err != nil {
		return fmt.Errorf("not a sound parquet file: %w", err)
	}
	if n := file.NumRows(); n > max(1e6, size) {
		return fmt.Errorf("not a sound parquet file: %d rows in %d bytes", n, size)
	}
	reader := parquet.NewGenericReader[any](file)
	defer reader.Close()
	for batch := make([]any, 64); ; {
		clear(batch)
		n, err := reader.Read(batch)
		for _, v := range batch[:n] {
			m, ok := v.(map[string]any)
			if !ok {
				return fmt.Errorf("want columns, have %T", v)
			}
			if err := yield(m); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("damaged parquet file: %w", err)
		} else if n == 0 {
			return io.ErrNoProgress
		}
	}
}

// checkFooter refuses a footer longer than its file, for which the library would reserve up to 4 GiB.
func checkFooter(at io.ReaderAt, size int64) error {
	var end [8]byte
	if _, err := at.ReadAt(end[:], size-8); err != nil || string(end[4:]) != "PAR1" {
		return errors.New("not a parquet file: it does not end with PAR1")
	}
	if n := int64(binary.LittleEndian.Uint32(end[:4])); n > size-12 {
		return fmt.Errorf("not a sound parquet file: a footer of %d bytes in a file of %d", n, size)
	}
	return nil
}
