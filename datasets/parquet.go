package datasets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/parquet-go/parquet-go"
)

// readParquet calls yield with every row of a parquet file. content is the file f after decompression. The library
// panics on some damaged files; the panic becomes an error.
func readParquet(content io.Reader, f fs.File, info fs.FileInfo, yield func(row) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged parquet file: %v", p)
		}
	}()
	data, ok := f.(io.ReaderAt)
	size := info.Size()
	if content != io.Reader(f) || !ok {
		all, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		data, size = bytes.NewReader(all), int64(len(all))
	}
	if err := checkFooter(data, size); err != nil {
		return err
	}
	file, err := parquet.OpenFile(data, size)
	if err != nil {
		return fmt.Errorf("not a sound parquet file: %w", err)
	}
	if n := file.NumRows(); n > max(1e6, size) {
		return fmt.Errorf("not a sound parquet file: %d rows in %d bytes", n, size)
	}
	reader := parquet.NewGenericReader[any](file)
	defer reader.Close()
	for rows := make([]any, 64); ; {
		clear(rows)
		n, err := reader.Read(rows)
		for _, v := range rows[:n] {
			columns, ok := v.(map[string]any)
			if !ok {
				return fmt.Errorf("want columns, have %T", v)
			}
			if err := yield(columns); err != nil {
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

// checkFooter refuses a footer that is longer than the file: the library would allocate up to 4 GiB for it.
func checkFooter(data io.ReaderAt, size int64) error {
	var end [8]byte
	if _, err := data.ReadAt(end[:], size-8); err != nil || string(end[4:]) != "PAR1" {
		return errors.New("not a parquet file: it does not end with PAR1")
	}
	if n := int64(binary.LittleEndian.Uint32(end[:4])); n > size-12 {
		return fmt.Errorf("not a sound parquet file: a footer of %d bytes in a file of %d", n, size)
	}
	return nil
}
