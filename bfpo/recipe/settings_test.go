package recipe

import (
	"errors"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

func TestCheckResume(t *testing.T) {
	base := []string{"dataset_mixer={a/b: 0.5, c/d: 1}", "learning_rate=1e-5"}
	load := func(sets ...string) Config {
		c, err := Load(nil, "", append(base, sets...))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	state := InterruptedRun{Step: 8, MainRows: 100, BufferRows: 10, Settings: load().Settings()}
	for _, test := range []struct {
		sets []string
		want string // "": may resume
	}{
		{nil, ""},
		{[]string{"save_steps=3", "logging_steps=2", "platform=go", "output_dir=x", "gradient_checkpointing=true",
			"resume_from_checkpoint=true"}, ""},
		{[]string{"learning_rate=2e-5"},
			"-set=learning_rate=2e-5: learning_rate: the checkpoint of step 8 was trained with 1.0e-05, not 2.0e-05"},
		{[]string{"dataset_mixer={c/d: 1, a/b: 0.5}"}, "dataset_mixer: "},
		{[]string{"shuffle=false"}, "shuffle: "},
		{[]string{"seed=1"}, "seed: "},
		{[]string{"num_train_epochs=4"}, "num_train_epochs: "},
		{[]string{"bf16=true"}, "bf16: "},
		{[]string{"text_format=seed"}, "text_format: "},
	} {
		err := load(test.sets...).CheckResume(state, 100, 10)
		_, usage := errors.AsType[*usage.Error](err)
		if test.want == "" && err != nil || test.want != "" && (!usage || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%v: got %v, want %q", test.sets, err, test.want)
		}
	}
	// Data that was moved has the same content at another path.
	moved := state
	moved.KnowsContent = true
	if err := load("dataset_mixer={e/b: 0.5, c/d: 1}").CheckResume(moved, 100, 10); err != nil {
		t.Error(err)
	}
	if err := load("seed=1").CheckResume(moved, 100, 10); err == nil {
		t.Error("another seed is taken for the same run")
	}
	// An earlier version that did not know a key had its default value.
	older := InterruptedRun{Step: 8, MainRows: 100, BufferRows: 10, Settings: load().Settings()}
	delete(older.Settings, "alpha")
	for set, refused := range map[string]bool{"alpha=0.5": false, "seed=42": false, "alpha=0.25": true} {
		c := load(set)
		key, was := c.ChangedSetting(older.Settings, c.Settings())
		if err := c.CheckResume(older, 100, 10); (err != nil) != refused || (key == "alpha" && was == "0.5") != refused {
			t.Errorf("%s: %v; %q was %q", set, err, key, was)
		}
	}
	for _, rows := range [][2]int{{99, 10}, {100, 11}} {
		err := load().CheckResume(state, rows[0], rows[1])
		if err == nil || !strings.Contains(err.Error(), "100 rows and a buffer of 10") {
			t.Errorf("%v: %v", rows, err)
		}
	}

	// The same number of rows in a step, on other numbers of devices or in other numbers of micro-batches.
	want := "per_device_train_batch_size: the checkpoint of step 8 was trained with " +
		"2 rows on each of 4 devices, 2 times a step"
	state.Settings = load("devices=4", "per_device_train_batch_size=2", "gradient_accumulation_steps=2").Settings()
	for _, test := range []struct {
		main, buffer int
		sets         []string
		ok           bool
	}{
		{100, 10, []string{"devices=1", "per_device_train_batch_size=8", "gradient_accumulation_steps=2"}, true},
		{100, 10, []string{"devices=8", "per_device_train_batch_size=1", "gradient_accumulation_steps=2", "mesh=fsdp"}, true},
		{100, 10, []string{"devices=8", "per_device_train_batch_size=2", "gradient_accumulation_steps=2"}, false},
		// A pass over the buffer ends within a step.
		{100, 10, []string{"devices=4", "per_device_train_batch_size=1", "gradient_accumulation_steps=4"}, false},
		{96, 32, []string{"devices=4", "per_device_train_batch_size=1", "gradient_accumulation_steps=4"}, true},
		{100, 0, []string{"devices=1", "per_device_train_batch_size=1", "gradient_accumulation_steps=16"}, true},
		{100, 0, []string{"devices=1", "per_device_train_batch_size=1", "gradient_accumulation_steps=8"}, false},
		{100, 0, []string{"devices=1", "per_device_train_batch_size=8"}, false},
	} {
		state.MainRows, state.BufferRows = test.main, test.buffer
		err := load(test.sets...).CheckResume(state, test.main, test.buffer)
		if test.ok != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v with %d and %d rows: %v", test.sets, test.main, test.buffer, err)
		}
	}
	state.MainRows, state.BufferRows = 100, 10

	// With a constant learning rate a run may be made longer.
	state.Settings = load("lr_scheduler_type=constant", "max_steps=8").Settings()
	if err := load("lr_scheduler_type=constant", "max_steps=16").CheckResume(state, 100, 10); err != nil {
		t.Error(err)
	}
}
