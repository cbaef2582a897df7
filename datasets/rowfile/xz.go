package rowfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// The parts of the .xz format that checkXZ reads.
const (
	xzHeaderSize   = 12   // of the header of a stream, and of its footer
	xzFilterLZMA2  = 0x21 // the id of the only filter that the library reads
	xzCompressed   = 0x80 // the flag of a chunk that is compressed
	xzNewProps     = 0xc0 // chunks from here on have a byte of properties
	xzMaxWholeSize = 3    // control bytes of chunks that are not compressed are smaller
)

// maxXZMemory is how much the dictionaries of a small file may take: xz -9 needs that much.
const maxXZMemory = 64 << 20

var errXZ = errors.New("the file ends within a block, or is damaged")

// openXZ returns a reader of an .xz file, whose dictionaries are checked first.
func openXZ(f fs.File, size int64) (io.Reader, error) {
	seeker, ok := f.(io.ReadSeeker)
	if !ok {
		return nil, errors.New("the file cannot be read twice; unpack it")
	}
	if err := checkXZ(bufio.NewReader(f), size); err != nil {
		return nil, err
	}
	if _, err := seeker.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return xz.NewReader(bufio.NewReader(f))
}

// checkXZ walks over the headers of an .xz file without decompressing it, and refuses dictionaries that would take much
// memory: the library allocates what the header of a block asks for, up to 4 GiB. What it does not understand is left
// to the library, which stops there too.
func checkXZ(r *bufio.Reader, size int64) error {
	memory := newBudget(size)
	memory.left = max(memory.left, maxXZMemory)
	for {
		flags, err := xzStream(r)
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		for more := true; more; {
			if more, err = xzBlock(r, memory, xzCheckSize(flags)); err != nil {
				return err
			}
		}
	}
}

// xzStream skips the header of a stream, and the padding before it, and returns its flags. The error is io.EOF where
// the file ends.
func xzStream(r *bufio.Reader) (flags byte, err error) {
	for {
		pad, err := r.Peek(4)
		if len(pad) < 4 {
			return 0, io.EOF
		} else if err != nil {
			return 0, err
		} else if binary.LittleEndian.Uint32(pad) != 0 {
			break
		}
		r.Discard(4)
	}
	var header [xzHeaderSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, io.ErrUnexpectedEOF
	}
	if string(header[:6]) != "\xfd7zXZ\x00" {
		return 0, errors.New("no xz stream")
	}
	return header[7], nil
}

// xzCheckSize returns the length of a block's checksum.
func xzCheckSize(flags byte) int {
	switch n := int(flags & 15); {
	case n == 0:
		return 0
	default:
		return 4 << ((n - 1) / 3)
	}
}

// xzBlock skips a block and spends its dictionary. In place of the last block there is the index, which it skips
// together with the footer of the stream; then more is false.
func xzBlock(r *bufio.Reader, memory *budget, checkSize int) (more bool, err error) {
	size, err := r.ReadByte()
	if err != nil {
		return false, io.ErrUnexpectedEOF
	}
	if size == 0 {
		return false, xzIndex(r)
	}
	header := make([]byte, 4*(int(size)+1)-1) // the rest of the header, with its checksum
	if _, err := io.ReadFull(r, header); err != nil {
		return false, io.ErrUnexpectedEOF
	}
	dictionary, err := xzDictionary(header)
	if err != nil {
		return false, err
	}
	if dictionary > maxXZMemory || memory.spend(dictionary) != nil {
		return false, fmt.Errorf("its dictionary takes %d MiB; compress it again with xz -9 or less", dictionary>>20)
	}
	n, err := xzChunks(r)
	if err != nil {
		return false, err
	}
	return true, xzSkip(r, -n&3+int64(checkSize)) // the block is padded to a multiple of four bytes
}

// xzDictionary returns the size of the dictionary that the header of a block names.
func xzDictionary(header []byte) (int64, error) {
	if header[0]&3 != 0 {
		return 0, errors.New("it uses another filter than LZMA2")
	}
	at := 1
	for range header[0]>>6&1 + header[0]>>7 { // the sizes of the block
		_, n := binary.Uvarint(header[at:])
		if n <= 0 {
			return 0, errXZ
		}
		at += n
	}
	if at+3 > len(header) || header[at] != xzFilterLZMA2 || header[at+1] != 1 {
		return 0, errors.New("it uses another filter than LZMA2")
	}
	return lzma.DecodeDictCap(header[at+2])
}

// xzChunks skips the chunks of a block and returns their bytes.
func xzChunks(r *bufio.Reader) (total int64, err error) {
	for {
		control, err := r.ReadByte()
		if err != nil {
			return 0, errXZ
		}
		if control == 0 {
			return total + 1, nil
		}
		header := 2 // the size of a chunk that is not compressed
		if control >= xzCompressed {
			header = 4
		} else if control >= xzMaxWholeSize {
			return 0, errXZ
		}
		var sizes [4]byte
		if _, err := io.ReadFull(r, sizes[:header]); err != nil {
			return 0, errXZ
		}
		n := int64(binary.BigEndian.Uint16(sizes[header-2:])) + 1
		if control >= xzNewProps {
			n++
		}
		if err := xzSkip(r, n); err != nil {
			return 0, err
		}
		total += int64(1+header) + n
	}
}

// xzIndex skips the index of a stream, whose first byte has been read, and the footer.
func xzIndex(r *bufio.Reader) error {
	read := int64(1)
	number := func() (uint64, error) {
		for shift, n := 0, uint64(0); shift < 63; shift += 7 {
			b, err := r.ReadByte()
			if err != nil {
				return 0, errXZ
			}
			read++
			if n |= uint64(b&0x7f) << shift; b < 0x80 {
				return n, nil
			}
		}
		return 0, errXZ
	}
	records, err := number()
	for range 2 * min(records, 1<<62) { // each record is two numbers
		if err != nil {
			return err
		}
		_, err = number()
	}
	if err != nil {
		return err
	}
	return xzSkip(r, -read&3+4+xzHeaderSize) // padding and checksum
}

// xzSkip skips n bytes.
func xzSkip(r *bufio.Reader, n int64) error {
	if _, err := r.Discard(int(n)); err != nil {
		return errXZ
	}
	return nil
}
