package rowfile

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Bounds on the memory that a decompressor takes before it returns a byte.
const (
	minWindow = 32 << 20  // a window of zstd up to this size, or the file's, is accepted …
	maxWindow = 128 << 20 // … but none above this one
)

// decompress returns the content of a .gz, .zst or .xz file and its name without that ending; other files stay as they
// are. Reading fails where the content is more than the budget of a file of this size.
func decompress(f fs.File, name string, size int64) (io.Reader, string, error) {
	ext := path.Ext(name)
	plain := strings.TrimSuffix(name, ext)
	var r io.Reader
	var err error
	switch ext {
	case ".gz":
		r, err = gzip.NewReader(bufio.NewReader(f))
	case ".zst":
		window := uint64(min(max(size, minWindow), maxWindow))
		r, err = zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWindow),
			zstd.WithDecoderMaxWindow(window))
	case ".xz":
		r, err = openXZ(f, size)
	default:
		return f, name, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, "", fmt.Errorf("not a sound %s file: %w", ext, err)
	}
	return &expanded{r: r, budget: newBudget(size)}, plain, nil
}

// expanded reads what a file decompresses to and spends its budget.
type expanded struct {
	r      io.Reader
	budget *budget
}

// Read implements io.Reader.
func (e *expanded) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = fmt.Errorf("%w: compress it again without --ultra and --long", err)
	}
	if spent := e.budget.spend(int64(n)); spent != nil {
		return 0, spent
	}
	return n, err
}
