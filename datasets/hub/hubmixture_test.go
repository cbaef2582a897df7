package hub_test

import (
	"context"
	"testing"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/hub"
)

// TestMixtureFromHub checks that a data set on the hub is read like a folder.
func TestMixtureFromHub(t *testing.T) {
	_, hub := hub.StartHub(t)
	m := datasets.Mixture{
		Sets: []datasets.MixtureSet{
			{Name: "org/name@main", Fraction: 0.5},
		}, Split: "train_sft", BaseFolder: t.TempDir(), Hub: hub,
	}
	rows, _, err := m.ReadDialogues(context.Background())
	if err != nil || len(rows) != 1 || rows[0].Text != "one" || rows[0].ID != "org/name@main/train.jsonl#0" {
		t.Errorf("have %v, %v", rows, err)
	}
}
