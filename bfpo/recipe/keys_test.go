package recipe

import (
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo"
)

// Every key that a recipe may have is explained, and the keys are the ones that Load reads.
func TestKeysAreExplained(t *testing.T) {
	keys, err := Keys()
	if err != nil {
		t.Fatal(err)
	}
	all := recipeFields(&Config{})
	if len(keys) != len(all) {
		t.Fatalf("%d keys, but Config has %d", len(keys), len(all))
	}
	defaults := map[string]string{}
	for i, key := range keys {
		if key.Name != all[i].key || key.Section == "" || key.Type == "" || key.Type == "value" {
			t.Errorf("key %d: %+v, want %s", i, key, all[i].key)
		}
		if key.Comment == "" && key.Name != "stages" { // its section says what stages are
			t.Errorf("%s has no explanation", key.Name)
		}
		defaults[key.Name] = key.Default
	}
	for key, want := range map[string]string{
		"beta": "0.1", "dataset_splits": "[train, test]", "shuffle": "true", "max_length": "512",
		"gradient_checkpointing": "false", "model_name_or_path": "",
	} {
		if defaults[key] != want {
			t.Errorf("%s: default %q, want %q", key, defaults[key], want)
		}
	}
	for _, key := range keys {
		for _, name := range bfpo.Objectives() {
			if key.Name == "objective" && !strings.Contains(key.Comment, name) {
				t.Errorf("the explanation of objective lacks %s: %s", name, key.Comment)
			}
		}
	}
	if stage, err := EvalStageKeys(); err != nil || len(stage) != len(recipeFields(&EvalStage{})) {
		t.Errorf("keys of a stage eval: %v, %v", stage, err)
	}
}
