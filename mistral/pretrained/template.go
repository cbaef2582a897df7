package pretrained

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// withTemplate returns a tokenizer_config.json with a chat template in it.
func withTemplate(text []byte, template string) ([]byte, error) {
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("%s: %w", config.TokenizerConf, err)
	}
	out := config.Object{"chat_template": template}
	for key, value := range keys {
		if key != "chat_template" {
			out[key] = value
		}
	}
	return config.Marshal(out)
}

// chatTemplate returns the checkpoint's chat template: chat_template.jinja, else the one in tokenizer_config.json, of several named
// ones the default. Without any it is "".
func (c *Checkpoint) chatTemplate() (string, error) {
	data, err := c.ReadFile(config.TemplateFile)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return string(data), err
	}
	data, err = c.ReadFile(config.TokenizerConf)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var keys struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(data, &keys); err != nil {
		return "", fmt.Errorf("%s: %w", config.TokenizerConf, err)
	}
	var one string
	var several []struct{ Name, Template string }
	switch {
	case len(keys.Template) == 0 || json.Unmarshal(keys.Template, &one) == nil: // null leaves it empty
		return one, nil
	case json.Unmarshal(keys.Template, &several) == nil:
		for _, t := range several {
			if t.Name == "default" {
				return t.Template, nil
			}
		}
		return "", nil
	}
	return "", fmt.Errorf("%s: key chat_template: neither a string nor a list of templates", config.TokenizerConf)
}
