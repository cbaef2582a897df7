package tokenizer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/matcher"
)

// configure adds the tokens that the configuration files name and the vocabulary lacks, and takes from them the names
// of the special tokens and whether Encode adds BOS and EOS.
//
// Whether add_bos_token and add_eos_token count depends on the version of transformers, the class and the vocabulary:
//
//   - transformers 5 (5.24), tokenizer.json: its post_processor decides; _from_pretrained drops both keys for every
//     class.
//   - transformers 5, tekken.json or tokenizer.model: every class obeys them.
//   - transformers 4 (4.57), LlamaTokenizer, CodeLlamaTokenizer, GemmaTokenizer, CohereTokenizer and GPTNeoXTokenizer,
//     with or without Fast: the class writes a post_processor of its own from them; without them BOS (not GPTNeoX) and
//     no EOS.
//   - transformers 4, PreTrainedTokenizerFast and all other classes: post_processor decides.
//
// This is transformers 5, with a notice where version 4 would add other tokens.
func (t *Tokenizer) configure(c configuration, source string) error {
	for _, token := range c.added {
		if err := t.addConfigured(token.Token, true); err != nil {
			return fmt.Errorf("%s: %w", c.addedFrom, err)
		}
	}
	t.names = map[string]string{}
	for _, key := range slices.Concat(namedKeys(), c.order) {
		token, ok := c.named[key]
		if !ok {
			continue
		}
		if err := t.addSpecial(token); err != nil {
			return fmt.Errorf("%s: %s: %w", configFile, key, err)
		}
		t.names[key] = token.Content
		id, _ := t.ID(token.Content)
		switch key {
		case "bos_token":
			t.bos = id
		case "eos_token":
			t.eos = id
		case "pad_token":
			t.pad = id
		case "unk_token":
			t.unk = id
		}
	}
	if source != jsonFile || !t.model.byteLevel { // transformers ignores LlamaTokenizer beside a byte-level vocabulary
		t.nameDefaults(c)
	}
	for _, token := range c.extra {
		if err := t.addSpecial(token); err != nil {
			return fmt.Errorf("%s: additional special token: %w", configFile, err)
		}
	}
	t.splits = c.splitSpecial
	if source == jsonFile {
		t.notices = t.flagNotices(c)
		return nil
	}
	t.affixes = affixes{}
	if wanted(c.addBOS, source == tekkenFile) && t.bos >= 0 {
		t.affixes.before = []int32{t.bos}
	}
	if source == sentencePieceFile {
		t.notices = t.pieceNotices(c)
	}
	if wanted(c.addEOS, false) && t.eos >= 0 {
		t.affixes.after = []int32{t.eos}
	}
	return nil
}

// pieceNotices says where versions of transformers differ about a tokenizer.model.
func (t *Tokenizer) pieceNotices(c configuration) (notices []string) {
	if c.addBOS == nil && t.bos >= 0 {
		notices = append(notices, fmt.Sprintf("tokenizer.model without add_bos_token: %s is not put before a text, as in "+
			"transformers 5; transformers 4 puts it there, as does add_bos_token: true in tokenizer_config.json",
			t.Token(t.bos)))
	}
	if !wanted(c.legacy, false) {
		notices = append(notices, "tokenizer.model is read as with legacy: true, so that a text behind a special token "+
			"begins with a space; for models of type llama transformers 5 leaves it out unless tokenizer_config.json has "+
			"legacy: true")
	}
	if slices.ContainsFunc(slices.Collect(maps.Values(t.added)), func(t matcher.Token) bool { return t.Verbatim }) {
		notices = append(notices, "tokenizer.model has user-defined pieces, which are found in normalised text as in "+
			"SentencePiece; for models of type llama transformers 5 finds them before a space is put before each text")
	}
	return notices
}

// nameDefaults names the special tokens that LlamaTokenizer has where no file names them.
func (t *Tokenizer) nameDefaults(c configuration) {
	if c.class != "LlamaTokenizer" && c.class != "CodeLlamaTokenizer" {
		return
	}
	for text, id := range map[string]*int32{"<s>": &t.bos, "</s>": &t.eos, "<unk>": &t.unk} {
		if found, ok := t.ID(text); ok && *id < 0 {
			*id = found
		}
	}
	if t.unk >= 0 && t.names["unk_token"] == "" {
		t.names["unk_token"] = t.Token(t.unk)
	}
}

func wanted(flag *bool, otherwise bool) bool {
	if flag == nil {
		return otherwise
	}
	return *flag
}

// addSpecial adds a special token that is named but not among the added tokens yet.
func (t *Tokenizer) addSpecial(token configToken) error {
	if id, ok := t.ID(token.Content); ok {
		if _, added := t.added[id]; added {
			return nil
		}
	}
	added := token.Token
	added.Special = true
	if !token.object {
		added.Normalized = false
	}
	return t.addConfigured(added, false)
}

// addConfigured adds a token of a configuration file. hasID: the file gives an id, which must be the one that the token
// has or gets.
func (t *Tokenizer) addConfigured(added matcher.Token, hasID bool) error {
	if added.Content == "" {
		return fmt.Errorf("a token without text")
	}
	if !hasID {
		added.ID = t.nextID()
		if id, ok := t.ID(added.Content); ok {
			added.ID = int64(id)
		}
	}
	return t.addToken(added)
}

// flagNotices says where add_bos_token and add_eos_token ask for something else than post_processor does.
func (t *Tokenizer) flagNotices(c configuration) (notices []string) {
	for _, flag := range []struct {
		key    string
		value  *bool
		token  int32
		before bool
	}{{"add_bos_token", c.addBOS, t.bos, true}, {"add_eos_token", c.addEOS, t.eos, false}} {
		if flag.value == nil || flag.token < 0 {
			continue
		}
		side, verb := t.affixes.after, "does not add"
		if flag.before {
			side = t.affixes.before
		}
		does := slices.Contains(side, flag.token)
		if does {
			verb = "adds"
		}
		if does != *flag.value {
			notices = append(notices, fmt.Sprintf("%s: %s is %t, but the post_processor of %s %s %s; %s counts, as in "+
				"transformers 5", configFile, flag.key, *flag.value, jsonFile, verb, t.Token(flag.token), jsonFile))
		}
	}
	return notices
}
