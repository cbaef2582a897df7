package checkpoint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

var (
	regexpHash = regexp.MustCompile(`"[0-9a-f]{64}"`)
	sizes      = regexp.MustCompile(`"size": [0-9]+`)
)

// FuzzManifest opens a checkpoint with any manifest: what opens has the files that were saved, or lacks some.
func FuzzManifest(f *testing.F) {
	path, state, logs := saveWhole(f, f.TempDir())
	manifest := filepath.Join(path, ManifestName)
	text, err := os.ReadFile(manifest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add([]byte(`{"step": 4, "files": [{"name": "../x", "size": 1}]}`))
	f.Add([]byte(`{"step": 4, "files": [{"name": "manifest.json", "size": 1e3}]}`))
	f.Add([]byte(`{"step": 4, "files": [{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(manifest, text, 0o644); err != nil {
			t.Fatal(err)
		}
		fuzztest.Bounded(t, len(text), 5*time.Second, func() {
			c, err := Open(path)
			if err != nil {
				return
			}
			if got, err := c.State(); err == nil && !cmp.Equal(got, state) {
				t.Errorf("state %+v", got)
			}
			if got, err := c.Logs(); err == nil && got != nil && !cmp.Equal(got, logs) {
				t.Errorf("logs %+v", got)
			}
		})
	})
}

// FuzzState reads any state.json: what is read can be written and read again.
func FuzzState(f *testing.F) {
	path, _, _ := saveWhole(f, f.TempDir())
	file := filepath.Join(path, stateName)
	text, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"step": 4}`))
	f.Add([]byte(`{"step": 4, "identity": {"weights": null, "rows": {"": ""}}, "settings": {"a": "b"}}`))
	f.Add([]byte(`{"step": 4, "main": {"Epoch": -1, "Position": 9223372036854775807}}`))
	c := Checkpoint{Path: path, Step: 4, listed: []string{stateName}}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		fuzztest.Bounded(t, len(text), 5*time.Second, func() {
			s, err := c.State()
			if err != nil {
				return
			}
			if s.Identity != nil {
				s.Identity.Differences(*savedIdentity())
			}
			again, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			var got State
			if err := json.Unmarshal(again, &got); err != nil || !equalState(s, got) {
				t.Errorf("%+v is read again as %+v (%v)", s, got, err)
			}
		})
	})
}

func equalState(a, b State) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
