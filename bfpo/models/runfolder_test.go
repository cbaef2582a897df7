package models

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/hub"
)

// TestRunFolder says what to name instead of the folder of a run of several stages, or of one that has not finished.
func TestRunFolder(t *testing.T) {
	for _, test := range []struct {
		files []string
		want  string
	}{
		{[]string{"1-sft/model/config.json", "2-bfpo/model/config.json"},
			"it holds several models: name one of them, DIR/1-sft or DIR/2-bfpo"},
		{[]string{"1-bfpo/model/config.json"}, "it holds the model of a stage: name DIR/1-bfpo"},
		{[]string{"checkpoints/step-5/manifest.json", "checkpoints/step-10/manifest.json", "checkpoints/.tmp/x"},
			"the run has not finished: continue it with -set=resume_from_checkpoint=true, or write its last checkpoint as a " +
				"model with bfpo export -model='DIR/checkpoints/step-10' -out=FOLDER"},
		{[]string{"1-sft/model/config.json", "2-bfpo/checkpoints/step-5/manifest.json"},
			"bfpo export -model='DIR/2-bfpo/checkpoints/step-5'"},
		{[]string{"notes.txt"}, "DIR is not a Hugging Face model folder"},
	} {
		dir := filepath.Join(t.TempDir(), "[a] run")
		for _, file := range test.files {
			path := filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Open(t.Context(), dir, &hub.Hub{Offline: true}, "", slog.New(slog.DiscardHandler))
		if want := strings.ReplaceAll(test.want, "DIR", dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", test.files, err, want)
		}
	}
}
