package checkpoint

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// savedIdentity is the identity of the checkpoints of these tests.
func savedIdentity() *Identity {
	return &Identity{
		Semantics: 1, Weights: map[string]string{"norm": "f32 [4] a", "head": "f32 [4 4] b"}, Tokenizer: "t",
		Config: map[string]string{"rope_theta": "10000"}, ChatTemplate: "c",
		Rows: map[string]string{"main": "m"}, Platform: "go",
	}
}

// saveWhole saves a checkpoint with all kinds of files.
func saveWhole(t testing.TB, dir string) (path string, state State, logs Logs) {
	t.Helper()
	state = State{Step: 4, Main: batch.Cursor{Epoch: 1, Position: 2}, MainRows: 9, Identity: savedIdentity(),
		Settings: map[string]string{"beta": "0.1"}}
	logs = Logs{"metrics.jsonl": {Bytes: 12, XXH3: "0123"}}
	files := []File{textFile("masters.safetensors", strings.Repeat("weights", 40)), state.File(), logs.File()}
	path, err := Save(dir, 4, files)
	if err != nil {
		t.Fatal(err)
	}
	return path, state, logs
}

// A flipped bit in any file of a checkpoint is an error that names the file, or changes nothing that is read: JSON
// ignores the case of the manifest's keys.
func TestFlippedBits(t *testing.T) {
	path, state, logs := saveWhole(t, t.TempDir())
	random := rand.New(rand.NewPCG(25, 8))
	for _, name := range []string{ManifestName, "masters.safetensors", stateName, logsName} {
		file := filepath.Join(path, name)
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			at, bit := random.IntN(len(whole)), random.IntN(8)
			flipped := bytes.Clone(whole)
			flipped[at] ^= 1 << bit
			if err := os.WriteFile(file, flipped, 0o644); err != nil {
				t.Fatal(err)
			}
			c, err := Open(path)
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Fatalf("%s, byte %d, bit %d: %v", name, at, bit, err)
			} else if err != nil {
				continue
			}
			if name != ManifestName {
				t.Fatalf("%s, byte %d, bit %d: opened", name, at, bit)
			}
			got, err := c.State()
			marks, markErr := c.Logs()
			if diff := cmp.Diff(state, got) + cmp.Diff(logs, marks); err != nil || markErr != nil || diff != "" {
				t.Fatalf("%s, byte %d, bit %d: %v, %v\n%s", name, at, bit, err, markErr, diff)
			}
		}
		if err := os.WriteFile(file, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A manifest that leaves a file out does not make a checkpoint without it: what a reader needs must be listed.
func TestManifestLeavesOutAFile(t *testing.T) {
	path, _, _ := saveWhole(t, t.TempDir())
	manifest := filepath.Join(path, ManifestName)
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	without := bytes.Replace(text, []byte(`"state.json"`), []byte(`"masters.safetensors"`), 1)
	sum := regexpHash.FindAll(text, -1)
	without = bytes.Replace(without, sum[1], sum[0], 1)
	without = bytes.Replace(without, sizes.FindAll(text, -1)[1], sizes.FindAll(text, -1)[0], 1)
	if err := os.WriteFile(manifest, without, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.State(); err == nil || !strings.Contains(err.Error(), "does not list state.json") {
		t.Errorf("a state that is not listed: %v", err)
	}
}

func TestDifferences(t *testing.T) {
	was := *savedIdentity()
	if d := was.Differences(*savedIdentity()); d != nil {
		t.Errorf("equal identities differ in %v", d)
	}
	now := *savedIdentity()
	now.Semantics, now.Tokenizer, now.ChatTemplate, now.Platform = 2, "u", "d", "cpu"
	now.Weights = map[string]string{"norm": "f32 [4] x", "extra": "f32 [1] y"}
	now.Config = map[string]string{"rope_theta": "500000", "new_key": "1"}
	now.Rows = map[string]string{"main": "n", "buffer": "b"}
	want := []Difference{
		{Part: PartSemantics},
		{PartWeights, "extra", "", "f32 [1] y"}, {PartWeights, "head", "f32 [4 4] b", ""},
		{PartWeights, "norm", "f32 [4] a", "f32 [4] x"},
		{PartConfig, "rope_theta", "10000", "500000"},
		{PartTokenizer, "", "t", "u"}, {PartTemplate, "", "c", "d"},
		{PartRows, "buffer", "", "b"}, {PartRows, "main", "m", "n"},
	}
	if diff := cmp.Diff(want, was.Differences(now)); diff != "" {
		t.Error(diff)
	}
}

func TestMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("one\ntwo\n")
	mark, err := NewMark(path)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"one\ntwo\n": "", "one\ntwo\nthree\n": "", "one\ntwp\n": "are not the ones", "one\n": "has lost lines",
	} {
		write(text)
		if err := mark.Check(path); want == "" && err != nil || want != "" &&
			(err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := mark.Check(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
