package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// decodeStrict decodes one JSON value; a key the target lacks, or anything after the value, is an error.
func decodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("more text after the end of the JSON value")
	}
	return nil
}

// componentType is the "type" of a component of tokenizer.json, "" for null or an absent one.
func componentType(raw json.RawMessage, depth int) (string, error) {
	if depth > maxNesting {
		return "", fmt.Errorf("components nest deeper than %d", maxNesting)
	}
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var f struct{ Type string }
	if err := json.Unmarshal(raw, &f); err != nil {
		return "", err
	}
	if f.Type == "" {
		return "", fmt.Errorf("a component has no type")
	}
	return f.Type, nil
}

// namedToken is a token in a configuration file: its text, or an object with its text as content, or null.
type namedToken string

// UnmarshalJSON reads all three forms.
func (n *namedToken) UnmarshalJSON(data []byte) error {
	var object struct{ Content string }
	if data[0] == '{' {
		err := json.Unmarshal(data, &object)
		*n = namedToken(object.Content)
		return err
	}
	return json.Unmarshal(data, (*string)(n))
}

// tokenizerConfig is what is read of tokenizer_config.json and special_tokens_map.json.
type tokenizerConfig struct {
	BOS     namedToken            `json:"bos_token"`
	EOS     namedToken            `json:"eos_token"`
	Pad     namedToken            `json:"pad_token"`
	Unk     namedToken            `json:"unk_token"`
	AddBOS  *bool                 `json:"add_bos_token"`
	AddEOS  *bool                 `json:"add_eos_token"`
	Decoder map[string]addedToken `json:"added_tokens_decoder"` // by id; newer tokens can stand here only
}

// readSpecials takes over the named tokens, tokens added after tokenizer.json was made, and whether BOS and EOS are added.
func (t *Tokenizer) readSpecials(read func(name string) ([]byte, error)) error {
	const file, fallback = "tokenizer_config.json", "special_tokens_map.json"
	var config, names tokenizerConfig
	for _, source := range []struct {
		name string
		into *tokenizerConfig
	}{{file, &config}, {fallback, &names}} {
		data, err := ReadOptional(read, source.name)
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		if err := json.Unmarshal(data, source.into); err != nil {
			return fmt.Errorf("%s: %w", source.name, err)
		}
	}
	if err := t.addMissing(config.Decoder); err != nil {
		return fmt.Errorf("%s: added_tokens_decoder: %w", file, err)
	}
	for _, name := range []struct {
		key             string
		first, fallback namedToken
		id              *int32
	}{
		{"bos_token", config.BOS, names.BOS, &t.bos},
		{"eos_token", config.EOS, names.EOS, &t.eos},
		{"pad_token", config.Pad, names.Pad, &t.pad},
		{"unk_token", config.Unk, names.Unk, &t.unk},
	} {
		text := name.first
		if text == "" {
			text = name.fallback
		}
		if text == "" {
			continue
		}
		id, ok := t.tokens.ids[string(text)]
		if !ok {
			return fmt.Errorf("%s: %s is %q, which tokenizer.json has no token for", file, name.key, text)
		}
		*name.id = id
	}
	if err := t.affixes.force(config.AddBOS, config.AddEOS, t.bos, t.eos); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func (t *Tokenizer) addMissing(tokens map[string]addedToken) error {
	for key, added := range tokens {
		var id int64
		if _, err := fmt.Sscan(key, &id); err != nil {
			return fmt.Errorf("key %q is not an id", key)
		}
		added.ID = id
		if old, ok := t.tokens.ids[added.Content]; ok {
			if int64(old) != id {
				return fmt.Errorf("%q has id %d there and %d in tokenizer.json", added.Content, id, old)
			}
			continue
		}
		if err := t.addToken(added); err != nil {
			return err
		}
	}
	return nil
}
