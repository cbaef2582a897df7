package checksum

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

type value struct {
	Text   string  `json:"text"`
	Number float64 `json:"number"`
}

func seal(t testing.TB, key string, v any) []byte {
	t.Helper()
	line, err := Seal(key, v)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestSealAndOpen(t *testing.T) {
	want := value{"<b> & \u2028", 0.1}
	line := seal(t, "key", want)
	if bytes.Count(line, []byte("\n")) != 1 || !bytes.Contains(line, []byte("<b> &")) {
		t.Errorf("line %q", line)
	}
	var got value
	if err := Open("key", line, &got); err != nil || got != want {
		t.Errorf("opened %v, %v", got, err)
	}
	if err := Open("other", line, &got); !errors.Is(err, ErrDamaged) {
		t.Errorf("opened under another key: %v", err)
	}
	if err := Open("key", []byte(`{"text": "a", "number": 1}`), &got); !errors.Is(err, ErrUnsealed) {
		t.Errorf("a line without a checksum: %v", err)
	}
}

// A flipped bit never gives another value. In the name of a member it may give the same value: JSON ignores case.
func TestFlippedBits(t *testing.T) {
	want := value{"an answer", 0.25}
	line := seal(t, "key", want)
	for i := range line {
		for bit := range 8 {
			flipped := bytes.Clone(line)
			flipped[i] ^= 1 << bit
			var got value
			if err := Open("key", flipped, &got); err == nil && got != want {
				t.Fatalf("byte %d, bit %d: %q opens as %v", i, bit, flipped, got)
			}
		}
	}
}

// FuzzOpen changes a sealed line at will: what opens has the value that was sealed.
func FuzzOpen(f *testing.F) {
	want := value{"an answer", 0.25}
	line := seal(f, "key", want)
	f.Add([]byte(line))
	f.Add([]byte(`{"xxh3":"","value":{}}`))
	f.Add([]byte(`{"text":"a"}`))
	f.Add([]byte(nil))
	random := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		flipped := bytes.Clone(line)
		flipped[random.IntN(len(flipped))] ^= 1 << random.IntN(8)
		f.Add(flipped)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		fuzztest.Bounded(t, len(line), 10*time.Second, func() {
			var got value
			if err := Open("key", line, &got); err == nil && got != want {
				t.Errorf("%q opens as %v", line, got)
			}
		})
	})
}
