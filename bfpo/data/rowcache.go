package data

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/filecache"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// rowsMagic begins the files of tokenised rows. Raise its number when the layout of an entry changes, or when
// datasets makes other rows from the same input; TestRowsMagic fails then.
const rowsMagic = "bfpo tokenised rows 8\n"

// rowsLimit is how many bytes of disk tokenised rows may take.
const rowsLimit = 4 << 30

// rowCache keeps tokenised sets in the folder rows of the cache folder.
type rowCache struct{ *filecache.Cache }

// newRowCache returns the cache in the folder dir or, if dir is empty, in the user's cache folder (see
// wheel.CacheDir). If there is no such folder, the cache keeps nothing. A folder to which others can write is an error.
func newRowCache(dir string) (rowCache, error) {
	dir, err := wheel.CacheDir(dir)
	if errors.Is(err, wheel.ErrUntrusted) {
		return rowCache{}, err
	} else if err != nil {
		return rowCache{&filecache.Cache{}}, nil
	}
	return rowCache{
		&filecache.Cache{Dir: filepath.Join(dir, "rows"), Magic: rowsMagic, Suffix: ".rows", Limit: rowsLimit},
	}, nil
}

// rowsKey returns the key of a mixture's rows: a hash of everything that they depend on. labels says what becomes
// of pairs by their safety labels.
func rowsKey(m datasets.MixtureFiles, c recipe.Config, format datasets.TextFormat, t models.ChatTokenizer,
	labels string) (string, error) {
	data, err := m.Digest()
	if err != nil {
		return "", err
	}
	format.Tokenizer, format.Template = nil, nil // the key has their contents instead
	text := fmt.Sprintf("%t %q %s %+v", c.Objective == "sft", c.Unlabelled, labels, format)
	return filecache.Key([]byte(rowsMagic), data, []byte(text), t.Digest(), []byte(t.TemplateSource),
		[]byte(t.TemplateDate)), nil
}

// load returns the set that an earlier run made from the same input. An unusable entry is removed.
func (c rowCache) load(key string) (Set, bool) {
	data, ok := c.Get(key)
	if !ok {
		return Set{}, false
	}
	s, err := unpackSet(data)
	if err != nil {
		c.Remove(key)
	}
	return s, err == nil
}

// store keeps a set. It returns no error: with a full or read-only disk the next start is slower, and nothing else
// changes.
func (c rowCache) store(key string, s Set) {
	if data, err := packSet(s).bytes(); err == nil {
		_ = c.Put(key, data)
	}
}

// packedSet is a set in its form on disk, with the token ids of all rows one after the other.
type packedSet struct {
	Counts  []datasets.SetCount
	Taken   int
	Drops   []Drop
	IDs     []string // row ids
	Lengths []int    // tokens of each sequence: chosen and rejected in turn, or the packed documents
	Prompts []int    // pairs only: prompt tokens, chosen and rejected in turn
	Safe    []bool   // pairs only: safety labels, chosen and rejected in turn
	Starts  [][]int  // packed documents only
	Tokens  int      // sum of Lengths
	Varints []byte   // the token ids

	Unlabelled Unlabelled // this and the next two: see Set
	Texts      int
	Notes      []string
}

func packSet(s Set) packedSet {
	p := packedSet{
		Counts: s.Counts, Taken: s.Taken, Drops: s.Drops, Unlabelled: s.Unlabelled, Texts: s.Texts, Notes: s.Notes,
	}
	add := func(ids []int32) {
		p.Lengths = append(p.Lengths, len(ids))
		p.Tokens += len(ids)
		for _, id := range ids {
			p.Varints = binary.AppendUvarint(p.Varints, uint64(id))
		}
	}
	for _, pair := range s.Pairs {
		p.IDs = append(p.IDs, pair.ID)
		p.Prompts = append(p.Prompts, pair.Chosen.PromptLength, pair.Rejected.PromptLength)
		p.Safe = append(p.Safe, pair.ChosenSafe, pair.RejectedSafe)
		add(pair.Chosen.IDs)
		add(pair.Rejected.IDs)
	}
	for _, d := range s.Documents {
		p.IDs = append(p.IDs, d.ID)
		p.Starts = append(p.Starts, d.Starts)
		add(d.IDs)
	}
	return p
}

func (p packedSet) bytes() ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(p)
	return b.Bytes(), err
}

func unpackSet(data []byte) (s Set, err error) {
	var p packedSet
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&p); err != nil {
		return s, err
	}
	pairs := len(p.Prompts) > 0
	if pairs && (len(p.Prompts) != 2*len(p.IDs) || len(p.Safe) != 2*len(p.IDs) || len(p.Lengths) != 2*len(p.IDs)) ||
		!pairs && (len(p.Starts) != len(p.IDs) || len(p.Lengths) != len(p.IDs)) {
		return s, errors.New("rows: the lists have unequal lengths")
	}
	sequences, err := p.sequences()
	if err != nil {
		return s, err
	}
	s.Counts, s.Taken, s.Drops, s.Unlabelled = p.Counts, p.Taken, p.Drops, p.Unlabelled
	s.Texts, s.Notes = p.Texts, p.Notes
	for i, id := range p.IDs {
		if !pairs {
			s.Documents = append(s.Documents, batch.Document{ID: id, IDs: sequences[i], Starts: p.Starts[i]})
			continue
		}
		c, r := 2*i, 2*i+1
		s.Pairs = append(s.Pairs, batch.Pair{
			ID:         id,
			Chosen:     batch.Sequence{IDs: sequences[c], PromptLength: p.Prompts[c]},
			Rejected:   batch.Sequence{IDs: sequences[r], PromptLength: p.Prompts[r]},
			ChosenSafe: p.Safe[c], RejectedSafe: p.Safe[r],
		})
	}
	return s, nil
}

// sequences decodes the token ids and splits them into sequences.
func (p packedSet) sequences() ([][]int32, error) {
	if p.Tokens < 0 || p.Tokens > len(p.Varints) {
		return nil, errors.New("rows: fewer bytes than token ids")
	}
	ids := make([]int32, p.Tokens)
	rest := p.Varints
	for i := range ids {
		id, n := binary.Uvarint(rest)
		if n <= 0 {
			return nil, errors.New("rows: a token id is truncated")
		}
		ids[i], rest = int32(id), rest[n:]
	}
	out := make([][]int32, len(p.Lengths))
	for i, n := range p.Lengths {
		if n < 0 || n > len(ids) {
			return nil, errors.New("rows: fewer token ids than Lengths lists")
		}
		out[i], ids = ids[:n:n], ids[n:]
	}
	return out, nil
}
