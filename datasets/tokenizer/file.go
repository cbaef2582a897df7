package tokenizer

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// New reads a tokenizer from the files of a pretrained model: tokenizer.json, or else tekken.json, or else
// tokenizer.model of SentencePiece; and, where present, tokenizer_config.json, special_tokens_map.json and
// added_tokens.json. read returns a file by name, and an error that wraps fs.ErrNotExist where there is none. Errors
// name the file and the component or key that is broken or not supported.
func New(read func(name string) ([]byte, error)) (*Tokenizer, error) {
	sum := sha256.New()
	hashed := func(name string) ([]byte, error) {
		data, err := read(name)
		fmt.Fprintf(sum, "%q %d %t\n", name, len(data), err == nil)
		sum.Write(data)
		return data, err
	}
	t, source, err := readVocabulary(hashed)
	if err != nil {
		return nil, err
	}
	c, err := readConfig(hashed)
	if err != nil {
		return nil, err
	}
	if err := t.configure(c, source); err != nil {
		return nil, err
	}
	if err := t.link(); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	t.digest = sum.Sum(nil)
	return t, nil
}

// readVocabulary reads the first of the files that hold a vocabulary and returns its name.
func readVocabulary(read func(name string) ([]byte, error)) (*Tokenizer, string, error) {
	for _, source := range []struct {
		name  string
		parse func([]byte) (*Tokenizer, error)
	}{{jsonFile, parseTokenizer}, {tekkenFile, parseTekken}, {sentencePieceFile, parseSentencePiece}} {
		data, err := read(source.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", fmt.Errorf("read %s: %w", source.name, err)
		}
		t, err := source.parse(data)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", source.name, err)
		}
		return t, source.name, nil
	}
	return nil, "", fmt.Errorf("the model has no tokenizer: neither %s nor %s nor %s is there: %w", jsonFile, tekkenFile,
		sentencePieceFile, fs.ErrNotExist)
}

// orderedObject decodes a JSON object and returns its keys in the order of the file; of a key that appears twice the
// last value counts.
func orderedObject(data []byte) (map[string]json.RawMessage, []string, error) {
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &keys); err != nil {
		return nil, nil, err
	}
	d, order := json.NewDecoder(bytes.NewReader(data)), []string(nil)
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, err
		}
		if name, _ := key.(string); !slices.Contains(order, name) || len(order) > maxKeys {
			order = append(order, name)
		}
		if len(order) > maxKeys {
			return nil, nil, fmt.Errorf("it has more than %d keys", maxKeys)
		}
	}
	return keys, order, nil
}

// maxKeys bounds the keys of a configuration file.
const maxKeys = 1 << 13
