package tokenizer

import (
	"encoding/json"
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/matcher"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/piece"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/vocabulary"
)

// parseSentencePiece makes a tokenizer of a tokenizer.model: the steps that transformers' converter for LlamaTokenizer
// writes (4.57, legacy), with the model's own settings for spaces. Control pieces are found in texts, and user-
// defined pieces in normalised texts, as SentencePiece does.
func parseSentencePiece(data []byte) (*Tokenizer, error) {
	m, err := piece.Read(data)
	if err != nil {
		return nil, fmt.Errorf("it is not a SentencePiece model: %w", err)
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	vocab := vocabulary.New(len(m.Texts))
	var file tokenizerFile
	for id, text := range m.Texts {
		if err := vocab.Add(text, int64(id)); err != nil {
			return nil, err
		}
		if kind := m.Kinds[id]; kind == piece.Control || kind == piece.UserDefined || kind == piece.Unknown {
			user := kind == piece.UserDefined
			file.AddedTokens = append(file.AddedTokens, matcher.Token{ID: int64(id), Content: text, Special: !user,
				Normalized: user, Verbatim: user})
		}
	}
	text := func(id int32) string { return m.Texts[id] }
	merges, err := deriveMerges(len(m.Texts), text, vocab.ID, false)
	if err != nil {
		return nil, err
	}
	sortByScore(merges, m.Scores, text)
	model := &bpe{vocab: vocab, unknown: int32(m.Unk), fuse: true, fallback: m.ByteFallback}
	model.complete(false)
	model.addDerived(merges)
	if file.Normalizer, file.Decoder, err = pieceSteps(m); err != nil {
		return nil, err
	}
	t, err := newTokenizer(file, model)
	if err != nil {
		return nil, err
	}
	for id, into := range map[int]*int32{m.BOS: &t.bos, m.EOS: &t.eos, m.Pad: &t.pad} {
		if id >= 0 && id < len(m.Texts) {
			*into = int32(id)
		}
	}
	return t, nil
}

// pieceSteps returns the normalizer and the decoder of a model.
func pieceSteps(m *piece.Model) (normalizer, decoder json.RawMessage, err error) {
	type object = map[string]any
	replace := func(kind, from, to string) object {
		return object{"type": "Replace", "pattern": object{kind: from}, "content": to}
	}
	var forth []object
	if m.RemoveExtra {
		forth = append(forth, replace("Regex", `\A +| +\z`, ""), replace("Regex", " {2,}", " "))
	}
	back := []object{replace("String", spaceMark, " "), {"type": "ByteFallback"}, {"type": "Fuse"}}
	if m.DummyPrefix {
		forth = append(forth, object{"type": "Prepend", "prepend": spaceMark})
		back = append(back, object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	forth = append(forth, replace("String", " ", spaceMark))
	if normalizer, err = json.Marshal(object{"type": "Sequence", "normalizers": forth}); err != nil {
		return nil, nil, err
	}
	decoder, err = json.Marshal(object{"type": "Sequence", "decoders": back})
	return normalizer, decoder, err
}
