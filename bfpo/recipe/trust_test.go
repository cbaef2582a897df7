package recipe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// What a recipe file must not choose by itself, and the flag that allows it.
func TestUntrustedRecipes(t *testing.T) {
	const service = "openai:http://127.0.0.1:1/v1"
	away := filepath.Join(t.TempDir(), "away")
	for _, test := range []struct{ text, want, flag string }{
		{"platform: ./plugin.so", "a recipe file may not load native code; if you trust", "platform=./plugin.so"},
		{"platform: /x/plugin", "-platform=/x/plugin", "platform=/x/plugin"},
		{"eval_judge: '" + service + "'", "a service that gets answers and an API key", "eval_judge=" + service},
		{"redteam_judge: perspective", "-set=redteam_judge=perspective", "redteam_judge=perspective"},
		{"redteam_judge: perspective:https://x.example", "repeat it as a flag",
			"redteam_judge=perspective:https://x.example"},
		{"output_dir: " + away + "\noverwrite_output_dir: true", ":2: overwrite_output_dir: a recipe file may not replace " +
			"a run outside the working directory", "output_dir=" + away},
		{"output_dir: ../away\noverwrite_output_dir: true", "-out=../away", "overwrite_output_dir=true"},
		{"stages: [{train: {dataset_mixer: quickstart/safety, platform: ./plugin.so}}]", "native code",
			"platform=./plugin.so"},
		{"stages: [{train: {dataset_mixer: quickstart/safety}}, {eval: {tasks: advbench, judge: '" + service + "'}}]",
			"eval: judge: a recipe file may not choose a service", "eval_judge=" + service},
	} {
		path := recipeFile(t, test.text+"\n")
		_, err := Load(nil, path, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path+":") {
			t.Errorf("%s: %v, want %s", test.text, err, test.want)
		}
		if _, err := Load(nil, path, []string{test.flag}); err != nil {
			t.Errorf("%s with -set=%s: %v", test.text, test.flag, err)
		}
		if _, err := Load(fstest.MapFS{"r.yaml": {Data: []byte(test.text)}}, "r", nil); err != nil {
			t.Errorf("%s as a built-in recipe: %v", test.text, err)
		}
	}
	for _, text := range []string{"platform: cpu", "eval_judge: tiny", "redteam_judge: none",
		"output_dir: runs/x\noverwrite_output_dir: true", "output_dir: " + away, "overwrite_output_dir: true"} {
		if _, err := Load(nil, recipeFile(t, text), nil); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A second file and the recipe of a stage are trusted no more than a recipe.
func TestUntrustedNestedRecipes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"other.yaml": "platform: ./plugin.so\n", "stage.yaml": "dataset_mixer: quickstart/safety\nplatform: ./plugin.so\n",
		"first.yaml": "other_data_config: other.yaml\n", "second.yaml": "stages: [{train: stage.yaml}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	other := []string{"other_data_config=" + filepath.Join(dir, "other.yaml")}
	for name, sets := range map[string][]string{"first.yaml": nil, "second.yaml": nil, "": other} {
		path := name
		if name != "" {
			path = filepath.Join(dir, name)
		}
		if _, err := Load(nil, path, sets); err == nil || !strings.Contains(err.Error(), "native code") {
			t.Errorf("%s %v: %v", name, sets, err)
		}
	}
}
