package pretrained

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// editJSON sets keys of a JSON file in a folder; a missing file is an empty object.
func editJSON(t *testing.T, dir, name string, changes map[string]any) {
	t.Helper()
	keys := map[string]any{}
	if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
		if err := json.Unmarshal(data, &keys); err != nil {
			t.Fatal(err)
		}
	}
	for key, value := range changes {
		keys[key] = value
	}
	data, err := json.Marshal(keys)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// endTokensIn returns the eos_token_id of a JSON file.
func endTokensIn(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	var keys struct {
		EOS json.RawMessage `json:"eos_token_id"`
	}
	if err := json.Unmarshal(data, &keys); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(keys.EOS)), "")
}

// TestEndTokens exports models after training that taught other tokens than the files name. The results are those of
// align_special_tokens in transformers 5.24.
func TestEndTokens(t *testing.T) {
	for _, test := range []struct {
		name                        string
		config, generation          any // eos_token_id of the files; nil = null
		taught                      []int32
		all                         []int32
		wantConfig, wantGeneration  string
		untrainedConfig, untrainedG string
	}{
		{"a list in generation_config.json", 0, []int{0, 2}, nil, []int32{0, 2}, "0", "[0,2]", "0", "[0,2]"},
		{"another token is taught", 0, 0, []int32{2}, []int32{0, 2}, "2", "[2,0]", "0", "0"},
		{"a list keeps its tokens", []int{0, 3}, []int{3}, []int32{2}, []int32{0, 3, 2}, "[2,0,3]", "[2,3]", "[0,3]", "[3]"},
		{"known tokens change nothing", 2, []int{0, 2}, []int32{2}, []int32{2, 0}, "2", "[0,2]", "2", "[0,2]"},
		{"the template's token too", 0, nil, []int32{0, 5}, []int32{0, 5}, "0", "[0,5]", "0", "null"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := tinyFolder(t)
			editJSON(t, dir, config.ConfigFile, map[string]any{"eos_token_id": test.config})
			editJSON(t, dir, config.GenerationConfigFile, map[string]any{"eos_token_id": test.generation})
			c := openModel(t, dir)
			c.AddEndTokens(test.taught...)
			if ids := c.EndTokens(); !slices.Equal(ids, test.all) {
				t.Errorf("generation stops at %v, want %v", ids, test.all)
			}
			for trained, want := range map[*device.TensorSet][2]string{
				{}: {test.wantConfig, test.wantGeneration}, nil: {test.untrainedConfig, test.untrainedG},
			} {
				out := filepath.Join(t.TempDir(), "out")
				if err := Export(out, c, trained, dtypes.Float32); err != nil {
					t.Fatal(err)
				}
				got := [2]string{endTokensIn(t, out, config.ConfigFile), endTokensIn(t, out, config.GenerationConfigFile)}
				if got != want {
					t.Errorf("trained %v: config.json and generation_config.json name %v, want %v", trained != nil, got, want)
				}
			}
		})
	}
}

func TestEndTokensErrors(t *testing.T) {
	for value, want := range map[any]string{
		512: "outside the vocabulary of 512", "x": `key eos_token_id: want a whole number, have "x"`, -3: "negative",
	} {
		dir := tinyFolder(t)
		editJSON(t, dir, config.GenerationConfigFile, map[string]any{"eos_token_id": value})
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), config.GenerationConfigFile) {
			t.Errorf("%v: %v", value, err)
		}
	}
}
