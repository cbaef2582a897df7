package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errShort is what a lying length inside a GGUF header comes to.
var errShort = errors.New("the header runs beyond the end of the file: it is truncated or damaged")

// ggufScan walks over a GGUF header without keeping anything. The library that reads it afterwards allocates what the header's
// counts promise; the walk makes sure that the file holds that much.
type scan struct {
	rest []byte
}

// scanGGUF checks that every length in the header of a GGUF file lies within the file.
func scanHeader(file []byte) error {
	if len(file) < 4 || string(file[:4]) != "GGUF" {
		return errors.New("not a GGUF file (it does not start with GGUF)")
	}
	s := &scan{rest: file[4:]}
	version, err := s.number(4)
	if err != nil {
		return err
	}
	if version != 2 && version != 3 {
		return fmt.Errorf("GGUF version %d is not supported (supported: 2, 3)", version)
	}
	tensors, err := s.number(8)
	if err != nil {
		return err
	}
	pairs, err := s.number(8)
	if err != nil {
		return err
	}
	// The smallest pair takes 13 bytes, the smallest description of a tensor 24.
	if size := uint64(len(s.rest)); pairs > size/13 || tensors > size/24 {
		return errShort
	}
	for range pairs {
		if err := s.pair(); err != nil {
			return err
		}
	}
	for range tensors {
		if err := s.tensor(); err != nil {
			return err
		}
	}
	return nil
}

// skip passes over n bytes.
func (s *scan) skip(n uint64) error {
	if n > uint64(len(s.rest)) {
		return errShort
	}
	s.rest = s.rest[n:]
	return nil
}

// number reads a little-endian integer of 4 or 8 bytes.
func (s *scan) number(size int) (uint64, error) {
	head := s.rest
	if err := s.skip(uint64(size)); err != nil {
		return 0, err
	}
	if size == 4 {
		return uint64(binary.LittleEndian.Uint32(head)), nil
	}
	return binary.LittleEndian.Uint64(head), nil
}

// text passes over a string: length and bytes.
func (s *scan) text() error {
	n, err := s.number(8)
	if err != nil {
		return err
	}
	return s.skip(n)
}

// Types of values in GGUF metadata that have no fixed size.
const (
	ggufString = 8
	ggufArray  = 9
)

// ggufValueSize returns the size in bytes of a number or truth value; 0 for other and unknown types.
func ggufValueSize(kind uint64) uint64 {
	sizes := [...]uint64{0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
	if kind >= uint64(len(sizes)) {
		return 0
	}
	return sizes[kind]
}

// pair passes over a key and its value.
func (s *scan) pair() error {
	if err := s.text(); err != nil {
		return err
	}
	kind, err := s.number(4)
	if err != nil {
		return err
	}
	switch kind {
	case ggufString:
		return s.text()
	case ggufArray:
		return s.array()
	}
	size := ggufValueSize(kind)
	if size == 0 {
		return fmt.Errorf("metadata value of unknown type %d", kind)
	}
	return s.skip(size)
}

// array passes over a typed list; a list of lists is not a thing that models use.
func (s *scan) array() error {
	kind, err := s.number(4)
	if err != nil {
		return err
	}
	count, err := s.number(8)
	if err != nil {
		return err
	}
	if kind == ggufString {
		if count > uint64(len(s.rest))/8 {
			return errShort
		}
		for range count {
			if err := s.text(); err != nil {
				return err
			}
		}
		return nil
	}
	size := ggufValueSize(kind)
	if size == 0 {
		return fmt.Errorf("metadata list of unknown type %d", kind)
	}
	if count > uint64(len(s.rest))/size {
		return errShort
	}
	return s.skip(count * size)
}

// tensor passes over one description: name, dimensions, type, offset.
func (s *scan) tensor() error {
	if err := s.text(); err != nil {
		return err
	}
	dims, err := s.number(4)
	if err != nil {
		return err
	}
	if dims > 8 {
		return fmt.Errorf("a tensor of %d dimensions", dims)
	}
	return s.skip(dims*8 + 4 + 8)
}
