package step

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrNotFinite is wrapped by the error of a state with a value that is NaN or infinite.
var ErrNotFinite = errors.New("the state is not finite")

// checkFinite returns an error for the first float32 value of a tensor that is NaN or infinite. file is the name of its
// file in a checkpoint. It looks at two values at a time, since it reads everything that a checkpoint holds: a value is
// not finite if all bits of its exponent are set, and then the addition carries into its sign.
func checkFinite(file, tensor string, data []byte) error {
	const exponents, ones, signs = 0x7f8000007f800000, 0x0080000000800000, 0x8000000080000000
	whole := len(data) &^ 7
	for at := 0; at < whole; at += 8 {
		if (binary.LittleEndian.Uint64(data[at:])&exponents+ones)&signs != 0 {
			return describeNotFinite(file, tensor, data[at:], at)
		}
	}
	return describeNotFinite(file, tensor, data[whole:], whole)
}

// describeNotFinite returns an error for the first of the values in data that is not finite. offset is the place of
// data in the tensor, in bytes.
func describeNotFinite(file, tensor string, data []byte, offset int) error {
	for at := 0; at+4 <= len(data); at += 4 {
		value := float64(math.Float32frombits(binary.LittleEndian.Uint32(data[at:])))
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return fmt.Errorf("%w: element %d of tensor %s in %s is %v",
				ErrNotFinite, (offset+at)/4, tensor, file, value)
		}
	}
	return nil
}
