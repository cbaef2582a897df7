package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/float16"
)

// CheckFinite returns an error that names the tensor if a float value of it is NaN or infinite.
func (t Tensor) CheckFinite() error {
	// A value is not finite if all bits of its exponent are set.
	size, exponent := 4, uint32(0x7f800000)
	switch t.DType {
	case dtypes.Float32:
	case dtypes.BFloat16:
		size, exponent = 2, 0x7f80
	case dtypes.Float16:
		size, exponent = 2, 0x7c00
	default:
		return nil
	}
	for at := 0; at+size <= len(t.Bytes); at += size {
		bits := uint32(binary.LittleEndian.Uint16(t.Bytes[at:]))
		if size == 4 {
			bits = binary.LittleEndian.Uint32(t.Bytes[at:])
		}
		if bits&exponent == exponent {
			return fmt.Errorf("tensor %s: element %d is %v", t.Name, at/size, t.value(bits))
		}
	}
	return nil
}

// value returns the number with the given bits in the tensor's type.
func (t Tensor) value(bits uint32) float32 {
	switch t.DType {
	case dtypes.BFloat16:
		return math.Float32frombits(bits << 16)
	case dtypes.Float16:
		return float16.FromBits(uint16(bits)).Float32()
	}
	return math.Float32frombits(bits)
}
