package track

import (
	"strings"
	"testing"
)

func TestLogger(t *testing.T) {
	var out strings.Builder
	log := NewLogger(&out)
	log.Debug("not shown")
	log.Info("model written to runs/a")
	log.Warn("skipped", "step", 3)
	log.With("stage", "sft").WithGroup("model").Info("loaded", "layers", 2)
	want := "model written to runs/a\nskipped step=3\nloaded stage=sft model.layers=2\n"
	if out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
