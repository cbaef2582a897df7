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
}

// scanHeader checks that every length in the header of a GGUF file is within the file.
func scanHeader(file []byte) error {
	if len(file) < 4 || string(file[:4]) != "GGUF" {
		return errors.New("not a GGUF file (it does not begin with the letters GGUF)")
	}
	s := &headerScanner{rest: file[4:]}
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

// skipString skips a string, which is its length followed by its bytes.
func (s *headerScanner) skipString() error {
	n, err := s.readUint(8)
	if err != nil {
		return err
	}
	return s.skip(n)
}

// The types of metadata values that have no fixed size.
const (
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
	if err := s.skipString(); err != nil {
		return err
	}
	kind, err := s.readUint(4)
	if err != nil {
		return err
	}
	switch kind {
	case typeString:
		return s.skipString()
	case typeArray:
		return s.skipArray()
	}
	size := valueSize(kind)
	if size == 0 {
		return fmt.Errorf("metadata has a value of unknown type %d", kind)
	}
	return s.skip(size)
}

// skipArray skips a list of values of one type. Lists of lists are refused; no model has them.
func (s *headerScanner) skipArray() error {
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
	if err := s.skipString(); err != nil {
		return err
	}
	dims, err := s.readUint(4)
	if err != nil {
		return err
	}
	if dims > 8 {
		return fmt.Errorf("a tensor has %d dimensions, the format allows 8 at most", dims)
	}
	return s.skip(dims*8 + 4 + 8)
}
