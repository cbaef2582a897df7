package tokenizer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
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
