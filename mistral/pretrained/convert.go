package pretrained

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/float16"
	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Convert returns the elements of t in another float type, rounded to nearest, ties to even. If the type does not
// change it returns t.Bytes itself. Large tensors are converted on all cores. The result is stored in scratch if
// scratch is large enough.
func Convert(t safetensors.Tensor, to dtypes.DType, scratch []byte) ([]byte, error) {
	if t.DType == to {
		return t.Bytes, nil
	}
	load, from := loadFunc(t.DType)
	store, into := storeFunc(to)
	if load == nil || store == nil {
		return nil, fmt.Errorf("tensor %s: cannot convert %s to %s", t.Name, t.DType, to)
	}
	n := len(t.Bytes) / from
	out := scratch[:cap(scratch)]
	if len(out) < n*into {
		out = make([]byte, n*into)
	}
	out = out[:n*into]
	const chunk = 1 << 20 // elements: enough that starting a goroutine costs nothing
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for start := 0; start < n; start += chunk {
		end := min(n, start+chunk)
		group.Go(func() error {
			src, dst := t.Bytes[start*from:end*from], out[start*into:end*into]
			return safetensors.CatchFaults(func() error {
				switch {
				case t.DType == dtypes.Float32 && to == dtypes.BFloat16:
					narrowBFloat16(dst, src)
				case t.DType == dtypes.BFloat16 && to == dtypes.Float32:
					widenBFloat16(dst, src)
				default:
					for i := range end - start {
						store(dst[i*into:], load(src[i*from:]))
					}
				}
				return nil
			})
		})
	}
	return out, group.Wait()
}

// ConvertCopy is Convert for a reader that a fault in mapped memory would stop, such as a device: the result is never
// t.Bytes itself.
func ConvertCopy(t safetensors.Tensor, to dtypes.DType, scratch []byte) ([]byte, error) {
	if t.DType != to {
		return Convert(t, to, scratch)
	}
	if cap(scratch) < len(t.Bytes) {
		scratch = make([]byte, len(t.Bytes))
	}
	scratch = scratch[:len(t.Bytes)]
	return scratch, safetensors.CatchFaults(func() error {
		copy(scratch, t.Bytes)
		return nil
	})
}

// narrowBFloat16 converts float32 to bfloat16, four elements at a time. This and widenBFloat16 are the common
// cases; they are several times as fast as two calls per element.
func narrowBFloat16(dst, src []byte) {
	for ; len(src) >= 16 && len(dst) >= 8; src, dst = src[16:], dst[8:] {
		a, b := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
		if ((a&exponentBits+lowestExponentBits)|(b&exponentBits+lowestExponentBits))&signBits != 0 { // an infinity or NaN
			for i := range 4 {
				binary.LittleEndian.PutUint16(dst[2*i:], roundBFloat16(loadFloat32(src[4*i:])))
			}
			continue
		}
		a, b = (a+roundingBias+a>>16&lowestKeptBits)>>16, (b+roundingBias+b>>16&lowestKeptBits)>>16
		binary.LittleEndian.PutUint64(dst, a&0xffff|a>>16&0xffff0000|(b&0xffff|b>>16&0xffff0000)<<32)
	}
	for len(src) >= 4 && len(dst) >= 2 {
		binary.LittleEndian.PutUint16(dst, roundBFloat16(loadFloat32(src)))
		src, dst = src[4:], dst[2:]
	}
}

// Masks for two float32 in one 64-bit word. Rounding to bfloat16 adds the bias 0x7fff and the lowest bit that is
// kept. Only infinities and NaN could carry into the neighbouring number.
const (
	signBits           = 0x8000_0000_8000_0000
	exponentBits       = 0x7f80_0000_7f80_0000
	lowestExponentBits = 0x0080_0000_0080_0000
	roundingBias       = 0x0000_7fff_0000_7fff
	lowestKeptBits     = 0x0000_0001_0000_0001
)

// widenBFloat16 converts bfloat16 to float32.
func widenBFloat16(dst, src []byte) {
	for len(src) >= 2 && len(dst) >= 4 {
		binary.LittleEndian.PutUint32(dst, uint32(binary.LittleEndian.Uint16(src))<<16)
		src, dst = src[2:], dst[4:]
	}
}

// loadFunc returns a function that reads one element as float32, and the size of an element in bytes; nil for other
// types.
func loadFunc(dtype dtypes.DType) (func([]byte) float32, int) {
	switch dtype {
	case dtypes.Float32:
		return loadFloat32, 4
	case dtypes.BFloat16:
		return func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }, 2
	case dtypes.Float16:
		return func(b []byte) float32 { return float16.FromBits(binary.LittleEndian.Uint16(b)).Float32() }, 2
	}
	return nil, 0
}

// storeFunc returns a function that writes one float32 as an element, and the size of an element in bytes; nil for
// other types.
func storeFunc(dtype dtypes.DType) (func([]byte, float32), int) {
	switch dtype {
	case dtypes.Float32:
		return func(b []byte, v float32) { binary.LittleEndian.PutUint32(b, math.Float32bits(v)) }, 4
	case dtypes.BFloat16:
		return func(b []byte, v float32) { binary.LittleEndian.PutUint16(b, roundBFloat16(v)) }, 2
	case dtypes.Float16:
		return func(b []byte, v float32) { binary.LittleEndian.PutUint16(b, roundFloat16(v)) }, 2
	}
	return nil, 0
}

func loadFloat32(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }

// roundBFloat16 rounds to nearest, ties to even. NaN stays NaN.
func roundBFloat16(v float32) uint16 {
	bits := math.Float32bits(v)
	if v != v {
		return uint16(bits>>16) | 0x40 // quiet, since dropping the low bits of a signalling NaN could make an infinity
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// roundFloat16 rounds to nearest, ties to even. From 65520 on it gives infinity, up to 2^-25 zero. NaN stays NaN.
func roundFloat16(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, abs := uint16(bits>>16&0x8000), bits&0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e00
	case abs >= 0x477ff000: // 65520, halfway between the largest number and the number that would follow it
		return sign | 0x7c00
	case abs >= 0x38800000: // 2^-14 and above are normal numbers; a carry out of the mantissa increments the exponent
		abs -= 112 << 23
		return sign | uint16((abs+0xfff+abs>>13&1)>>13)
	}
	// Subnormal: adding 0.5 leaves v/2^-24, rounded by the processor, in the low bits of the sum's mantissa.
	return sign | uint16(math.Float32bits(math.Float32frombits(abs)+0.5)&0x7ff)
}
