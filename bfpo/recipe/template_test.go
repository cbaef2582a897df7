package recipe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A chat template is a known name, a file or source, and no other word.
func TestChatTemplate(t *testing.T) {
	dir := t.TempDir()
	const source = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
	files := map[string]string{"own.jinja": source, "empty.jinja": "", "recipe.yaml": "",
		"model/chat_template.jinja": source}
	if err := os.Mkdir(filepath.Join(dir, "model"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	load := func(value string) (Config, error) {
		path := filepath.Join(dir, "recipe.yaml")
		if err := os.WriteFile(path, []byte("chat_template: "+value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return Load(nil, path, nil)
	}
	for value, want := range map[string]string{
		"chatml": "chatml", "zephyr": "zephyr", "own.jinja": source, "./own.jinja": source, "null": "",
		filepath.Join(dir, "own.jinja"): source, "'{{ messages }}'": "{{ messages }}",
		"./model": source,
	} {
		if c, err := load(value); err != nil || c.ChatTemplate != want {
			t.Errorf("%s: %q, %v", value, c.ChatTemplate, err)
		}
	}
	for value, want := range map[string]string{
		"chatmi": ":1: chat_template: chatmi is neither a known template (chatml, gemma, llama2, llama3, mistral, phi3, " +
			"vicuna, zephyr), nor the path of a .jinja file, nor a template's source, which has {{ or {%; did you mean chatml?",
		"ChatML":                  "; did you mean chatml?",
		"tokenizer_default":       "tokenizer_default is neither a known template",
		"owm.jinja":               "; did you mean " + filepath.Join(dir, "own.jinja") + "?",
		"empty.jinja":             "empty.jinja is no template: it has neither {{ nor {%",
		"/dev/zero.jinja":         "no such file",
		`"\x1b[2Jx"`:              `"\x1b[2Jx" is neither a known template`,
		strings.Repeat("a", 9999): "… (9999 bytes) is neither",
	} {
		if _, err := load(value); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 {
			t.Errorf("%.40s: %v, want %s", value, err, want)
		}
	}
	if c, err := Load(nil, "", []string{"chat_template=" + filepath.Join(dir, "own.jinja")}); err != nil ||
		c.ChatTemplate != source {
		t.Error(c.ChatTemplate, err)
	}
}
