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

// convert returns the elements of t in another float type, rounded to nearest even; without a change of type it is t.Bytes itself.
// Large tensors are converted on all cores. The result lies in scratch where that is large enough.
func Convert(t safetensors.Tensor, to dtypes.DType, scratch []byte) ([]byte, error) {
	if t.DType == to {
		return t.Bytes, nil
	}
	load, from := loader(t.DType)
	store, into := storer(to)
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
	}
	return out, group.Wait()
}

// narrowBFloat16 and widenBFloat16 are the common cases written out, several times as fast as two calls for each element.
func narrowBFloat16(dst, src []byte) {
	for ; len(src) >= 16 && len(dst) >= 8; src, dst = src[16:], dst[8:] {
		a, b := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
		if ((a&exponents+exponent)|(b&exponents+exponent))&signs != 0 { // an infinity or NaN
			for i := range 4 {
				binary.LittleEndian.PutUint16(dst[2*i:], roundBFloat16(loadFloat32(src[4*i:])))
			}
			continue
		}
		a, b = (a+halves+a>>16&ones)>>16, (b+halves+b>>16&ones)>>16
		binary.LittleEndian.PutUint64(dst, a&0xffff|a>>16&0xffff0000|(b&0xffff|b>>16&0xffff0000)<<32)
	}
	for len(src) >= 4 && len(dst) >= 2 {
		binary.LittleEndian.PutUint16(dst, roundBFloat16(loadFloat32(src)))
		src, dst = src[4:], dst[2:]
	}
}

// Of two float32 in one word: their signs and exponents, the last digit of the exponents, and what rounding to 16 bits adds, 0x7fff and the last
// digit that stays. Only what is no finite number could run over into its neighbour.
const (
	signs     = 0x8000_0000_8000_0000
	exponents = 0x7f80_0000_7f80_0000
	exponent  = 0x0080_0000_0080_0000
	halves    = 0x0000_7fff_0000_7fff
	ones      = 0x0000_0001_0000_0001
)

func widenBFloat16(dst, src []byte) {
	for len(src) >= 2 && len(dst) >= 4 {
		binary.LittleEndian.PutUint32(dst, uint32(binary.LittleEndian.Uint16(src))<<16)
		src, dst = src[2:], dst[4:]
	}
}

// loader returns the function that reads one element as float32, and the element's size.
func loader(dtype dtypes.DType) (func([]byte) float32, int) {
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

// storer returns the function that writes one float32 as an element, and the element's size.
func storer(dtype dtypes.DType) (func([]byte, float32), int) {
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
		return uint16(bits>>16) | 0x40 // quiet: dropping the low bits could otherwise make an infinity
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// roundFloat16 rounds to nearest, ties to even; above 65504 it gives infinity, below 2^-24 zero. NaN stays NaN.
func roundFloat16(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, abs := uint16(bits>>16&0x8000), bits&0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e00
	case abs >= 0x477ff000: // 65520, halfway between the largest number and the one that would follow it
		return sign | 0x7c00
	case abs >= 0x38800000: // 2^-14: a normal number; a carry out of the mantissa moves on to the next exponent
		abs -= 112 << 23
		return sign | uint16((abs+0xfff+abs>>13&1)>>13)
	}
	// Subnormal: adding 0.5 leaves v/2^-24, rounded as the processor rounds, in the low bits of the sum's mantissa.
	return sign | uint16(math.Float32bits(math.Float32frombits(abs)+0.5)&0x7ff)
}
