package datasets

import (
	"context"
	"testing"
)

// A data set on the hub is read like a folder.
func TestMixtureFromHub(t *testing.T) {
	_, hub := startHub(t)
	m := Mixture{Parts: []Part{{"org/name@main", 0.5}}, Split: "train_sft", Base: t.TempDir(), Hub: hub}
	rows, _, err := m.Dialogues(context.Background())
	if err != nil || len(rows) != 1 || rows[0].Text != "one" || rows[0].ID != "org/name@main/train.jsonl#0" {
		t.Errorf("have %v, %v", rows, err)
	}
}
