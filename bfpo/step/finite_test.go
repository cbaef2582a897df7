package step

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestCheckFinite(t *testing.T) {
	pack := func(values ...float32) (data []byte) {
		for _, v := range values {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		return data
	}
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	largest, least := float32(math.MaxFloat32), float32(math.SmallestNonzeroFloat32)
	for _, values := range [][]float32{nil, {0}, {1, -1}, {largest, -largest, least}, {-least, largest, 0, 1}} {
		if err := checkFinite("f", "t", pack(values...)); err != nil {
			t.Errorf("%v: %v", values, err)
		}
	}
	for at := range 5 {
		for _, bad := range []float32{inf, -inf, nan, -nan} {
			values := []float32{largest, -largest, 0, least, -1}
			values[at] = bad
			err := checkFinite("moment2.safetensors", "norm", pack(values...))
			want := fmt.Sprintf("moment2.safetensors: tensor norm: element %d is ", at)
			if !errors.Is(err, ErrNotFinite) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v", values, err)
			}
		}
	}
}
