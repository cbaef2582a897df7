package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/goldentest"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// answers runs a command of the built program on objects, a line each, and returns its lines.
func answers[Out, In any](t *testing.T, in []In, args ...string) []Out {
	t.Helper()
	var lines bytes.Buffer
	for _, v := range in {
		if err := json.NewEncoder(&lines).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	c := exec.Command(program(t), args...)
	c.Stdin, c.Stdout, c.Stderr = &lines, &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("bfpo %s: %v\n%s", strings.Join(args, " "), err, &errs)
	}
	all := objects[Out](t, out.String())
	if len(all) != len(in) {
		t.Fatalf("bfpo %s: %d lines for %d", strings.Join(args, " "), len(all), len(in))
	}
	return all
}

type (
	textLine struct {
		Text string `json:"text"`
	}
	idsLine struct {
		IDs []int32 `json:"ids"`
	}
)

func TestGoldenTokenize(t *testing.T) {
	var golden struct {
		Cases []struct {
			Text       string
			IDs        []int32
			Bare       []int32 `json:"ids_no_special"`
			Decode     string
			DecodeSkip string `json:"decode_skip_special"`
		}
	}
	fixture.Read(t, &golden, "tokenizer_cases.json")
	model := "-model=" + fixture.Mistral(t)
	var texts []textLine
	var rows []idsLine
	for _, c := range golden.Cases {
		texts, rows = append(texts, textLine{c.Text}), append(rows, idsLine{c.IDs})
	}
	ids := answers[idsLine](t, texts, "tokenize", model)
	bare := answers[idsLine](t, texts, "tokenize", model, "-special=false")
	text := answers[textLine](t, rows, "tokenize", model, "-decode")
	skip := answers[textLine](t, rows, "tokenize", model, "-decode", "-special=false")
	for i, c := range golden.Cases {
		if !slices.Equal(ids[i].IDs, c.IDs) || !slices.Equal(bare[i].IDs, c.Bare) {
			t.Errorf("%q: ids %v, recorded %v; without special ones %v, recorded %v", c.Text, ids[i].IDs, c.IDs, bare[i].IDs,
				c.Bare)
		}
		if text[i].Text != c.Decode || skip[i].Text != c.DecodeSkip {
			t.Errorf("%v: text %q, recorded %q; without special tokens %q, recorded %q", c.IDs, text[i].Text, c.Decode,
				skip[i].Text, c.DecodeSkip)
		}
	}
	t.Logf("%d texts", len(golden.Cases))
}

func TestGoldenRender(t *testing.T) {
	var golden struct {
		Cases []struct {
			Messages []chat.Message
			Ask      bool `json:"add_generation_prompt"`
			Text     string
			IDs      []int32 `json:"ids_template"`
		}
	}
	fixture.Read(t, &golden, "chat_template_cases.json")
	type messagesLine struct {
		Messages []chat.Message `json:"messages"`
	}
	type rendered struct {
		Text string
		IDs  []int32
	}
	for _, ask := range []bool{false, true} {
		var in []messagesLine
		var want []rendered
		for _, c := range golden.Cases {
			if c.Ask == ask {
				in, want = append(in, messagesLine{append([]chat.Message{}, c.Messages...)}), append(want, rendered{c.Text, c.IDs})
			}
		}
		args := []string{"render", "-model=" + fixture.Mistral(t), fmt.Sprintf("-generation-prompt=%v", ask)}
		for i, got := range answers[rendered](t, in, args...) {
			if got.Text != want[i].Text || !slices.Equal(got.IDs, want[i].IDs) {
				t.Errorf("%v: %q %v, recorded %q %v", in[i], got.Text, got.IDs, want[i].Text, want[i].IDs)
			}
		}
		t.Logf("%d dialogues", len(in))
	}
}

// TestGoldenScore scores the answers of the recorded batches with the reference model.
func TestGoldenScore(t *testing.T) {
	type idsQuestion struct {
		Prompt   []int32 `json:"prompt_ids"`
		Response []int32 `json:"response_ids"`
	}
	var batches struct {
		Batches []struct {
			IDs         [][]int32 `json:"concatenated_input_ids"`
			Mask        [][]int32 `json:"concatenated_attention_mask"`
			Labels      [][]int32 `json:"concatenated_labels"`
			RefChosen   []float64 `json:"ref_chosen_logps"`
			RefRejected []float64 `json:"ref_rejected_logps"`
		}
	}
	fixture.Read(t, &batches, "bfpo_batches.json")
	var questions []idsQuestion
	var want []float64
	for _, b := range batches.Batches {
		for row, ids := range b.IDs {
			q := idsQuestion{[]int32{}, []int32{}}
			for i, id := range ids {
				switch {
				case b.Mask[row][i] == 0:
				case b.Labels[row][i] == -100:
					q.Prompt = append(q.Prompt, id)
				default:
					q.Response = append(q.Response, id)
				}
			}
			questions = append(questions, q)
		}
		want = append(want, slices.Concat(b.RefChosen, b.RefRejected)...)
	}
	type score struct {
		LogProb float64
		Tokens  int
	}
	ledger := goldentest.NewLedger(t)
	for i, got := range answers[score](t, questions, "score", "-model="+fixture.Mistral(t)) {
		ledger.CheckAbsolute("log-probability", fmt.Sprintf("row %d", i), got.LogProb, want[i], 2e-3)
		if got.Tokens != len(questions[i].Response) {
			t.Errorf("row %d: %d tokens, want %d", i, got.Tokens, len(questions[i].Response))
		}
	}
}

// TestGoldenTraining repeats recorded runs from the command line.
func TestGoldenTraining(t *testing.T) {
	for name, command := range map[string]string{"bfpo_buf_down_lr1e-3": "train", "sft_down_lr1e-3": "sft"} {
		t.Run(name, func(t *testing.T) {
			run := goldentest.ReadRun(t, name)
			recipe := run.Recipe(t)
			dir := filepath.Join(t.TempDir(), "out")
			var errs bytes.Buffer
			c := exec.Command(program(t), command, "-config="+recipe, "-out="+dir, "-q")
			c.Stderr = &errs
			if err := c.Run(); err != nil {
				t.Fatalf("%v\n%s", err, &errs)
			}
			run.Check(t, dir)
		})
	}
}
