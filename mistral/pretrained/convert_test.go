package pretrained

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/float16"

	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

func TestRoundBFloat16(t *testing.T) {
	for _, test := range []struct{ in, want uint32 }{
		{0x3f800000, 0x3f80}, // 1
		{0x3f808000, 0x3f80}, // a tie goes to the even neighbour below
		{0x3f818000, 0x3f82}, // a tie goes to the even neighbour above
		{0x3f808001, 0x3f81}, // just above a tie
		{0x3f80ffff, 0x3f81},
		{0x7f7fffff, 0x7f80}, // the largest float32 becomes infinity
		{0x80000001, 0x8000}, // the smallest becomes -0
		{0x7f800001, 0x7fc0}, // NaN stays NaN
		{0xff800000, 0xff80},
	} {
		if got := roundBFloat16(math.Float32frombits(test.in)); uint32(got) != test.want {
			t.Errorf("%#x -> %#x, want %#x", test.in, got, test.want)
		}
	}
}

// TestNarrowBFloat16 compares the conversion of four numbers at a time with the rounding of single numbers,
// infinities and NaN included.
func TestNarrowBFloat16(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	special := []uint32{
		0, 0x80000000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fffffff, 0xffffffff, 0x7f800001, 0x007fffff,
		0x3f808000, 0xbf818000,
	}
	const n = 1<<16 + 3
	src := make([]byte, 4*n)
	for i := range n {
		bits := random.Uint32()
		if random.IntN(4) == 0 {
			bits = special[random.IntN(len(special))]
		}
		binary.LittleEndian.PutUint32(src[4*i:], bits)
	}
	dst := make([]byte, 2*n)
	narrowBFloat16(dst, src)
	for i := range n {
		v := loadFloat32(src[4*i:])
		if got, want := binary.LittleEndian.Uint16(dst[2*i:]), roundBFloat16(v); got != want {
			t.Fatalf("%#x -> %#x, want %#x", math.Float32bits(v), got, want)
		}
	}
}

func TestRoundFloat16(t *testing.T) {
	for _, test := range []struct {
		in   float32
		want uint16
	}{
		{1, 0x3c00}, {-2, 0xc000}, {65504, 0x7bff}, {65519.996, 0x7bff}, {65520, 0x7c00}, {float32(math.Inf(-1)), 0xfc00},
		{1 + 1.0/2048, 0x3c00}, {1 + 3.0/2048, 0x3c02}, {0x1p-14, 0x0400}, {0x1p-24, 0x0001}, {0x1p-25, 0},
		{0x1.8p-24, 0x0002}, {0x1.ffep-15, 0x0400}, {float32(math.NaN()), 0x7e00},
	} {
		if got := roundFloat16(test.in); got != test.want {
			t.Errorf("%g -> %#x, want %#x", test.in, got, test.want)
		}
	}
	// Every number of the format is rounded to itself, and the midpoint of every two neighbours to the even one.
	for bits := range uint16(0x7c00) {
		low := float16.FromBits(bits).Float32()
		if got := roundFloat16(low); got != bits {
			t.Fatalf("%#x -> %g -> %#x", bits, low, got)
		}
		if bits < 0x7bff {
			middle := (low + float16.FromBits(bits+1).Float32()) / 2
			if got, want := roundFloat16(middle), bits+bits&1; got != want {
				t.Fatalf("the midpoint of %#x and its successor -> %#x, want %#x", bits, got, want)
			}
		}
	}
}

func TestConvert(t *testing.T) {
	const n = 1<<20 + 3 // more than one chunk
	in := make([]byte, 4*n)
	for i := range n {
		binary.LittleEndian.PutUint32(in[4*i:], math.Float32bits(float32(i%256)))
	}
	whole := safetensors.Tensor{Name: "w", DType: dtypes.Float32, Dims: []int{n}, Bytes: in}
	for _, dtype := range []dtypes.DType{dtypes.BFloat16, dtypes.Float16} { // in both, numbers to 256 are exact
		half, err := Convert(whole, dtype, nil)
		if err != nil || len(half) != 2*n {
			t.Fatal(len(half), err)
		}
		back, err := Convert(safetensors.Tensor{DType: dtype, Bytes: half}, dtypes.Float32, nil)
		if err != nil || string(back) != string(in) {
			t.Errorf("%s: converted to it and back, the tensor has changed (%v)", dtype, err)
		}
	}
	if same, _ := Convert(whole, dtypes.Float32, nil); &same[0] != &in[0] {
		t.Error("a conversion to the same type made a copy")
	}
	if _, err := Convert(safetensors.Tensor{Name: "ids", DType: dtypes.Int32}, dtypes.Float32, nil); err == nil {
		t.Error("integers were converted")
	}
}

func BenchmarkConvert(b *testing.B) {
	t := safetensors.Tensor{DType: dtypes.Float32, Bytes: make([]byte, 64<<20)}
	b.SetBytes(64 << 20)
	for b.Loop() {
		if _, err := Convert(t, dtypes.BFloat16, nil); err != nil {
			b.Fatal(err)
		}
	}
}
