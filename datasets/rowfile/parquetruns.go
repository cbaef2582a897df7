package rowfile

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"
)

// maxOverhang is how many values the last run of a page may have beyond the page's values: writers fill groups.
const maxOverhang = 1 << 10

// runCheck checks the lengths of the runs in a page. It keeps the first error.
type runCheck struct {
	text   []byte // what is left of the page
	values int64  // of the page
	err    error
}

// levelWidth returns the bits of a level.
func levelWidth(maximum int) int { return bits.Len(uint(maximum)) }

// levels skips the levels at the beginning of a page of version 1.
func (r *runCheck) levels(maximum int, encoding format.Encoding) {
	if maximum == 0 || r.err != nil {
		return
	}
	if encoding != format.RLE {
		r.err = fmt.Errorf("levels in the encoding %v", encoding)
		return
	}
	r.runs(r.prefixed(), levelWidth(maximum))
}

// prefixed takes bytes that follow their length.
func (r *runCheck) prefixed() []byte {
	if len(r.text) < 4 || int64(binary.LittleEndian.Uint32(r.text)) > int64(len(r.text)-4) {
		r.fail("a length beyond the end of the page")
		return nil
	}
	n := binary.LittleEndian.Uint32(r.text)
	out := r.text[4 : 4+n]
	r.text = r.text[4+n:]
	return out
}

// runs checks runs of values of the given width in bits: parquet's hybrid of run lengths and packed bits.
func (r *runCheck) runs(text []byte, width int) {
	for total := int64(0); len(text) > 0 && r.err == nil; {
		header, n := binary.Uvarint(text)
		if n <= 0 || header>>1 > uint64(r.values+maxOverhang) {
			r.fail("a run of %d values", header>>1)
			return
		}
		count, length := int64(header>>1), int64(width+7)/8
		if header&1 != 0 {
			length, count = count*int64(width), count*8
		}
		total += count
		if length > int64(len(text)-n) || total > r.values+maxOverhang {
			r.fail("runs of %d values", total)
			return
		}
		text = text[int64(n)+length:]
	}
}

// data checks the values of the page, which is what is left of it; limit is the memory that they may take.
func (r *runCheck) data(encoding format.Encoding, limit int64) error {
	switch encoding {
	//lint:ignore SA1019 Older writers still write this encoding.
	case format.RLEDictionary, format.PlainDictionary:
		if len(r.text) > 0 {
			if r.text[0] > 32 {
				r.fail("indices of %d bits", r.text[0])
			} else {
				r.runs(r.text[1:], int(r.text[0]))
			}
		}
	case format.RLE:
		r.runs(r.prefixed(), 1)
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray, format.DeltaByteArray:
		r.deltas(encoding == format.DeltaByteArray, limit)
	}
	return r.err
}

// deltas checks the header of delta-encoded integers: the size of a block, the parts of a block, and the number of
// values. With prefixes they are the lengths that texts share with the text before, which add up to much more than the
// page holds.
func (r *runCheck) deltas(prefixes bool, limit int64) {
	text := r.text
	var header [3]uint64
	for i := range header {
		v, n := binary.Uvarint(text)
		if n <= 0 {
			r.fail("deltas without a header")
			return
		}
		header[i], text = v, text[n:]
	}
	if header[2] > uint64(r.values) {
		r.fail("%d deltas", header[2])
	}
	if !prefixes || r.err != nil || header[2] == 0 {
		return
	}
	shared, err := new(delta.BinaryPackedEncoding).DecodeInt32(nil, r.text)
	if err != nil {
		r.err = err
	}
	// Every text holds at most all bytes of the page, so the sum of the prefixes bounds what they grow to.
	total := int64(len(r.text))
	for _, n := range shared {
		if total += int64(n); n < 0 || total > limit {
			r.fail("texts of %d bytes", total)
			return
		}
	}
}

// fail keeps the first error. The numbers are values of the page.
func (r *runCheck) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("a page of %d values has "+format, append([]any{r.values}, args...)...)
	}
}
