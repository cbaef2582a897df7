package goldentest_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/goldentest"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/train"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// loadStage loads a recipe as the kind of stage that was recorded.
func loadStage(t *testing.T, run *goldentest.Run, text string) recipe.Config {
	t.Helper()
	c, err := recipe.Load(nil, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.ForStage(map[string]string{"bfpo": "train", "sft": "sft"}[run.Kind]); err != nil {
		t.Fatal(err)
	}
	return c
}

// The recorded training runs are repeated, with their own configurations as recipes.
func TestGoldenRuns(t *testing.T) {
	quick := []string{"bfpo_buf_all_lr1e-3", "bfpo_red_2epochs_trunc", "sft_down_lr1e-3"}
	for _, name := range goldentest.RunNames(t) {
		if testing.Short() && !slices.Contains(quick, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			run := goldentest.ReadRun(t, name)
			dir := filepath.Join(t.TempDir(), "out")
			out := &bytes.Buffer{}
			rt := models.Runtime{
				Device: graphtest.Device(t), Hub: &hub.Hub{Offline: true}, Cache: t.TempDir(),
				Out: out, Results: out, Version: "test",
			}
			if _, _, err := train.Train(context.Background(), rt, loadStage(t, run, run.Recipe(t)), dir); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			run.Check(t, dir)
		})
	}
}

// The raw rows of the recorded runs give the same token ids, labels and order as in the original code. Packed rows are
// compared without their order, which the original code takes from Python's random generator.
func TestGoldenData(t *testing.T) {
	checkpoint, err := pretrained.Open(fixture.Mistral(t))
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	language, err := models.NewChatTokenizer(t.Context(), checkpoint, recipe.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range goldentest.RunNames(t) {
		t.Run(name, func(t *testing.T) {
			run := goldentest.ReadRun(t, name)
			c := loadStage(t, run, run.RawRecipe(t))
			offline := &hub.Hub{Offline: true}
			sets, err := data.Read(context.Background(), c, checkpoint.Config, language, offline, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			checkPairs(t, "main", sets.Main.Pairs, run.Orders.Train)
			checkPairs(t, "buffer", sets.Buffer.Pairs, run.Orders.Buffer)
			checkPairs(t, "held out", sets.HeldOut.Pairs, run.Orders.Eval)
			checkDocuments(t, "main", sets.Main.Documents, run.PackedTrain)
			checkDocuments(t, "held out", sets.HeldOut.Documents, run.PackedEval)
		})
	}
}

// checkPairs compares the pairs of a set with the recorded ones.
func checkPairs(t *testing.T, set string, got []batch.Pair, want []goldentest.Tokenized) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d pairs, recorded %d", set, len(got), len(want))
		return
	}
	sequence := func(ids, labels []int32) batch.Sequence {
		prompt := 0
		for prompt < len(labels) && labels[prompt] == -100 {
			prompt++
		}
		return batch.Sequence{IDs: ids, PromptLength: prompt}
	}
	for i, w := range want {
		pair := batch.Pair{
			ID: got[i].ID, ChosenSafe: w.ChosenSafe == 1, RejectedSafe: w.RejectedSafe == 1,
			Chosen: sequence(w.ChosenIDs, w.ChosenLabels), Rejected: sequence(w.RejectedIDs, w.RejectedLabels),
		}
		if diff := cmp.Diff(pair, got[i]); diff != "" {
			t.Errorf("%s, pair %d (-recorded +got):\n%s", set, i, diff)
		}
	}
}

// checkDocuments compares the packed rows of a set with the recorded ones, in any order.
func checkDocuments(t *testing.T, set string, got []batch.Document, want [][]int32) {
	t.Helper()
	rows := func(ids [][]int32) (sorted []string) {
		for _, row := range ids {
			sorted = append(sorted, fmt.Sprint(row))
		}
		slices.Sort(sorted)
		return sorted
	}
	var ids [][]int32
	for _, d := range got {
		ids = append(ids, d.IDs)
	}
	if diff := cmp.Diff(rows(want), rows(ids)); diff != "" {
		t.Errorf("%s: %d packed rows (-recorded +got):\n%s", set, len(got), diff)
	}
}
