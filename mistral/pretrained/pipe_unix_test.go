//go:build unix

package pretrained

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// TestPipes puts named pipes in the place of files, which an ordinary open would wait at for ever.
func TestPipes(t *testing.T) {
	for _, name := range []string{config.ConfigFile, config.GenerationConfigFile, weightsFile} {
		dir := tinyFolder(t)
		path := filepath.Join(dir, name)
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Skip(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), path+": not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	pipe := filepath.Join(t.TempDir(), "m.gguf")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(pipe); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}
