package pretrained

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// WithEOSToken returns a reader of a model's small files that name another EOS token for the tokenizer than those of
// read; "" changes nothing.
func WithEOSToken(read func(name string) ([]byte, error), token string) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		switch {
		case token == "":
			return read(name)
		case name == config.TokenizerConfigFile:
			return withKey(read, name, "eos_token", token)
		case name == config.SpecialTokensFile:
			if _, err := read(name); err != nil {
				return nil, err // a folder needs no such file
			}
			return withKey(read, name, "eos_token", token)
		}
		return read(name)
	}
}

// withKey returns a JSON file with one key replaced. A file that does not exist has no other keys.
func withKey(read func(name string) ([]byte, error), name, key, value string) ([]byte, error) {
	text, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte("{}"), nil
	}
	if err != nil {
		return nil, err
	}
	keys := map[string]json.RawMessage{}
	if err := jsontype.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	out := config.Object{key: value}
	for other, value := range keys {
		if other != key {
			out[other] = value
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
