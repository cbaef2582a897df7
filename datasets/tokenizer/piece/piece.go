// Package piece reads the models of SentencePiece (tokenizer.model), messages of protocol buffers.
package piece

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxPieces bounds the pieces of a model; published ones have at most a quarter of a million.
const maxPieces = 1 << 19

// Kinds of pieces of a SentencePiece model.
const (
	Normal      = 1
	Unknown     = 2
	Control     = 3
	UserDefined = 4
	unused      = 5
	Byte        = 6
)

// Model is the part of a SentencePiece model (the message ModelProto) that says how it encodes.
type Model struct {
	Texts  []string
	Scores []float32
	Kinds  []int

	ByteFallback             bool
	Unk, BOS, EOS, Pad       int
	DummyPrefix, RemoveExtra bool // a space before each text; runs of spaces become one, none at the ends

	bosText, eosText, padText   string
	kind                        int // of the model: 1 unigram, 2 BPE, 3 word, 4 char
	charsMap                    int // bytes of the table of a normal form
	spaceAsSuffix, denormalizes bool
	escapeSpaces                bool
}

// Read reads a ModelProto; what a file leaves out has the message's default.
func Read(data []byte) (*Model, error) {
	m := &Model{
		kind: 1, DummyPrefix: true, RemoveExtra: true, escapeSpaces: true, bosText: "<s>", eosText: "</s>", padText: "<pad>",
	}
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
	m.BOS, m.EOS, m.Pad = m.control(m.bosText), m.control(m.eosText), m.control(m.padText)
	return m, err
}

// control returns the id of a control piece, -1 if there is none. SentencePiece finds BOS by its text too, whatever
// bos_id says.
func (m *Model) control(text string) int {
	for id, other := range m.Texts {
		if other == text && m.Kinds[id] == Control {
			return id
		}
	}
	return -1
}

// readPiece reads a SentencePiece: its text, score and kind.
func (m *Model) readPiece(message []byte) error {
	text, score, kind := "", float32(0), Normal
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
	switch {
	case err != nil:
	case kind < Normal || kind > Byte || score != score:
		err = fmt.Errorf("piece %d has the type %d and the score %g", len(m.Texts), kind, score)
	case text == "" || !utf8.ValidString(text):
		err = fmt.Errorf("piece %d, %q, is empty or not UTF-8", len(m.Texts), text)
	case kind == unused:
		err = fmt.Errorf("piece %d, %q, is of the type unused, which is not supported", len(m.Texts), text)
	case kind == UserDefined && strings.ContainsAny(text, " ▁"):
		err = fmt.Errorf("piece %d, %q, is user-defined and has a space, which is not supported", len(m.Texts), text)
	}
	if len(m.Texts) >= maxPieces {
		return fmt.Errorf("more than %d pieces", maxPieces)
	}
	m.Texts, m.Scores, m.Kinds = append(m.Texts, text), append(m.Scores, score), append(m.Kinds, kind)
	return err
}

// readTrainer reads a field of the TrainerSpec.
func (m *Model) readTrainer(number protowire.Number, value field) error {
	switch number {
	case 3:
		m.kind = int(value.number)
	case 24:
		m.spaceAsSuffix = value.number != 0
	case 35:
		m.ByteFallback = value.number != 0
	case 40:
		m.Unk = int(int32(value.number))
	case 46:
		m.bosText = string(value.bytes)
	case 47:
		m.eosText = string(value.bytes)
	case 48:
		m.padText = string(value.bytes)
	}
	return nil
}

// readNormalizer reads a field of the NormalizerSpec.
func (m *Model) readNormalizer(number protowire.Number, value field) error {
	switch number {
	case 2:
		m.charsMap = len(value.bytes)
	case 3:
		m.DummyPrefix = value.number != 0
	case 4:
		m.RemoveExtra = value.number != 0
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

// Check refuses what the package tokenizer does not compute.
func (m *Model) Check() error {
	kind := map[int]string{1: "unigram", 3: "word", 4: "char"}[m.kind]
	switch {
	case len(m.Texts) == 0:
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
	case m.Unk < 0 || m.Unk >= len(m.Texts):
		return fmt.Errorf("unk_id is %d; there are %d pieces", m.Unk, len(m.Texts))
	}
	return nil
}
