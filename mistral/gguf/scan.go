package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errTruncated is the error for a length in the header that exceeds the file.
var errTruncated = errors.New("the header runs beyond the end of the file: it is truncated or damaged")

// headerScanner walks over a header without storing anything. The library that parses the header afterwards
// allocates as much memory as the header's counts ask for, so the scan first makes sure that the file is that
// large.
type headerScanner struct {
	rest []byte // what has not been scanned yet
	layout
}

// The limits of llama.cpp.
const (
	maxTensorName = 63 // bytes
	maxDimensions = 4
)

// maxStrings bounds the strings of a list, such as the merges of a vocabulary, of which Gemma 3 has 514,906.
const maxStrings = 1 << 20

// scanHeader checks that every length in the header of a GGUF file is within the file. It returns what the header says
// about the layout of the data.
func scanHeader(file []byte) (layout, error) {
	if len(file) < 4 || string(file[:4]) != "GGUF" {
		return layout{}, errors.New("not a GGUF file (it does not begin with the letters GGUF)")
	}
	s := &headerScanner{rest: file[4:], layout: layout{alignment: defaultAlignment}}
	err := s.scan()
	return s.layout, err
}

// scan scans the whole header after the letters GGUF.
func (s *headerScanner) scan() error {
	version, err := s.readUint(4)
	if err != nil {
		return err
	}
	if version != 2 && version != 3 {
		return fmt.Errorf("GGUF version %d is not supported (supported: 2, 3)", version)
	}
	tensors, err := s.readUint(8)
	if err != nil {
		return err
	}
	pairs, err := s.readUint(8)
	if err != nil {
		return err
	}
	// The smallest key-value pair takes 13 bytes, the smallest description of a tensor 24.
	if size := uint64(len(s.rest)); pairs > size/13 || tensors > size/24 {
		return errTruncated
	}
	for range pairs {
		if err := s.skipPair(); err != nil {
			return err
		}
	}
	for range tensors {
		if err := s.skipTensor(); err != nil {
			return err
		}
	}
	return nil
}

// skip skips n bytes.
func (s *headerScanner) skip(n uint64) error {
	if n > uint64(len(s.rest)) {
		return errTruncated
	}
	s.rest = s.rest[n:]
	return nil
}

// readUint reads a little-endian integer of 4 or 8 bytes.
func (s *headerScanner) readUint(size int) (uint64, error) {
	head := s.rest
	if err := s.skip(uint64(size)); err != nil {
		return 0, err
	}
	if size == 4 {
		return uint64(binary.LittleEndian.Uint32(head)), nil
	}
	return binary.LittleEndian.Uint64(head), nil
}

// readString reads a string, which is its length followed by its bytes.
func (s *headerScanner) readString() ([]byte, error) {
	n, err := s.readUint(8)
	if err != nil {
		return nil, err
	}
	head := s.rest
	if err := s.skip(n); err != nil {
		return nil, err
	}
	return head[:n], nil
}

// skipString skips a string.
func (s *headerScanner) skipString() error {
	_, err := s.readString()
	return err
}

// Types of metadata values. Strings and lists have no fixed size.
const (
	typeUint32 = 4
	typeString = 8
	typeArray  = 9
)

// valueSize returns the size of a number or boolean in bytes, and 0 for all other types.
func valueSize(kind uint64) uint64 {
	sizes := [...]uint64{0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
	if kind >= uint64(len(sizes)) {
		return 0
	}
	return sizes[kind]
}

// skipPair skips a key and its value.
func (s *headerScanner) skipPair() error {
	key, err := s.readString()
	if err != nil {
		return err
	}
	kind, err := s.readUint(4)
	if err != nil {
		return err
	}
	if string(key) == "general.alignment" {
		return s.readAlignment(kind)
	}
	switch kind {
	case typeString:
		return s.skipString()
	case typeArray:
		return s.skipArray(key)
	}
	size := valueSize(kind)
	if size == 0 {
		return fmt.Errorf("metadata has a value of unknown type %d", kind)
	}
	return s.skip(size)
}

// readAlignment reads the value of general.alignment.
func (s *headerScanner) readAlignment(kind uint64) (err error) {
	if kind != typeUint32 {
		return fmt.Errorf("metadata key general.alignment: a value of type %d, want %d (uint32)", kind, typeUint32)
	}
	if s.alignment, err = s.readUint(4); err != nil {
		return err
	}
	if a := s.alignment; a == 0 || a&(a-1) != 0 || a > 1<<20 {
		return fmt.Errorf("metadata key general.alignment: %d is not a power of two up to 2^20", a)
	}
	return nil
}

// skipArray skips a list of values of one type. Lists of lists are refused; no model has them.
func (s *headerScanner) skipArray(key []byte) error {
	kind, err := s.readUint(4)
	if err != nil {
		return err
	}
	count, err := s.readUint(8)
	if err != nil {
		return err
	}
	if kind == typeString {
		if count > uint64(len(s.rest))/8 {
			return errTruncated
		}
		if count > maxStrings {
			return fmt.Errorf("metadata key %.80s: a list of %d strings (at most %d are supported)", key, count, maxStrings)
		}
		for range count {
			if err := s.skipString(); err != nil {
				return err
			}
		}
		return nil
	}
	size := valueSize(kind)
	if size == 0 {
		return fmt.Errorf("metadata has a list of unknown type %d", kind)
	}
	if count > uint64(len(s.rest))/size {
		return errTruncated
	}
	return s.skip(count * size)
}

// skipTensor skips the description of a tensor: name, dimensions, type and offset.
func (s *headerScanner) skipTensor() error {
	name, err := s.readString()
	if err != nil {
		return err
	}
	if len(name) > maxTensorName {
		return fmt.Errorf("the name of tensor %.80q has %d bytes (at most %d)", name, len(name), maxTensorName)
	}
	s.tensors = append(s.tensors, string(name))
	dims, err := s.readUint(4)
	if err != nil {
		return err
	}
	if dims > maxDimensions {
		return fmt.Errorf("tensor %s has %d dimensions (at most %d)", name, dims, maxDimensions)
	}
	return s.skip(dims*8 + 4 + 8)
}
