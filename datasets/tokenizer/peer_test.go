package tokenizer

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// TestPeerVocabularies compares ids and decoded texts with Hugging Face's tokenizers for the layouts of published
// models on mixed texts. Set BFPO_PEER_PYTHON to a Python with the packages tokenizers and transformers, and
// BFPO_PEER_WHEELS to a folder with the wheels of testdata/peer_vocabularies.py for real vocabularies; or
// BFPO_PEER_FILES to a folder that the script has written.
func TestPeerVocabularies(t *testing.T) {
	python, dir := os.Getenv("BFPO_PEER_PYTHON"), os.Getenv("BFPO_PEER_FILES")
	switch {
	case python == "" && dir == "":
		t.Skip("BFPO_PEER_PYTHON names no Python with the package tokenizers")
	case dir == "":
		dir = t.TempDir()
		script := filepath.Join("testdata", "peer_vocabularies.py")
		command := exec.Command(python, script, dir, os.Getenv("BFPO_PEER_WHEELS"))
		command.Stderr = os.Stderr
		if out, err := command.Output(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	var texts []string
	readJSON(t, filepath.Join(dir, "texts.json"), &texts)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		t.Run(entry.Name(), func(t *testing.T) { total += compareRecorded(t, filepath.Join(dir, entry.Name()), texts) })
	}
	t.Logf("%d tokens in all", total)
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// compareRecorded compares a folder's ids.bin and decoded.json with what its tokenizer gives, and returns the number of
// tokens.
func compareRecorded(t *testing.T, dir string, texts []string) (total int) {
	data, err := os.ReadFile(filepath.Join(dir, "ids.bin"))
	if err != nil {
		t.Skip(err)
	}
	var decoded []string
	readJSON(t, filepath.Join(dir, "decoded.json"), &decoded)
	tokenizer, err := New(fixture.FolderReader(dir))
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i, text := range texts {
		want := make([]int32, binary.LittleEndian.Uint32(data))
		for j := range want {
			want[j] = int32(binary.LittleEndian.Uint32(data[4*j+4:]))
		}
		data = data[4*len(want)+4:]
		total += len(want)
		got := tokenizer.Encode(text, true)
		if !slices.Equal(got, want) {
			if wrong++; wrong <= 3 {
				at := 0
				for at < min(len(got), len(want)) && got[at] == want[at] {
					at++
				}
				lo, hi := max(0, at-3), at+6
				t.Errorf("text %d: at token %d: %q, want %q", i, at, tokenTexts(tokenizer, got[lo:min(hi, len(got))]),
					tokenTexts(tokenizer, want[lo:min(hi, len(want))]))
			}
			continue
		}
		if text := tokenizer.Decode(want, false); text != decoded[i] {
			if wrong++; wrong <= 3 {
				t.Errorf("text %d decodes to %.300q, want %.300q", i, text, decoded[i])
			}
		}
	}
	if wrong > 3 {
		t.Errorf("%d of %d texts differ", wrong, len(texts))
	}
	t.Logf("%d tokens", total)
	return total
}
