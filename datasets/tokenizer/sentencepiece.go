package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Kinds of pieces of a SentencePiece model.
const (
	pieceNormal      = 1
	pieceUnknown     = 2
	pieceControl     = 3
	pieceUserDefined = 4
	pieceByte        = 6
)

// pieceModel is the part of a SentencePiece model (the message ModelProto) that says how it encodes.
type pieceModel struct {
	texts  []string
	scores []float32
	kinds  []int

	kind                        int // of the model: 1 unigram, 2 BPE, 3 word, 4 char
	byteFallback, spaceAsSuffix bool
	unknown, bos, eos, pad      int
	charsMap                    int // bytes of the table of a normal form
	dummyPrefix, removeExtra    bool
	escapeSpaces, denormalizes  bool
}

// parseSentencePiece makes a tokenizer of a tokenizer.model: the steps that transformers' converter for LlamaTokenizer
// writes (4.57, legacy), with the model's own settings for spaces. Control and user-defined pieces are matched in texts.
func parseSentencePiece(data []byte) (*Tokenizer, error) {
	m, err := readPieceModel(data)
	if err != nil {
		return nil, fmt.Errorf("it is not a SentencePiece model: %w", err)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	vocab := &vocabulary{ids: make(map[string]int32, len(m.texts))}
	var file tokenizerFile
	for id, text := range m.texts {
		if !utf8.ValidString(text) || text == "" {
			return nil, fmt.Errorf("piece %d, %q, is empty or not UTF-8", id, text)
		}
		if err := vocab.add(text, int64(id)); err != nil {
			return nil, err
		}
		if kind := m.kinds[id]; kind == pieceControl || kind == pieceUserDefined || kind == pieceUnknown {
			file.AddedTokens = append(file.AddedTokens, addedToken{ID: int64(id), Content: text,
				Special: kind != pieceUserDefined})
		}
	}
	text := func(id int32) string { return m.texts[id] }
	merges, err := deriveMerges(len(m.texts), text, func(half string) (int32, bool) {
		id, ok := vocab.ids[half]
		return id, ok
	}, false)
	if err != nil {
		return nil, err
	}
	sortByScore(merges, m.scores, text)
	model := &bpe{vocab: vocab, unknown: int32(m.unknown), fuse: true, fallback: m.byteFallback}
	model.complete(false)
	model.addDerived(merges)
	if file.Normalizer, file.Decoder, err = m.steps(); err != nil {
		return nil, err
	}
	t, err := newTokenizer(file, model)
	if err != nil {
		return nil, err
	}
	for id, into := range map[int]*int32{m.bos: &t.bos, m.eos: &t.eos, m.pad: &t.pad} {
		if id >= 0 && id < len(m.texts) {
			*into = int32(id)
		}
	}
	return t, nil
}

// check refuses what this package does not compute.
func (m *pieceModel) check() error {
	kind := map[int]string{1: "unigram", 3: "word", 4: "char"}[m.kind]
	switch {
	case len(m.texts) == 0:
		return errors.New("it has no pieces")
	case kind != "":
		return fmt.Errorf("a SentencePiece model of the type %s is not supported, only bpe is", kind)
	case m.kind != 2:
		return fmt.Errorf("the SentencePiece model type %d is not known", m.kind)
	case m.charsMap > 0:
		return errors.New("the normal form of the SentencePiece model (precompiled_charsmap) is not supported, only " +
			"identity is")
	case m.spaceAsSuffix:
		return errors.New("treat_whitespace_as_suffix is not supported")
	case !m.escapeSpaces:
		return errors.New("escape_whitespaces false is not supported")
	case m.denormalizes:
		return errors.New("a denormalizer is not supported")
	case m.unknown < 0 || m.unknown >= len(m.texts):
		return fmt.Errorf("unk_id is %d; there are %d pieces", m.unknown, len(m.texts))
	}
	return nil
}

// steps returns the normalizer and the decoder.
func (m *pieceModel) steps() (normalizer, decoder json.RawMessage, err error) {
	type object = map[string]any
	replace := func(kind, from, to string) object {
		return object{"type": "Replace", "pattern": object{kind: from}, "content": to}
	}
	var forth []object
	if m.removeExtra {
		forth = append(forth, replace("Regex", `\A +| +\z`, ""), replace("Regex", " {2,}", " "))
	}
	back := []object{replace("String", spaceMark, " "), {"type": "ByteFallback"}, {"type": "Fuse"}}
	if m.dummyPrefix {
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

// readPieceModel reads a ModelProto; what a file leaves out has the message's default.
func readPieceModel(data []byte) (*pieceModel, error) {
	m := &pieceModel{kind: 1, unknown: 0, bos: 1, eos: 2, pad: -1, dummyPrefix: true, removeExtra: true, escapeSpaces: true}
	err := eachField(data, func(number protowire.Number, value field) error {
		switch number {
		case 1:
			return m.readPiece(value.bytes)
		case 2:
			return eachField(value.bytes, m.readTrainer)
		case 3:
			return eachField(value.bytes, m.readNormalizer)
		case 5: // a denormalizer_spec, which has a table of its own
			return eachField(value.bytes, func(number protowire.Number, value field) error {
				m.denormalizes = m.denormalizes || number == 2 && len(value.bytes) > 0
				return nil
			})
		}
		return nil
	})
	return m, err
}

// readPiece reads a SentencePiece: its text, score and kind.
func (m *pieceModel) readPiece(message []byte) error {
	text, score, kind := "", float32(0), pieceNormal
	err := eachField(message, func(number protowire.Number, value field) error {
		switch number {
		case 1:
			text = string(value.bytes)
		case 2:
			score = math.Float32frombits(uint32(value.number))
		case 3:
			kind = int(value.number)
		}
		return nil
	})
	if err == nil && (kind < pieceNormal || kind > pieceByte || score != score) {
		err = fmt.Errorf("piece %d has the type %d and the score %g", len(m.texts), kind, score)
	}
	if len(m.texts) >= maxTokens {
		return fmt.Errorf("more than %d pieces", maxTokens)
	}
	m.texts, m.scores, m.kinds = append(m.texts, text), append(m.scores, score), append(m.kinds, kind)
	return err
}

// readTrainer reads a field of the TrainerSpec.
func (m *pieceModel) readTrainer(number protowire.Number, value field) error {
	switch number {
	case 3:
		m.kind = int(value.number)
	case 24:
		m.spaceAsSuffix = value.number != 0
	case 35:
		m.byteFallback = value.number != 0
	case 40:
		m.unknown = int(int32(value.number))
	case 41:
		m.bos = int(int32(value.number))
	case 42:
		m.eos = int(int32(value.number))
	case 43:
		m.pad = int(int32(value.number))
	}
	return nil
}

// readNormalizer reads a field of the NormalizerSpec.
func (m *pieceModel) readNormalizer(number protowire.Number, value field) error {
	switch number {
	case 2:
		m.charsMap = len(value.bytes)
	case 3:
		m.dummyPrefix = value.number != 0
	case 4:
		m.removeExtra = value.number != 0
	case 5:
		m.escapeSpaces = value.number != 0
	}
	return nil
}

// field is the value of a field of a message: bytes, or a number.
type field struct {
	bytes  []byte
	number uint64
}

// eachField calls do with every field of a message.
func eachField(message []byte, do func(number protowire.Number, value field) error) error {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return protowire.ParseError(size)
		}
		message = message[size:]
		var value field
		switch kind {
		case protowire.VarintType:
			value.number, size = protowire.ConsumeVarint(message)
		case protowire.Fixed32Type:
			var bits uint32
			bits, size = protowire.ConsumeFixed32(message)
			value.number = uint64(bits)
		case protowire.BytesType:
			value.bytes, size = protowire.ConsumeBytes(message)
		default:
			size = protowire.ConsumeFieldValue(number, kind, message)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		if err := do(number, value); err != nil {
			return err
		}
		message = message[size:]
	}
	return nil
}
