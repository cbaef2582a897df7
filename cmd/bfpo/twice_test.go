package main

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The same command twice writes the same bytes, and the same metrics but for the time they took.
func TestSameCommandTwice(t *testing.T) {
	file := writeRecipe(t, "")
	for _, platform := range []string{"auto", "go"} {
		t.Run(platform, func(t *testing.T) {
			var dirs []string
			for range 2 {
				dir := filepath.Join(t.TempDir(), "out")
				args := append([]string{"train", "-platform=" + platform, "-config=" + file, "-out=" + dir}, killedRecipe[:2]...)
				child(t, "", 0, nil, append(args, "-set=max_steps=3")...).wants(t, exitDone) // 5 micro-batches, and as many of the buffer, which begins anew
				dirs = append(dirs, dir)
			}
			sound(t, dirs[1])
			for _, name := range []string{"model/model.safetensors", "model/config.json", "model/tokenizer.json", "checkpoints/step-3/masters.safetensors",
				"checkpoints/step-3/moment1.safetensors", "checkpoints/step-3/moment2.safetensors", "checkpoints/step-3/state.json"} {
				if n := differingBits(t, dirs[0], dirs[1], name); n != 0 {
					t.Errorf("%s: %d bits differ", name, n)
				}
			}
			records := metrics(t, dirs[0])
			if diff := cmp.Diff(records, metrics(t, dirs[1])); diff != "" || len(records) != 3 {
				t.Errorf("%d records, which differ:\n%s", len(records), diff)
			}
		})
	}
}
