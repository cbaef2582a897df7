package track

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// wireFields splits a protobuf message into the raw values of its fields: of a repeated number it returns the last
// value, of a bytes field all values.
func wireFields(t *testing.T, b []byte) (ints map[protowire.Number]uint64, bytes map[protowire.Number][][]byte) {
	t.Helper()
	ints, bytes = map[protowire.Number]uint64{}, map[protowire.Number][][]byte{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		switch kind {
		case protowire.VarintType:
			ints[number], n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			ints[number] = uint64(v)
		case protowire.Fixed64Type:
			ints[number], n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(b)
			bytes[number] = append(bytes[number], v)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
	}
	return ints, bytes
}

type scalar struct {
	Step  int
	Tag   string
	Value float32
}

// readEvents checks the framing of the only event file in dir and returns its version, its session starts and its
// scalars.
func readEvents(t *testing.T, dir string) (version string, sessions []int, scalars []scalar) {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if len(paths) != 1 {
		t.Fatalf("event files: %v", paths)
	}
	data, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 {
		n := binary.LittleEndian.Uint64(data)
		event := data[12 : 12+n]
		if binary.LittleEndian.Uint32(data[8:]) != maskedCRC(data[:8]) ||
			binary.LittleEndian.Uint32(data[12+n:]) != maskedCRC(event) {
			t.Fatal("a checksum is wrong")
		}
		ints, bytes := wireFields(t, event)
		data = data[16+n:]
		if wall := math.Float64frombits(ints[eventWallTime]); wall < 1.7e9 {
			t.Errorf("wall time %v", wall)
		}
		step := int(ints[eventStep])
		for _, v := range bytes[eventVersion] {
			version = string(v)
		}
		for range bytes[eventSession] {
			sessions = append(sessions, step)
		}
		for _, summary := range bytes[eventSummary] {
			_, values := wireFields(t, summary)
			for _, value := range values[summaryValue] {
				ints, bytes := wireFields(t, value)
				if bits, ok := ints[valueSimple]; ok {
					tag := string(bytes[valueTag][0])
					scalars = append(scalars, scalar{step, tag, math.Float32frombits(uint32(bits))})
				}
			}
		}
	}
	return version, sessions, scalars
}

func TestEventFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs")
	e, err := CreateEventFile(dir, 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.WriteText("args/text_summary", "    beta: 0.01\n"); err != nil {
		t.Fatal(err)
	}
	for _, m := range []Metrics{
		{Step: 5, Epoch: 0.5, Loss: 2500, LearningRate: 5e-7, GradNorm: 3},
		{Step: 5, Epoch: 0.5, Evaluation: true, Loss: 7, Samples: 3},
	} {
		if err := e.Track(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	version, sessions, scalars := readEvents(t, dir)
	if version != "brain.Event:2" || len(sessions) != 1 || sessions[0] != 5 {
		t.Errorf("version %q, session starts %v", version, sessions)
	}
	want := []scalar{
		{5, "train/loss", 2500}, {5, "train/learning_rate", 5e-7}, {5, "train/grad_norm", 3}, {5, "train/epoch", 0.5},
		{5, "eval/loss", 7}, {5, "eval/samples", 3},
	}
	if diff := cmp.Diff(want, scalars); diff != "" {
		t.Error(diff)
	}
}

// The CRC32-C of "123456789" is 0xe3069283 (RFC 3720).
func TestMaskedCRC(t *testing.T) {
	crc := uint32(0xe3069283)
	if got, want := maskedCRC([]byte("123456789")), (crc>>15|crc<<17)+0xa282ead8; got != want {
		t.Errorf("%08x, want %08x", got, want)
	}
}
