package safetensors

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"github.com/edsrzf/mmap-go"
	"github.com/gomlx/compute/dtypes"
)

// maxHeader bounds the length of the header, in bytes. The format allows three times as much. The largest one known, of
// a model with 92,000 tensors, would have 12 MB in a single file.
const maxHeader = 32 << 20

// Tensor is a tensor as it is stored in a file.
type Tensor struct {
	Name  string
	DType dtypes.DType
	Dims  []int
	Bytes []byte // little endian, row-major, read-only; may be part of a mapped file and unaligned
}

// File is an open safetensors file, mapped into memory. Its layout has been checked: the length and the JSON of the
// header, every dtype, shape and offset, and that the tensors cover the data without holes and overlaps.
//
// If the file shrinks while it is open, reading the Bytes of its tensors stops the program; see CatchFaults.
type File struct {
	Metadata map[string]string // the header's __metadata__

	path    string
	mapping mmap.MMap
	tensors map[string]Tensor
	names   []string // in the order of the data
}

// Open maps a file into memory and checks its layout. Errors name the file and the tensor.
func Open(path string) (*File, error) {
	mapping, err := MapFile(path)
	if err != nil {
		return nil, err
	}
	s := &File{path: path, mapping: mapping}
	if err := CatchFaults(func() error { return s.parse(mapping) }); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// MapFile maps a whole file into memory for reading. The mapping of an empty file is nil. It is an error if path is
// not a regular file.
func MapFile(path string) (mmap.MMap, error) {
	if info, err := os.Stat(path); err != nil { // before it is opened, which waits for ever if it is a named pipe
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, nil
	}
	mapping, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: map into memory: %w", path, err)
	}
	return mapping, nil
}

// parse checks the bytes of a whole file and fills in the table of tensors.
func (s *File) parse(file []byte) error {
	if len(file) < 8 {
		return fmt.Errorf("%d bytes are too few for a safetensors file", len(file))
	}
	length := binary.LittleEndian.Uint64(file)
	if length > maxHeader {
		return fmt.Errorf("header length %d is above the limit of %d bytes", length, maxHeader)
	}
	if length > uint64(len(file)-8) {
		return fmt.Errorf("header length %d is beyond the end of the file (%d bytes)", length, len(file))
	}
	entries, metadata, err := parseHeader(file[8 : 8+length])
	if err != nil {
		return err
	}
	data := file[8+length:]
	slices.SortFunc(entries, headerEntry.compareOffsets)
	s.Metadata = metadata
	s.tensors = make(map[string]Tensor, len(entries))
	end := uint64(0)
	for _, e := range entries {
		if e.begin != end {
			return fmt.Errorf("tensor %s: data starts at %d, want %d: holes and overlaps are not allowed",
				e.name, e.begin, end)
		}
		if e.end > uint64(len(data)) {
			return fmt.Errorf("tensor %s: data ends at %d, but the file has only %d bytes of data: it is truncated or damaged",
				e.name, e.end, len(data))
		}
		end = e.end
		s.tensors[e.name] = Tensor{Name: e.name, DType: e.dtype, Dims: e.dims, Bytes: data[e.begin:e.end:e.end]}
		s.names = append(s.names, e.name)
	}
	if end != uint64(len(data)) {
		return fmt.Errorf("%d bytes after the last tensor's data", uint64(len(data))-end)
	}
	return nil
}

// Names lists the tensors in the order of their data.
func (s *File) Names() []string { return slices.Clone(s.names) }

// Tensor returns the tensor of the given name. Its Bytes are valid until Close.
func (s *File) Tensor(name string) (Tensor, error) {
	t, ok := s.tensors[name]
	if !ok {
		return Tensor{}, fmt.Errorf("%s: no tensor %s", s.path, name)
	}
	return t, nil
}

// ReleasePages lets the system drop the pages of the file that are in memory. Pages that are used again are read again.
func (s *File) ReleasePages() { releasePages(s.mapping) }

// Close unmaps the file. The Bytes of its tensors must not be used afterwards.
func (s *File) Close() error {
	if s.mapping == nil {
		return nil
	}
	s.tensors = nil
	return s.mapping.Unmap()
}
