package gguf

import (
	"fmt"
	"io"
	"os"
)

// WriteStored writes the bytes of a tensor to w as the file stores them, without dequantising them, and returns a
// description of their layout: the type and the shape. It may be called from several goroutines.
func (g *File) WriteStored(w io.Writer, name string) (layout string, err error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("%s: tensor %s: %w", g.path, name, err) }
	t, ok := g.tensors[name]
	if !ok {
		return fail(fmt.Errorf("there is none"))
	}
	info, ok := g.file.GetTensorInfo(t.fileName)
	if !ok {
		return fail(fmt.Errorf("there is none"))
	}
	size, err := tensorBytes(info)
	if err != nil {
		return fail(err)
	}
	file, err := os.Open(g.path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	start := g.file.DataOffset() + int64(info.Offset)
	n, err := io.Copy(w, io.NewSectionReader(file, start, int64(size)))
	if err == nil && uint64(n) != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fail(err)
	}
	return fmt.Sprintf("%s %v", info.Type, t.dims), nil
}
