package pretrained

import (
	"encoding/json"
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// withTemplate returns the tokenizer_config.json in text with its chat template replaced.
func withTemplate(text []byte, template string) ([]byte, error) {
	keys := map[string]json.RawMessage{}
	if err := jsontype.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("%s: %w", config.TokenizerConfigFile, err)
	}
	out := config.Object{"chat_template": template}
	for key, value := range keys {
		if key != "chat_template" {
			out[key] = value
		}
	}
	return config.Marshal(out)
}

// parseTemplate returns the chat template in a tokenizer_config.json, which of several named templates is the one
// named default. It returns "" if there is none.
func parseTemplate(data []byte) (string, error) {
	var keys struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if err := jsontype.Unmarshal(data, &keys); err != nil {
		return "", fmt.Errorf("%s: %w", config.TokenizerConfigFile, err)
	}
	var one string
	var several []struct{ Name, Template string }
	switch {
	case len(keys.Template) == 0 || json.Unmarshal(keys.Template, &one) == nil: // null leaves one empty
		return one, nil
	case json.Unmarshal(keys.Template, &several) == nil:
		for _, t := range several {
			if t.Name == "default" {
				return t.Template, nil
			}
		}
		return "", nil
	}
	return "", fmt.Errorf("%s: key chat_template: neither a string nor a list of templates", config.TokenizerConfigFile)
}
