package chat

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestSharedCases renders the cases of templates in the folder BFPO_SHARED.
func TestSharedCases(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("BFPO_SHARED"), "cases/t*/cases.jsonl"))
	if os.Getenv("BFPO_SHARED") == "" || len(files) == 0 {
		t.Skip("BFPO_SHARED names no folder with cases")
	}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			var c struct {
				Template         string
				Messages         []Message
				GenerationPrompt bool `json:"generation_prompt"`
				Want             *string
			}
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatal(err)
			}
			template, err := NewTemplate(c.Template, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
			if err != nil {
				t.Errorf("%s: %q: %v", name, c.Template, err)
				continue
			}
			text, err := template.Render(t.Context(), Dialogue{Messages: c.Messages, GenerationPrompt: c.GenerationPrompt})
			if (err != nil) != (c.Want == nil) || err == nil && text != *c.Want {
				t.Errorf("%s: %q: %q, %v", name, c.Template, text, err)
			}
		}
	}
}
