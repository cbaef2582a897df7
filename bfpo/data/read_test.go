package data

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// TestReadRefused checks the messages about sets that cannot be used.
func TestReadRefused(t *testing.T) {
	dir := t.TempDir()
	const row = `{"prompt": "Say a.", "chosen": "a", "rejected": "b"}` + "\n"
	const question = `{"question": "Say a.", "chosen": "a", "rejected": "b"}` + "\n"
	for name, text := range map[string]string{
		"empty.jsonl": "\n", "ten.jsonl": strings.Repeat(row, 10), "question.jsonl": question,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	checkpoint, err := pretrained.Open("tiny")
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	empty, ten := filepath.Join(dir, "empty.jsonl"), filepath.Join(dir, "ten.jsonl")
	for _, test := range []struct {
		sets  []string
		want  string
		usage bool
	}{
		{[]string{"dataset_mixer={" + empty + ": 1}"}, "main set: " + empty + " holds no rows", false},
		{[]string{"dataset_mixer={" + filepath.Join(dir, "question.jsonl") + ": 1}"},
			"question.jsonl#0); columns that may belong to the question are not read: question; put their text into prompt",
			false},
		{[]string{"dataset_mixer={" + ten + ": 0.05}"},
			"0 of 10 rows taken): fraction 0.05 of 10 rows is less than one row; raise it in dataset_mixer", false},
		{[]string{"dataset_mixer={" + ten + ": 1}", "buffer_dataset_mixer={" + ten + ": 0.01, " + empty + ": 1}"},
			"fraction 0.01 of 10 rows is less than one row; raise it in buffer_dataset_mixer", false},
		{[]string{"dataset_mixer={" + ten + ": 1}", "use_buffer=false", "evaluation_strategy=steps"},
			"-set=evaluation_strategy=steps: evaluation_strategy: steps needs held-out pairs: " +
				"set eval_dataset_mixer: {./held-out.jsonl: 1.0} (held out set: ", true},
		{[]string{"dataset_mixer={" + ten + ": 1}", "use_buffer=false", "evaluation_strategy=no", "do_eval=true"},
			"-set=do_eval=true: do_eval: true needs held-out pairs: set eval_dataset_mixer", true},
	} {
		c := runtest.Config(t, append(test.sets, "eval_dataset_mixer=null", "dataset_splits=[train, test]")...)
		tokenizer, err := models.NewChatTokenizer(t.Context(), checkpoint, c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Read(context.Background(), c, checkpoint.Config, tokenizer, &hub.Hub{Offline: true}, t.TempDir())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want %q", test.sets, err, test.want)
		}
		if _, ok := errors.AsType[*usage.Error](err); ok != test.usage {
			t.Errorf("%v: %v is a usage error: %t", test.sets, err, ok)
		}
	}
}

// TestNoTrainSplit checks that a recipe without a split to train on is refused by the name of its key.
func TestNoTrainSplit(t *testing.T) {
	for _, key := range []string{"dataset_splits", "buffer_dataset_splits"} {
		c := runtest.Config(t, "use_buffer=true", key+"=[validation]")
		model, err := pretrained.Open("tiny")
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		tokenizer, err := models.NewChatTokenizer(t.Context(), model, c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Read(t.Context(), c, model.Config, tokenizer, &hub.Hub{Offline: true}, t.TempDir())
		if err == nil || !strings.Contains(err.Error(), key+": none of [validation] has train in its name") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestNotes checks what a set says about missing safety labels, texts and rows that were dropped.
func TestNotes(t *testing.T) {
	messages := func(labels string) string {
		return `{"prompt": [{"role": "user", "content": "Say a."}], "chosen": [{"role": "assistant", "content": "a"}], ` +
			`"rejected": [{"role": "assistant", "content": "b"}]` + labels + "}\n"
	}
	row, text := messages(""), `{"prompt": "Say a.", "chosen": "a", "rejected": "b"}`+"\n"
	labelled := messages(`, "is_chosen_safe": true, "is_rejected_safe": false`)
	half := messages(`, "is_chosen_safe": null, "is_rejected_safe": false`)
	const all = "warning: no row of the main set has safety labels (is_chosen_safe, is_rejected_safe): " +
		"every answer counts as safe, and BFPO is "
	const accept = " here; set unlabelled: safe to accept this, or unlabelled: drop to leave such rows out"
	file, cache := filepath.Join(t.TempDir(), "a.jsonl"), t.TempDir()
	for _, test := range []struct {
		text, sets, want string
		rows             int
	}{
		{row + row, "objective=bfpo", all + "IPO" + accept, 2},
		{row + row, "alpha=0.75", all + "IPO with beta 0.2" + accept, 2},
		{row + row, "alpha=2", all + "a squared distance of the margin from (1-alpha)/beta = -10" + accept, 2},
		{row + half + labelled, "objective=bfpo", "warning: 1 of 3 rows of the main set have no safety labels " +
			"(is_chosen_safe, is_rejected_safe), and 1 have only one of the two: answers without a label count as safe, and " +
			"BFPO is IPO on pairs without any; set unlabelled: safe to accept this, or unlabelled: drop to leave such rows " +
			"out", 3},
		{half + labelled, "objective=bfpo", "warning: 1 of 2 rows of the main set have only one of their two safety labels " +
			"(is_chosen_safe, is_rejected_safe): the other answer counts as safe; set unlabelled: safe to accept this, or " +
			"unlabelled: drop to leave such rows out", 2},
		{row + half + labelled, "unlabelled=safe", "", 3},
		{row + half + labelled, "unlabelled=drop", "", 1},
		{labelled + labelled, "objective=bfpo", "", 2},
		{row + row, "objective=ipo", "", 2},
		{text, "objective=ipo", "rows of text: 1 of 1; they are used as they stand, without the model's chat template " +
			"(as in TRL); write lists of messages, [{role, content}, …], to have it applied", 1},
		{strings.Replace(labelled, `"content": "a"`, `"content": "a", "name": "Ann", "weight": 0`, 1) + labelled,
			"objective=bfpo", "keys of messages that the chat template does not read: name (rows: 1), weight (rows: 1)", 2},
		{strings.Replace(labelled, `"Say a."`, `[{"type": "text", "text": "Say a."}]`, 1) + labelled, "objective=bfpo",
			"keys of messages that the chat template does not read: content (a list of parts) (rows: 1)", 1},
		{labelled + "{}\n", "objective=bfpo", "file a.jsonl, line 2: columns {} fit no known layout", 1},
	} {
		if err := os.WriteFile(file, []byte(test.text), 0o644); err != nil {
			t.Fatal(err)
		}
		c := runtest.Config(t, "dataset_mixer={"+file+": 1}", "use_buffer=false", "evaluation_strategy=no", "do_eval=false",
			test.sets)
		for _, source := range []string{"file", "cache"} {
			main := readTiny(t, c, cache).Main
			notes := strings.Join(main.Notes, "\n")
			if notes != test.want && !(test.want != "" && strings.Contains(notes, test.want)) || main.Rows != test.rows {
				t.Errorf("%s, %s, from the %s: %d rows, note %q, want %q",
					test.text, test.sets, source, main.Rows, notes, test.want)
			}
		}
	}
}

// SafeDPO trains on no pair of two unsafe answers, even if another objective has left such rows in the cache.
func TestUnsafePairs(t *testing.T) {
	file, cache := filepath.Join(t.TempDir(), "a.jsonl"), t.TempDir()
	row := func(safe string) string {
		return `{"prompt": "Q:", "chosen": "a", "rejected": "b", "is_rejected_safe": false, "is_chosen_safe": ` + safe + "}\n"
	}
	if err := os.WriteFile(file, []byte(row("true")+row("false")), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for objective, want := range map[string]int{"bfpo": 2, "safe_dpo": 1} {
			c := runtest.Config(t, "dataset_mixer={"+file+": 1}", "use_buffer=false", "do_eval=true",
				"eval_dataset_mixer={"+file+": 1}", "objective="+objective)
			sets := readTiny(t, c, cache)
			if sets.Main.Rows != want || sets.HeldOut.Rows != want || len(sets.Main.Drops) != 2-want {
				t.Errorf("%s: %s; %s", objective, sets.Main.SetSummary, sets.HeldOut.SetSummary)
			}
		}
	}
}

// preference_by: safety takes the pairs of the main set whose labels differ, and all pairs of a buffer and of an
// evaluation.
func TestPreferenceBySafety(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.jsonl")
	text := ""
	for _, labels := range []string{"true true", "true false", "false true", "false false", "false true"} {
		chosen, rejected, _ := strings.Cut(labels, " ")
		text += `{"prompt": "Q:", "chosen": "a", "rejected": "b", "is_chosen_safe": ` + chosen + `, "is_rejected_safe": ` +
			rejected + "}\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for by, want := range map[string]int{"helpfulness": 5, "safety": 3, "safe_first": 5} {
		c := runtest.Config(t, "dataset_mixer={"+file+": 1}", "use_buffer=true", "buffer_dataset_mixer={"+file+": 1}",
			"do_eval=false", "objective=dpo", "preference_by="+by)
		sets := readTiny(t, c, t.TempDir())
		if sets.Main.Rows != want || sets.Buffer.Rows != 5 || len(sets.Main.Drops) != (5-want)/2 {
			t.Errorf("%s: %s; %s", by, sets.Main.SetSummary, sets.Buffer.SetSummary)
		}
		// Of the five rows one has a safe answer that is chosen, and two have one that is rejected.
		unsafeOverSafe, note := 2, "preference_by: "+by+": the answers of 2 of"
		if by != "helpfulness" {
			unsafeOverSafe = 0
		}
		if got := sets.Main.Cases.UnsafeSafe; got != unsafeOverSafe || sets.Buffer.Cases.UnsafeSafe != 2 ||
			strings.Contains(sets.Main.String(), note) == (by == "helpfulness") {
			t.Errorf("%s: %d pairs with a safe answer that is rejected: %s", by, got, sets.Main.SetSummary)
		}
		for _, p := range sets.Main.Pairs {
			exchanged := by != "helpfulness" && p.ChosenSafe && !p.RejectedSafe && p.ID != file+"#1"
			asWritten := slices.Equal(p.Chosen.IDs, sets.Buffer.Pairs[0].Chosen.IDs)
			if exchanged == asWritten {
				t.Errorf("%s: row %s: exchanged %t", by, p.ID, !asWritten)
			}
		}
	}
}

// TestBufferLabels checks that a buffer needs no safety labels, and that one with some labels is as any other set.
func TestBufferLabels(t *testing.T) {
	folder, cache := t.TempDir(), t.TempDir()
	write := func(name string, labels ...string) string {
		text := ""
		for _, label := range labels {
			text += `{"prompt": [{"role": "user", "content": "Say a."}], "chosen": [{"role": "assistant", "content": "a"}], ` +
				`"rejected": [{"role": "assistant", "content": "b"}]` + label + "}\n"
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(folder, name)
	}
	const labels = `, "is_chosen_safe": true, "is_rejected_safe": true`
	main, none, some := write("main.jsonl", labels), write("none.jsonl", "", ""), write("some.jsonl", "", labels)
	for _, test := range []struct {
		buffer, set, want string
		rows              int
	}{
		{none, "unlabelled=", "a buffer needs no safety labels: every answer counts as safe, and BFPO is IPO here", 2},
		{none, "unlabelled=drop", "a buffer needs no safety labels: every answer counts as safe, and BFPO is IPO here", 2},
		{some, "unlabelled=", "warning: 1 of 2 rows of the buffer set have no safety labels", 2},
		{some, "unlabelled=drop", "warning: 1 of 2 rows of the buffer set have no safety labels", 2},
		{some, "unlabelled=safe", "", 2},
	} {
		c := runtest.Config(t, "dataset_mixer={"+main+": 1}", "use_buffer=true", "buffer_dataset_mixer={"+test.buffer+": 1}",
			"evaluation_strategy=no", "do_eval=false", test.set)
		sets := readTiny(t, c, cache)
		notes := strings.Join(sets.Buffer.Notes, "\n")
		if !strings.HasPrefix(notes, test.want) || (notes == "") != (test.want == "") || sets.Buffer.Rows != test.rows {
			t.Errorf("%s, %s: %d rows, notes %q, want %q", test.buffer, test.set, sets.Buffer.Rows, notes, test.want)
		}
		if len(sets.Main.Notes) > 0 {
			t.Errorf("the main set: %q", sets.Main.Notes)
		}
	}
	// As the main set, the file of the buffer is read anew, not taken from the cache with its unlabelled row.
	c := runtest.Config(t, "dataset_mixer={"+some+": 1}", "use_buffer=false", "evaluation_strategy=no", "do_eval=false",
		"unlabelled=drop")
	if rows := readTiny(t, c, cache).Main.Rows; rows != 1 {
		t.Errorf("%d labelled rows, want 1", rows)
	}
}
