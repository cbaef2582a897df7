package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestRemoveTemporary(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".tmp-parent") // the name of the folder itself does not count
	files := map[string]bool{                        // whether the file stays
		"set.json":               true,
		".tmp-set.json-ABC":      false,
		".tmp-model-ABC/weights": false,
		"set/train.json":         true,
		"set/.tmp-train.json-X":  false,
		"set/.hidden":            true,
	}
	for name := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveTemporary(dir); err != nil {
		t.Fatal(err)
	}
	for name, stays := range files {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != stays {
			t.Errorf("%s: stays is %v, want %v", name, err == nil, stays)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".tmp-model-ABC")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("temporary folder: %v", err)
	}
	if err := RemoveTemporary(filepath.Join(dir, "none")); err != nil {
		t.Errorf("missing folder: %v", err)
	}
}

// TestRemoveLeftovers checks that a resumed run removes what a killed one left, and nothing else.
func TestRemoveLeftovers(t *testing.T) {
	left := []string{".tmp-report.html-A", ".tmp-.bfpo-run.json-A", "eval/step-8/.tmp-unfinished.jsonl-A",
		"model/.tmp-config.json-A"}
	kept := []string{".tmp-mine", "eval/step-8/results.json", "eval/mine/.tmp-a", "notes/.tmp-report.html-A"}
	dir := put(t, append(left, kept...)...)
	if err := Remove(dir, nil); err != nil {
		t.Fatal(err)
	}
	for i, name := range append(left, kept...) {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); (err == nil) != (i >= len(left)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
