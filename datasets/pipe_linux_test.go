package datasets

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipe checks that a pipe as a data file is refused: opening it would wait for a writer.
func TestPipe(t *testing.T) {
	for _, name := range []string{"rows.jsonl", "rows.parquet"} {
		file := filepath.Join(t.TempDir(), name)
		if err := syscall.Mkfifo(file, 0o600); err != nil {
			t.Fatal(err)
		}
		m := Mixture{Sets: []MixtureSet{{file, 1}}, Split: "train"}
		if _, _, err := m.ReadPreferences(t.Context()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
		if opened, err := m.Open(t.Context()); err == nil {
			if _, err := opened.Digest(); err == nil {
				t.Errorf("%s has a digest", name)
			}
		}
	}
}
