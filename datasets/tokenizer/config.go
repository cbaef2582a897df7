package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// The files beside tokenizer.json that name its special tokens; the first overrides the second.
const (
	configFile   = "tokenizer_config.json"
	specialsFile = "special_tokens_map.json"
)

// tokenizerConfig holds the keys of tokenizer_config.json and special_tokens_map.json that this package uses.
type tokenizerConfig struct {
	BOS     namedToken            `json:"bos_token"`
	EOS     namedToken            `json:"eos_token"`
	Pad     namedToken            `json:"pad_token"`
	Unk     namedToken            `json:"unk_token"`
	AddBOS  *bool                 `json:"add_bos_token"`
	AddEOS  *bool                 `json:"add_eos_token"`
	Decoder map[string]addedToken `json:"added_tokens_decoder"` // by id; newer tokens may be listed only here
}

// namedToken is a token in a configuration file: its text, an object with the text as content, or null.
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

// readConfig reads the two files; a file that does not exist gives an empty configuration.
func readConfig(read func(name string) ([]byte, error)) (config, specials tokenizerConfig, err error) {
	for _, file := range []struct {
		name string
		into *tokenizerConfig
	}{{configFile, &config}, {specialsFile, &specials}} {
		data, err := ReadOptional(read, file.name)
		if err != nil {
			return config, specials, err
		}
		if data == nil {
			continue
		}
		if err := json.Unmarshal(data, file.into); err != nil {
			return config, specials, fmt.Errorf("%s: %w", file.name, err)
		}
	}
	return config, specials, nil
}

// ReadOptional calls read and returns nil for a file that does not exist.
func ReadOptional(read func(name string) ([]byte, error), name string) ([]byte, error) {
	data, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}
